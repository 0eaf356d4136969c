package edge

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// Values of headers that never change. They are shared between responses: their capacity is
// their length, so that a handler around ours that appends to one gets a copy.
var (
	valueClose      = fixed("close")
	valueAllow      = fixed("GET, HEAD")
	valueAllowPost  = fixed("GET, HEAD, POST")
	valueZero       = fixed("0")
	valueBytes      = fixed("bytes")
	valueVary       = fixed("Accept-Encoding")
	valueNoSniff    = fixed("nosniff")
	valueNoIndex    = fixed("noindex")
	valueSameOrigin = fixed("same-origin")
	valueNoStore    = fixed("no-store")
	valuePrivate    = fixed("private, no-store")
	valueRevalidate = fixed("public, max-age=0, must-revalidate")
	valueImmutable  = fixed("public, max-age=31536000, immutable")
)

// valueCoding are the values of Content-Encoding.
var valueCoding = [codings][]string{codingBr: fixed("br"), codingZstd: fixed("zstd"), codingGzip: fixed("gzip")}

func fixed(s string) []string { return []string{s}[:1:1] }

// fileHeaders are the header values of one file, made at its first use and then shared.
type fileHeaders struct {
	kind     []string // Content-Type
	cache    []string // Cache-Control
	digest   hosting.Digest
	identity variant
	brotli   variant
	hasBr    bool // so it is text that is worth compressing
	derived  [len(recipes)]atomic.Pointer[variant]
	page     bool                     // HTML
	hints    atomic.Pointer[[]string] // what it announces by 103; nil until it was read
}

// variant is one form of a file, with the headers that are its own.
type variant struct {
	form     manifest.Form // of a derived one: what it is made of
	etag     []string
	length   []string
	encoding []string       // nil for identity
	recipe   *recipe        // nil for what is stored
	source   hosting.Digest // of a derived one: the file's
	measured *atomic.Pointer[measured]
}

// measured is the length of a derived form, which is known once it was made.
type measured struct {
	n      int
	length []string
}

// lengthOf is the Content-Length of a derived form of n bytes.
func (v *variant) lengthOf(n int) []string {
	m := v.measured.Load()
	if m == nil || m.n != n {
		m = &measured{n, fixed(strconv.Itoa(n))}
		v.measured.Store(m)
	}
	return m.length
}

// fileHeadersSize is about what one costs, in bytes, with its strings and slices.
const fileHeadersSize = 720

func newFileHeaders(f manifest.File) *fileHeaders {
	digest := f.Digest()
	identity, _ := f.Form(hosting.EncodingIdentity)
	h := &fileHeaders{
		kind:     fixed(f.Type()),
		cache:    valueRevalidate,
		digest:   digest,
		identity: newVariant(identity, `"`+digest.String()+`"`, nil),
	}
	h.page = strings.HasPrefix(f.Type(), "text/html")
	if f.Immutable() {
		h.cache = valueImmutable
	}
	if br, ok := f.Form(hosting.EncodingBrotli); ok {
		h.brotli, h.hasBr = newVariant(br, `"`+digest.String()+`.br"`, valueCoding[codingBr]), true
	}
	return h
}

func newVariant(form manifest.Form, etag string, encoding []string) variant {
	return variant{form: form, etag: fixed(etag), length: fixed(strconv.FormatInt(form.Size(), 10)), encoding: encoding}
}

// setDeployment sets the headers of every response of a site.
func (x *exchange) setDeployment() {
	if x.site != nil {
		x.h["X-Fairway-Deployment"] = x.site.deploymentValue(x.resolved.Pointer.Deployment)
	} else {
		x.h["X-Fairway-Deployment"] = []string{string(x.resolved.Pointer.Deployment)}
	}
	x.h["X-Content-Type-Options"] = valueNoSniff
	if !x.resolved.Production || x.private {
		x.h["X-Robots-Tag"] = valueNoIndex
	}
	if x.private { // another site's page must not show what its visitor alone may see
		x.h["Cross-Origin-Resource-Policy"] = valueSameOrigin
	}
}

// setCaching sets what a 200 and a 304 of a file have in common.
func (x *exchange) setCaching(f *fileHeaders, v *variant) {
	x.h["Etag"] = v.etag
	x.setCacheControl(f.cache)
	x.setVary(f)
}

func (x *exchange) setVary(f *fileHeaders) {
	if f.hasBr {
		x.h["Vary"] = valueVary
	}
}

// setContent sets what describes a body.
func (x *exchange) setContent(f *fileHeaders, v *variant) {
	x.h["Content-Type"] = f.kind
	if v.encoding != nil {
		x.h["Content-Encoding"] = v.encoding
	}
	x.setTiming()
}
