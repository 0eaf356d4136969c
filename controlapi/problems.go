package controlapi

import (
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// failure is one way to fail, as the document tells it.
type failure struct {
	status       int // 0: that of the code
	code         hosting.Code
	name         string // of the example
	detail, hint string
}

// failures are all ways to fail, with an example of each. A code that is missing here is told
// to nobody who only reads the document; a test holds that none is.
var failures = []failure{
	{http.StatusBadRequest, hosting.CodeInvalid, "malformed", "unexpected end of JSON input", ""},
	{http.StatusRequestTimeout, hosting.CodeInvalid, "slow", "the body came too slowly", ""},
	{http.StatusLengthRequired, hosting.CodeInvalid, "no_length", "the upload does not say how long it is", "send Content-Length"},
	{http.StatusUnsupportedMediaType, hosting.CodeInvalid, "media_type", "unknown content type: text/plain", "send application/json"},
	{http.StatusMisdirectedRequest, hosting.CodeForbidden, "wrong_host", "Fairway's API is not served under this host name", "ask under the name that the Caddyfile gives it"},
	{http.StatusUpgradeRequired, hosting.CodeInvalid, "no_upgrade", "this route is a web socket", "open it as one over HTTP/1.1, or follow the log by server-sent events"},
	{http.StatusNotImplemented, hosting.CodeInvalid, "no_sockets", "the admin socket opens no web sockets", "follow the log by server-sent events: GET .../logs?follow=true"},
	{0, hosting.CodeUnauthenticated, "unknown", "the request carries no credential", "sign in, or send a token as Authorization: Bearer"},
	{0, hosting.CodeForbidden, "role", "this is for a developer of the team, you are a viewer", "ask an owner of the team"},
	{0, hosting.CodeForbidden, "cross_site", "the request was sent by a page of another site", ""},
	{0, hosting.CodeQuota, "quota", "the team has 3 projects, and may have no more", "delete one, or ask the operator of this Fairway"},
	{0, hosting.CodeSetup, "setup_needed", "this Fairway has no owner yet", "open the link that it printed at its start, or print it again with: fairway owner-link"},
	{0, hosting.CodeNotFound, "not_found", "there is no such project", ""},
	{0, hosting.CodeConflict, "conflict", "the deployment is READY and cannot become CANCELED", ""},
	{0, hosting.CodeConflict, "still_runs", "the request with this Idempotency-Key still runs", "ask again in a moment"},
	{0, hosting.CodeIncomplete, "incomplete", "2 blobs of the inventory are missing", "upload them, and finish again"},
	{0, hosting.CodeGone, "gone", "the attempt is over", "stop working"},
	{0, hosting.CodeTooLarge, "too_large", "the body has 2000000 bytes, this route takes 1048576", ""},
	{0, hosting.CodeInvalid, "invalid", "validation failed", ""},
	{0, hosting.CodeMismatch, "content_mismatch", "the content has another digest than was declared", "upload it again"},
	{0, hosting.CodeLimited, "rate_limited", "there were more than 100 requests of the kind api within a minute", "wait 12 seconds"},
	{0, hosting.CodeInternal, "internal", "Something failed inside Fairway", "Fairway's log says more under w3jq7k2mz5xnvd4h"},
	{0, hosting.CodeUnavailable, "unavailable", "the state store cannot be reached", "try again"},
	{0, hosting.CodeStorageFull, "storage_full", "there is no space left to store it", "ask the operator of this Fairway"},
}

// example is the failure as it is answered.
func (f failure) example() *Problem {
	p := (&Problem{Status: f.status, Code: f.code, Detail: f.detail, Hint: f.hint}).filled()
	switch f.name {
	case "internal":
		p.Instance = "urn:fairway:failure:w3jq7k2mz5xnvd4h"
	case "invalid":
		p.Errors = []ProblemDetail{{Message: "expected length <= 100", Location: "body.name"}}
	}
	return p
}

// meanings say what a status means, whichever of its codes comes with it.
var meanings = map[int]string{
	http.StatusBadRequest:            "The request cannot be read: its body is no JSON, or it carries two session cookies",
	http.StatusUnauthorized:          "There is no credential, or it is no good: expired, revoked, or a session that is over",
	http.StatusForbidden:             "The caller is known and may not, the page of another site asks, a quota is used up, or the installation has no owner yet",
	http.StatusNotFound:              "There is no such thing, or it belongs to another team",
	http.StatusRequestTimeout:        "The body came too slowly",
	http.StatusConflict:              "The present state does not allow it",
	http.StatusGone:                  "The attempt is over: stop working",
	http.StatusLengthRequired:        "The upload does not say how long it is",
	http.StatusRequestEntityTooLarge: "A body, file or site is over a limit",
	http.StatusUnsupportedMediaType:  "The body is of another type than the route takes",
	http.StatusMisdirectedRequest:    "The API is not served under this host name",
	http.StatusUnprocessableEntity:   "The input is wrong: errors says where",
	http.StatusUpgradeRequired:       "The route is a web socket",
	http.StatusTooManyRequests:       "There were too many requests: Retry-After says when more are taken",
	http.StatusInternalServerError:   "A fault of Fairway, which its own log tells under the instance",
	http.StatusNotImplemented:        "The admin socket opens no web sockets",
	http.StatusServiceUnavailable:    "A part of Fairway is down, or it is restarting: try again",
	http.StatusInsufficientStorage:   "There is no space left to store it",
}

func problemName(status int) string { return fmt.Sprintf("Problem%d", status) }

// problemResponses are the answers to all failures, one for each status.
func (a *API) problemResponses() map[string]*huma.Response {
	all := map[string]*huma.Response{}
	for _, f := range failures {
		p := f.example()
		name := problemName(p.Status)
		r := all[name]
		if r == nil {
			content := &huma.MediaType{Schema: a.schemaOf(Problem{}), Examples: map[string]*huma.Example{}}
			r = &huma.Response{Description: meanings[p.Status], Content: map[string]*huma.MediaType{problemType: content}}
			all[name] = r
		}
		r.Content[problemType].Examples[f.name] = &huma.Example{Summary: p.Title, Value: p}
		if p.Status == http.StatusTooManyRequests {
			addLimitHeaders(r)
			r.Headers["Retry-After"] = &huma.Header{Ref: "#/components/headers/Retry-After"}
		}
	}
	return all
}
