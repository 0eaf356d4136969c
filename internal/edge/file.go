package edge

import (
	"net/http"
	"strconv"

	"github.com/scale-mesh/fairway/internal/manifest"
)

// serveFile answers with a file: with status 200 by the request's conditions and range, with
// 404 (a site's own page for what is not there) always whole, since neither its Etag nor
// its ranges belong to the path that was asked for.
func (s *Server) serveFile(x *exchange, a manifest.Answer) {
	f := x.site.headers(a.File)
	ranged := a.Status == http.StatusOK && x.r.Method == http.MethodGet && len(x.r.Header["Range"]) > 0
	wants := negotiate(x.r.Header["Accept-Encoding"])
	v := f.choose(&wants, ranged)
	s.traceFile(x, a.File.Path(), v)
	if a.Status != http.StatusOK {
		s.serveWhole(x, f, v, a.Status)
		return
	}
	switch status := precondition(x.r.Header, v.etag[0]); {
	case status == http.StatusNotModified:
		x.setCaching(f, v)
		x.w.WriteHeader(status)
	case status != 0:
		x.setCaching(f, v)
		x.h["Content-Length"] = valueZero
		x.w.WriteHeader(status)
	case ranged && v.encoding == nil && wantsRange(x.r.Header, v.etag[0]):
		s.serveRange(x, f, v)
	default:
		s.serveWhole(x, f, v, http.StatusOK)
	}
}

// choose picks the form to send: of those that there are or can be made, the one with the
// greatest weight. Where none is acceptable the header is disregarded, as RFC 9110, section
// 12.4.1, allows. A range is answered from identity bytes
// wherever they are acceptable: two builds may compress one content differently and both name
// the result by the content's digest, so a resumed download of br could join what does not
// belong together.
func (f *fileHeaders) choose(p *preference, ranged bool) *variant {
	if ranged && p.accepts(codingIdentity) {
		return &f.identity
	}
	best, weight := codings, 0
	for c, w := range p.weight {
		if w > weight && f.has(coding(c), p) {
			best, weight = coding(c), w
		}
	}
	switch {
	case best == codingBr:
		return &f.brotli
	case best == codingZstd || best == codingGzip:
		return f.variantOf(best)
	}
	return &f.identity
}

// has reports whether the file has a form in the coding, or is worth making one. What does
// not shrink is only compressed for who refuses it as it is.
func (f *fileHeaders) has(c coding, p *preference) bool {
	switch c {
	case codingIdentity:
		return true
	case codingBr:
		return f.hasBr
	}
	return f.identity.form.Size() <= maxDerived && (f.hasBr || !p.accepts(codingIdentity))
}

// serveWhole sends a form from its first byte to its last.
func (s *Server) serveWhole(x *exchange, f *fileHeaders, v *variant, status int) {
	if v.recipe != nil {
		s.serveDerived(x, f, v, status)
		return
	}
	whole := span{length: v.form.Size()}
	hints := f.page && status == http.StatusOK && navigates(x.r)
	if hints {
		x.hint(f, v, nil) // before the page is read, where it was read before
	}
	first, ok := s.firstPart(x, v, whole)
	if !ok {
		return
	}
	if hints {
		x.hint(f, v, first)
	}
	x.setWhole(f, v, status)
	x.h["Content-Length"] = v.length
	x.w.WriteHeader(status)
	s.send(x, v, whole, first)
}

// setWhole sets what describes a whole form.
func (x *exchange) setWhole(f *fileHeaders, v *variant, status int) {
	if status == http.StatusOK {
		x.setCaching(f, v)
		x.h["Accept-Ranges"] = valueBytes
	} else {
		x.setCacheControl(pick(x.asked, valueNoStore, valueRevalidate))
		x.setVary(f)
	}
	x.setContent(f, v)
}

// serveRange sends what the Range header asks for, or all where that is to be ignored.
func (s *Server) serveRange(x *exchange, f *fileHeaders, v *variant) {
	size := v.form.Size()
	spans, ok := parseRange(x.r.Header["Range"], size)
	switch {
	case !ok:
		x.setCaching(f, v)
		x.h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
		x.h["Content-Length"] = valueZero
		x.w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
	case len(spans) == 0:
		s.serveWhole(x, f, v, http.StatusOK)
	default:
		s.servePartial(x, f, v, spans)
	}
}

// servePartial sends one span as it is, and several as multipart/byteranges.
func (s *Server) servePartial(x *exchange, f *fileHeaders, v *variant, spans []span) {
	first, ok := s.firstPart(x, v, spans[0])
	if !ok {
		return
	}
	x.setCaching(f, v)
	x.setContent(f, v)
	x.h["Accept-Ranges"] = valueBytes
	tail := ""
	if len(spans) == 1 {
		x.h["Content-Range"] = []string{contentRange(spans[0], v.form.Size())}
		x.h["Content-Length"] = []string{strconv.FormatInt(spans[0].length, 10)}
	} else {
		m := newMultipart(spans, f.kind[0], v.form.Size())
		x.h["Content-Type"] = []string{m.kind}
		x.h["Content-Length"] = []string{strconv.FormatInt(m.length, 10)}
		tail = m.tail
	}
	x.w.WriteHeader(http.StatusPartialContent)
	for _, sp := range spans {
		s.send(x, v, sp, first)
		first = nil
	}
	x.write(tail)
}

// firstPart reads the part in which a span begins, before any header is set, so that a store
// that fails still gives a 503. HEAD reads nothing.
func (s *Server) firstPart(x *exchange, v *variant, sp span) ([]byte, bool) {
	if x.r.Method == http.MethodHead || sp.length == 0 {
		return nil, true
	}
	first, from, err := s.blobs.get(x.r.Context(), x.resolved.Pointer.Project, v.form.Part(partAt(sp.start)))
	x.layer = from
	if err != nil {
		s.unavailable(x, err)
		return nil, false
	}
	return first, true
}

// send writes a span behind its head. Once the header is out nothing but a broken connection
// tells the visitor that the body is not whole.
func (s *Server) send(x *exchange, v *variant, sp span, first []byte) {
	if x.r.Method == http.MethodHead || sp.length == 0 {
		return
	}
	x.write(sp.head)
	b := body{parts: s.blobs, project: x.resolved.Pointer.Project, form: v.form}
	if err := b.write(x.r.Context(), x.w, sp, first); err != nil {
		s.report(x, "a body was cut off", err)
		panic(http.ErrAbortHandler)
	}
}

// write sends what stands between spans.
func (x *exchange) write(text string) {
	if text == "" {
		return
	}
	if _, err := x.w.Write([]byte(text)); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
