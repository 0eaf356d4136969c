package controlapi

import "github.com/scale-mesh/fairway/internal/hosting"

// Patterns are all routes of the API, without its pages.
func (a *API) Patterns() []string { return a.mux.patterns }

// May is what a route asks for; asks is false where it is open, or a job's.
func (a *API) May(pattern string) (p hosting.Permission, asks bool) {
	r := a.mux.rules[pattern]
	return r.may, !r.open && !r.job
}

// SetMay changes what a route asks for, which is a hole that a test has to find.
func (a *API) SetMay(pattern string, p hosting.Permission) {
	r := a.mux.rules[pattern]
	r.may = p
	a.mux.rules[pattern] = r
}
