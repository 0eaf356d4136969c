package edge

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// recipe makes a form of a file that no deployment stores: the edge does, at its first use,
// from verified identity bytes, and keeps it in its cache under the file's digest.
type recipe struct {
	coding coding
	// name is that of the ETag and the cache. It holds a version, to be raised whenever pack
	// would make other bytes of the same.
	name string
	pack func(b []byte) ([]byte, error)
}

var recipes = [...]recipe{
	{codingZstd, "zstd1", packZstd},
	{codingGzip, "gzip1", packGzip},
}

// maxDerived is the longest file of which forms are made: it is done in memory, while a
// visitor waits.
const maxDerived = 8 << 20

// packGzip is level 6 as klauspost/compress has it: about as small as the standard
// library's, in less time.
func packGzip(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, 6)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// packZstd stays within the window of 8 MiB that every browser accepts (RFC 9659).
func packZstd(b []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		return nil, err
	}
	out := w.EncodeAll(b, nil)
	return out, w.Close()
}

// variantOf returns the derived form of a coding, whose length is not known yet.
func (f *fileHeaders) variantOf(c coding) *variant {
	for i := range recipes {
		if r := &recipes[i]; r.coding == c {
			p := &f.derived[i]
			if v := p.Load(); v != nil {
				return v
			}
			v := &variant{
				form: f.identity.form, etag: fixed(`"` + f.digest.String() + "." + r.name + `"`),
				encoding: valueCoding[c], recipe: r, source: f.digest, measured: new(atomic.Pointer[measured]),
			}
			p.CompareAndSwap(nil, v)
			return p.Load()
		}
	}
	return &f.identity
}

// serveDerived sends a form that is made at its first use. Where it cannot be made now the
// file is sent as it is, to who accepts that.
func (s *Server) serveDerived(x *exchange, f *fileHeaders, v *variant, status int) {
	b, from, err := s.derive(x.r.Context(), x.resolved.Pointer.Project, f, v)
	if err != nil {
		wants := negotiate(x.r.Header["Accept-Encoding"])
		if wants.accepts(codingIdentity) && s.hasIdentity(x, f, err) {
			s.serveWhole(x, f, &f.identity, status)
			return
		}
		s.unavailable(x, err)
		return
	}
	x.layer = from
	x.setWhole(f, v, status)
	x.h["Content-Length"] = v.lengthOf(len(b))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		if _, err := x.w.Write(b); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// hasIdentity reports whether a file whose derived form cannot be had may be there as it is:
// not where the store was waited for in vain already.
func (s *Server) hasIdentity(x *exchange, f *fileHeaders, err error) bool {
	if errors.Is(err, errPacking) {
		return true
	}
	form := f.identity.form
	return hosting.Is(err, hosting.CodeUnavailable) && form.Len() > 0 &&
		s.blobs.blobs.Where(x.resolved.Pointer.Project, form.Part(0).Digest, "") != blob.LayerStore
}

var errPacking = hosting.Errorf(hosting.CodeUnavailable, "too much is being compressed")

// derive returns a derived form. As many are made at once as half the processors can; who
// comes when all are busy does not wait.
func (s *Server) derive(ctx context.Context, project hosting.ProjectID, f *fileHeaders, v *variant) ([]byte, Layer, error) {
	if b, ok := s.blobs.blobs.Recall(project, f.digest, v.recipe.name); ok {
		return b, blob.LayerMemory, nil
	}
	return s.blobs.blobs.Derive(ctx, project, f.digest, v.recipe.name, func(ctx context.Context) ([]byte, error) {
		b, err := s.blobs.whole(ctx, project, v.form)
		if err != nil {
			return nil, err
		}
		select {
		case s.packing <- struct{}{}:
			defer func() { <-s.packing }()
			return v.recipe.pack(b)
		default:
			return nil, errPacking
		}
	})
}

// whole reads a form of at most maxDerived bytes.
func (p *parts) whole(ctx context.Context, project hosting.ProjectID, form manifest.Form) ([]byte, error) {
	if form.Len() == 1 {
		b, _, err := p.get(ctx, project, form.Part(0))
		return b, err
	}
	all := make([]byte, 0, form.Size())
	for i := range form.Len() {
		b, _, err := p.get(ctx, project, form.Part(i))
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}
