package edge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Explain tells how the server would answer a GET of a URL with an Accept-Encoding now, by
// answering it to nobody. It reads no content, but where a derived form is to be sent it is
// made. CodeInvalid refuses what is no URL of a site.
func (s *Server) Explain(ctx context.Context, address, encodings string) (hosting.Explanation, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return hosting.Explanation{}, hosting.Errorf(hosting.CodeInvalid, "that is no address of a site").
			WithHint("write it whole, as https://shop.example.com/about")
	}
	r := (&http.Request{
		Method: http.MethodHead, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody,
	}).WithContext(ctx)
	if encodings != "" {
		r.Header.Set("Accept-Encoding", encodings)
	}
	t := &trace{Explanation: hosting.Explanation{URL: address, Why: []string{}}}
	w := &statusWriter{h: http.Header{}}
	s.serve(w, r, t)
	t.Status = w.status
	t.Caching, t.Location = w.h.Get("Cache-Control"), w.h.Get("Location")
	return t.Explanation, nil
}

// trace is an explanation in the making; nil where nobody asked for one.
type trace struct{ hosting.Explanation }

// say adds a step.
func (t *trace) say(parts ...string) {
	if t != nil {
		t.Why = append(t.Why, strings.Join(parts, ""))
	}
}

func (t *trace) resolved(r *hosting.Resolved) {
	if t == nil {
		return
	}
	t.Host, t.Site, t.Project = r.Host, r.Site.Name, r.Site.Project
	t.Pointer, t.Deployment, t.Manifest = r.Pointer.Name, r.Pointer.Deployment, r.Pointer.Manifest.String()
	t.say("The host ", r.Host, " is of the site ", r.Site.Name, ", whose pointer ", r.Pointer.Name, " shows ", string(r.Pointer.Deployment), ".")
}

// traceFile tells which file answers, and what of it.
func (s *Server) traceFile(x *exchange, path string, v *variant) {
	t := x.trace
	if t == nil {
		return
	}
	t.File, t.ETag, t.Encoding = path, v.etag[0], hosting.EncodingIdentity
	if v.encoding != nil {
		t.Encoding = v.encoding[0]
	}
	project := x.resolved.Pointer.Project
	switch {
	case v.recipe != nil:
		t.Layer = string(s.blobs.blobs.Where(project, v.source, v.recipe.name))
		t.say("It is sent as ", t.Encoding, ", which the edge makes of the file at its first use.")
	case v.form.Len() > 0:
		t.Size = v.form.Size()
		t.Layer = string(s.blobs.blobs.Where(project, v.form.Part(0).Digest, ""))
		t.say("It is sent as ", t.Encoding, ", which the deployment holds.")
	}
	switch t.Layer {
	case "":
	case "store":
		t.say("The bytes are in no cache of this edge yet.")
	default:
		t.say("The bytes are in this edge's cache: ", t.Layer, ".")
	}
}

// statusWriter keeps the head of an answer.
type statusWriter struct {
	h      http.Header
	status int
}

func (w *statusWriter) Header() http.Header { return w.h }

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(b), nil
}

// timingHeader is the request header that asks for Server-Timing (W3C Server Timing): how long
// the answer took here until its head was written, and which cache had its first bytes.
const timingHeader = "Fairway-Timing"

// begin starts the clock where it is asked for.
func (x *exchange) begin(now func() time.Time) {
	if len(x.r.Header[timingHeader]) > 0 {
		x.now, x.began = now, now()
	}
}

// setTiming answers who asked for it.
func (x *exchange) setTiming() {
	if x.now == nil {
		return
	}
	value := fmt.Sprintf("edge;dur=%.3f", float64(x.now().Sub(x.began))/float64(time.Millisecond))
	if x.layer != "" {
		value += fmt.Sprintf(", cache;desc=%q", x.layer)
	}
	x.h["Server-Timing"] = []string{value}
}
