package controlapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	maxBody  = 1 << 20
	bodyTime = 30 * time.Second // for one of maxBody; larger ones say their own
)

// mux is a ServeMux that knows its patterns and the rule of each.
type mux struct {
	http.ServeMux
	patterns []string
	rules    map[string]rule
}

// HandleFunc registers a route; huma does so through it, too.
func (m *mux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, h)
}

// handle registers a typed route.
func handle[I, O any](a *API, r rule, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	a.describe(r, &op)
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes, op.BodyReadTimeout = maxBody, bodyTime
	}
	op.Middlewares = append(op.Middlewares, a.refuseTooLong(op.MaxBodyBytes))
	op.RejectUnknownQueryParameters = true
	what := op.Method + " " + op.Path
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, what, err)
		}
		return out, nil
	})
}

// refuseTooLong refuses a body by its announced length; huma would read up to the limit first.
func (a *API) refuseTooLong(limit int64) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if r.ContentLength > limit {
			a.fail(w, r, hosting.Errorf(hosting.CodeTooLarge, "the body has %d bytes, this route takes %d", r.ContentLength, limit))
			return
		}
		next(ctx)
	}
}

// raw registers a route that reads or writes by itself, and describes it.
func (a *API) raw(r rule, op huma.Operation, fn func(http.ResponseWriter, *http.Request) error) {
	a.describe(r, &op)
	a.huma.OpenAPI().AddOperation(&op)
	a.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a *API) describe(r rule, op *huma.Operation) {
	a.mux.rules[op.Method+" "+op.Path] = r
	op.Security = securityOf(r)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "What went wrong, as a problem of RFC 9457",
		Content:     map[string]*huma.MediaType{problemType: {Schema: a.schemaOf(Problem{})}},
	}
}

// strictJSON reads JSON whose every field is known, and nothing behind it: a field that is
// silently dropped is a setting that somebody believes to have made.
func strictJSON() huma.Format {
	return huma.Format{
		Marshal: huma.DefaultJSONFormat.Marshal,
		Unmarshal: func(data []byte, v any) error {
			// Builds bring many lines of log, and nearly always as they can be read at once.
			if batch, ok := v.(*hosting.LogBatch); ok && batch.ParseJSON(data) {
				return nil
			}
			d := json.NewDecoder(bytes.NewReader(data))
			d.DisallowUnknownFields()
			if err := d.Decode(v); err != nil {
				return err
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return errors.New("there is something behind the JSON value")
			}
			return nil
		},
	}
}
