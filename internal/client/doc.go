// Package client speaks Fairway's HTTP API: for people and programs (see [Client]) and for
// the jobs that build deployments (see [Job]). It mirrors package controlapi, route by
// route, and gives that API's errors back as the *hosting.Error they were.
//
// It relies on the standard library and on hosting alone. A read that was limited waits as
// long as the API asks, up to a minute, three times. What reads, and what writes under an
// Idempotency-Key, is asked once more where the connection was lost. Uploads and the job
// protocol's writes are never repeated here: whether they may be, only their caller knows.
package client
