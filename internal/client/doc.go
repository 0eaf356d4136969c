// Package client speaks Fairway's HTTP API: for people and programs (see [Client]) and for
// the jobs that build deployments (see [Job]). It mirrors package controlapi, route by
// route, and gives that API's errors back as the *hosting.Error they were.
//
// It relies on the standard library and on hosting alone. It retries nothing but the
// following of a log: whether a request may be repeated, only its caller knows.
package client
