package controlapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Patterns are all routes of the API, without its pages.
func (a *API) Patterns() []string { return a.mux.patterns }

// Pages are the patterns of all pages.
func (a *API) Pages() (all []string) {
	for _, pattern := range slices.Sorted(maps.Keys(a.mux.rules)) {
		if !strings.Contains(pattern, " /api/") {
			all = append(all, pattern)
		}
	}
	return all
}

// May is what a route asks for; asks is false where it is open, a job's or an edge's.
func (a *API) May(pattern string) (p hosting.Permission, asks bool) {
	r := a.mux.rules[pattern]
	return r.may, !r.open && !r.own()
}

// Open lets everybody ask for a route, which is a hole that a test has to find.
func (a *API) Open(pattern string) {
	r := a.mux.rules[pattern]
	r.open = true
	a.mux.rules[pattern] = r
}

// Answers reports whether the document says that a route can answer with the status.
func (a *API) Answers(pattern string, status int) bool {
	method, path, _ := strings.Cut(pattern, " ")
	for _, op := range operationsOf(a.huma.OpenAPI().Paths[path]) {
		if op.Method == method {
			return op.Responses[strconv.Itoa(status)] != nil
		}
	}
	return false
}

// SetMay changes what a route asks for, which is a hole that a test has to find.
func (a *API) SetMay(pattern string, p hosting.Permission) {
	r := a.mux.rules[pattern]
	r.may = p
	a.mux.rules[pattern] = r
}
