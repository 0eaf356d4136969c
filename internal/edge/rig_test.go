package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
)

const (
	project  = hosting.ProjectID("prj_aaaaaaaa")
	siteHost = "site.localhost"
)

// rig is a Server on a real port, over blobs in a folder whose reads a test can spoil.
type rig struct {
	t       *testing.T
	router  *router
	faults  *faults
	blobs   *blob.Store
	handler *edge.Server
	address string
}

func newRig(t *testing.T, change ...func(*edge.Config)) *rig {
	t.Helper()
	objects, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objects.Close() })
	r := &rig{t: t, router: &router{}, faults: &faults{Store: objects}}
	r.blobs = blob.New(r.faults)
	// Without memory and disk, so that every request reads from the store.
	cache, err := blob.OpenCache(blob.CacheConfig{Source: r.blobs, MemoryBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close() })
	c := edge.Config{Router: r.router, Manifests: r.blobs, Blobs: cache}
	for _, fn := range change {
		fn(&c)
	}
	r.handler = edge.New(c)
	server := httptest.NewServer(r.handler)
	t.Cleanup(server.Close)
	r.address = server.Listener.Addr().String()
	return r
}

// router is a routing table of hosts that tests set.
type router struct{ hosts sync.Map }

func (r *router) Lookup(host string) (*hosting.Resolved, bool) {
	v, ok := r.hosts.Load(host)
	if !ok {
		return nil, false
	}
	return v.(*hosting.Resolved), true
}

// faults spoils what is read from an object store.
type faults struct {
	object.Store
	read  atomic.Pointer[func(key string, b []byte) ([]byte, error)] // nil: as stored
	reads atomic.Int64                                               // of blobs
}

func (f *faults) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	if strings.HasPrefix(key, "blobs/") {
		f.reads.Add(1)
	}
	body, info, err := f.Store.Get(ctx, key)
	spoil := f.read.Load()
	if err != nil || spoil == nil {
		return body, info, err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err == nil {
		b, err = (*spoil)(key, b)
	}
	if err != nil {
		return nil, object.Info{}, err
	}
	return io.NopCloser(bytes.NewReader(b)), object.Info{Key: key, Size: int64(len(b))}, nil
}

func (f *faults) set(fn func(key string, b []byte) ([]byte, error)) { f.read.Store(&fn) }

// lie flips a bit of every blob.
func lie(key string, b []byte) ([]byte, error) {
	if strings.HasPrefix(key, "blobs/") && len(b) > 0 {
		b[len(b)/2] ^= 1
	}
	return b, nil
}

var errDown = errors.New("the store is down")

func down(string, []byte) ([]byte, error) { return nil, errDown }

// upload is a file to publish. With br it has a second form, below assets/ its name changes
// with its content.
type upload struct {
	path, text string
	br         bool
}

func texts(pairs ...string) []upload {
	var files []upload
	for i := 0; i < len(pairs); i += 2 {
		files = append(files, upload{path: pairs[i], text: pairs[i+1]})
	}
	return files
}

// store puts the files' blobs and their manifest into the store.
func (r *rig) store(fallback hosting.Fallback, files ...upload) hosting.Digest {
	r.t.Helper()
	c := manifest.Content{Fallback: fallback}
	for _, u := range files {
		f := hosting.File{Path: u.path, Size: int64(len(u.text)), Digest: hosting.DigestOf([]byte(u.text)), Immutable: strings.HasPrefix(u.path, "assets/")}
		f.Forms = append(f.Forms, r.storeForm(hosting.EncodingIdentity, []byte(u.text)))
		if u.br {
			f.Forms = append(f.Forms, r.storeForm(hosting.EncodingBrotli, compress(u.text)))
		}
		c.Files = append(c.Files, f)
	}
	b, err := manifest.Build(c)
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := r.blobs.PutManifest(r.t.Context(), project, b)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *rig) storeForm(encoding string, b []byte) hosting.Form {
	r.t.Helper()
	form := hosting.Form{Encoding: encoding, Size: int64(len(b))}
	for len(b) > 0 {
		part := b[:min(len(b), hosting.MaxBlob)]
		ref := hosting.BlobRef{Digest: hosting.DigestOf(part), Size: int64(len(part))}
		if err := r.blobs.Put(r.t.Context(), project, ref, bytes.NewReader(part)); err != nil {
			r.t.Fatal(err)
		}
		form.Parts = append(form.Parts, ref)
		b = b[len(part):]
	}
	return form
}

func compress(text string) []byte {
	var b bytes.Buffer
	w := brotli.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // into memory
	_ = w.Close()
	return b.Bytes()
}

func production(d hosting.Digest, id hosting.DeploymentID) *hosting.Resolved {
	return &hosting.Resolved{
		Host: siteHost, Site: hosting.Site{Name: "site", Project: project, State: hosting.SiteActive},
		Pointer:    hosting.Pointer{Project: project, Name: hosting.PointerProduction, Deployment: id, Manifest: d},
		Production: true,
	}
}

// publish shows the files at siteHost, as deployment dpl_one.
func (r *rig) publish(fallback hosting.Fallback, files ...upload) {
	r.t.Helper()
	r.router.hosts.Store(siteHost, production(r.store(fallback, files...), "dpl_one"))
}

// answer is a response, read to its end.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

// get asks for path at siteHost, byte for byte as given. Each header is "Name: value".
func (r *rig) get(path string, headers ...string) answer {
	r.t.Helper()
	return r.do("GET", siteHost, path, headers...)
}

func (r *rig) do(method, host, path string, headers ...string) answer {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		r.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}
}

// is checks status and body.
func (a answer) is(t *testing.T, name string, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.body != body || a.err != nil {
		t.Errorf("%s: %d %q %v, want %d %q", name, a.StatusCode, clip(a.body), a.err, status, clip(body))
	}
}

// has checks headers, given as "Name: value"; "Name:" stands for absent.
func (a answer) has(t *testing.T, name string, headers ...string) {
	t.Helper()
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ":")
		if got := strings.Join(a.Header.Values(k), ", "); got != strings.TrimSpace(v) {
			t.Errorf("%s: %s is %q, want %q", name, k, got, strings.TrimSpace(v))
		}
	}
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

func etagOf(text string) string { return `"` + hosting.DigestOf([]byte(text)).String() + `"` }

func etagBrOf(text string) string { return `"` + hosting.DigestOf([]byte(text)).String() + `.br"` }
