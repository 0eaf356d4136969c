package controlapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// Problem is the body of every error (RFC 9457).
type Problem struct {
	Type     string          `json:"type" doc:"Name of the kind of problem"`
	Title    string          `json:"title" doc:"What the kind of problem is, in a few words"`
	Status   int             `json:"status" doc:"HTTP status"`
	Detail   string          `json:"detail" doc:"What is wrong, for people"`
	Code     hosting.Code    `json:"code" doc:"The kind of problem, for programs; stable"`
	Hint     string          `json:"hint,omitempty" doc:"What to do about it"`
	Instance string          `json:"instance,omitempty" doc:"Names this one failure in Fairway's own log"`
	Errors   []ProblemDetail `json:"errors,omitempty" doc:"Each thing that is wrong with the input"`

	header http.Header
}

// ProblemDetail is one thing that is wrong with a request's input.
type ProblemDetail struct {
	Message  string `json:"message" doc:"What is wrong"`
	Location string `json:"location,omitempty" doc:"Where, such as body.settings.rootDir"`
}

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
)

const problemType = "application/problem+json"

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the status that huma answers with.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that huma answers with.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType names the body's type to huma.
func (p *Problem) ContentType(string) string { return problemType }

// kind maps the codes of hosting to HTTP; package client has the way back.
func kind(code hosting.Code) (status int, title string) {
	switch code {
	case hosting.CodeInvalid:
		return http.StatusUnprocessableEntity, "The input is wrong"
	case hosting.CodeUnauthenticated:
		return http.StatusUnauthorized, "Who asks is not known"
	case hosting.CodeForbidden:
		return http.StatusForbidden, "This is not allowed"
	case hosting.CodeNotFound:
		return http.StatusNotFound, "There is no such thing"
	case hosting.CodeConflict:
		return http.StatusConflict, "The present state does not allow it"
	case hosting.CodeGone:
		return http.StatusGone, "The attempt is over"
	case hosting.CodeTooLarge:
		return http.StatusRequestEntityTooLarge, "It is over a limit"
	case hosting.CodeIncomplete:
		return http.StatusConflict, "Uploads are missing"
	case hosting.CodeMismatch:
		return http.StatusUnprocessableEntity, "The content is not what was declared"
	case hosting.CodeStorageFull:
		return http.StatusInsufficientStorage, "The storage is full"
	case hosting.CodeLimited:
		return http.StatusTooManyRequests, "There were too many requests"
	case hosting.CodeQuota:
		return http.StatusForbidden, "The team may not use more"
	case hosting.CodeSetup:
		return http.StatusForbidden, "This Fairway has no owner yet"
	case hosting.CodeUnavailable:
		return http.StatusServiceUnavailable, "A part of Fairway is down"
	}
	return http.StatusInternalServerError, "Something failed inside Fairway"
}

// newProblem says what an error looks like from outside. Only errors that are meant for
// people tell anything; all others are internal.
func newProblem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.filled()
	}
	if e, ok := errors.AsType[*hosting.Error](err); ok && e.Code != hosting.CodeInternal {
		return (&Problem{Code: e.Code, Detail: e.Message, Hint: e.Hint}).filled()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return (&Problem{Code: hosting.CodeTooLarge, Detail: "the body is longer than this route takes"}).filled()
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return (&Problem{Status: http.StatusRequestTimeout, Code: hosting.CodeInvalid, Detail: "the body came too slowly"}).filled()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return (&Problem{Status: http.StatusBadRequest, Code: hosting.CodeInvalid, Detail: "the body ended early"}).filled()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return (&Problem{Code: hosting.CodeUnavailable, Detail: "the request was given up before it was done", Hint: "try again"}).filled()
	}
	return (&Problem{Code: hosting.CodeInternal}).filled()
}

// filled returns p with what follows from its code, and the headers its status asks for.
func (p *Problem) filled() *Problem {
	q := *p
	status, title := kind(q.Code)
	if q.Status == 0 {
		q.Status = status
	}
	q.Title = title
	if q.Status != status {
		q.Title = http.StatusText(q.Status)
	}
	q.Type = "urn:fairway:problem:" + string(q.Code)
	q.header = q.header.Clone()
	if q.header == nil {
		q.header = http.Header{}
	}
	switch q.Status {
	case http.StatusUnauthorized:
		q.header.Set("WWW-Authenticate", `Bearer realm="fairway"`)
	case http.StatusServiceUnavailable:
		q.header.Set("Retry-After", "2")
	case http.StatusTooManyRequests:
		if q.header.Get("Retry-After") == "" {
			q.header.Set("Retry-After", "60")
		}
	case http.StatusInternalServerError:
		q.Detail = title
	}
	return &q
}

// problem is newProblem for an answer: what it does not tell is logged under an id that it
// does.
func (a *API) problem(ctx context.Context, what string, err error) *Problem {
	p := newProblem(err)
	if p.Status != http.StatusInternalServerError {
		return p
	}
	id := seal.NewToken()[:16]
	attrs := []any{"id", id, "request", what, "error", err}
	if v, ok := errors.AsType[*panicked](err); ok {
		attrs = append(attrs, "stack", v.stack())
	}
	a.cfg.Log.ErrorContext(ctx, "a request failed", attrs...)
	p.Instance = "urn:fairway:failure:" + id
	p.Hint = "Fairway's log says more under " + id
	return p
}

// fail answers with the error, or breaks the connection off where an answer has begun: a
// truncated body must not look whole.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r.Context(), r.Method+" "+r.URL.Path, err)
	if began, ok := w.(interface{ hasBegun() bool }); ok && began.hasBegun() {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Del("Content-Length")
	if forBrowser(r) && problemPage(p).show(w) == nil {
		return
	}
	p.write(w)
}

// write sends the problem as a whole response.
func (p *Problem) write(w http.ResponseWriter) {
	b, err := json.Marshal(p)
	if err != nil {
		panic(http.ErrAbortHandler) // strings and numbers always marshal
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // whoever asked has gone
}

// fromHuma gives what huma itself finds wrong the shape of all other problems. The values it
// would echo are left out: they may be secrets, and as long as the body.
func fromHuma(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &Problem{Status: m.Status, Code: hosting.CodeInvalid, Detail: m.Detail}
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		p.Code = hosting.CodeTooLarge
	case m.Status >= 500:
		p.Status, p.Code = m.Status, hosting.CodeInternal
	}
	for _, d := range m.Errors {
		p.Errors = append(p.Errors, ProblemDetail{Message: d.Message, Location: d.Location})
	}
	return p.filled(), nil
}

// panicked is a panic on its way to the log.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// stack is only right when called while the panic is being recovered.
func (*panicked) stack() string { return string(debug.Stack()) }

func notFound(r *http.Request) error {
	return hosting.Errorf(hosting.CodeNotFound, "the API has no route %s", r.URL.EscapedPath()).
		WithHint("GET /api/openapi.json lists them")
}

// unmatched says why the mux knows no route for r, by what its own handler would answer.
func unmatched(h http.Handler, r *http.Request) error {
	probe := &probe{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		return notFound(r)
	}
	allow := probe.header.Get("Allow")
	return &Problem{
		Status: http.StatusMethodNotAllowed, Code: hosting.CodeInvalid,
		Detail: fmt.Sprintf("%s is not for %s", r.Method, r.URL.EscapedPath()), Hint: "use " + allow,
		header: http.Header{"Allow": {allow}},
	}
}

// probe is a ResponseWriter that keeps the status and the headers alone.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
