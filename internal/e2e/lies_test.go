package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// lies are the ways in which a store tells something else than it holds.
var lies = map[string]func(l *liar, b []byte) []byte{
	"the first bit flipped":  func(_ *liar, b []byte) []byte { b[0] ^= 1; return b },
	"the last bit flipped":   func(_ *liar, b []byte) []byte { b[len(b)-1] ^= 0x80; return b },
	"a bit in the middle":    func(_ *liar, b []byte) []byte { b[len(b)/2] ^= 4; return b },
	"a byte short":           func(_ *liar, b []byte) []byte { return b[:len(b)-1] },
	"half of it":             func(_ *liar, b []byte) []byte { return b[:len(b)/2] },
	"nothing":                func(*liar, []byte) []byte { return nil },
	"a byte more":            func(_ *liar, b []byte) []byte { return append(b, 0) },
	"twice the same":         func(_ *liar, b []byte) []byte { return append(b, b...) },
	"zeros":                  func(_ *liar, b []byte) []byte { return make([]byte, len(b)) },
	"another object":         func(l *liar, _ []byte) []byte { return bytes.Clone(l.another()) },
	"a page of an error":     func(*liar, []byte) []byte { return []byte("<html><h1>503 Slow Down</h1></html>") },
	"what was there before":  func(l *liar, b []byte) []byte { return append([]byte("old "), b[:max(0, len(b)-4)]...) },
	"the end before the top": func(_ *liar, b []byte) []byte { return append(bytes.Clone(b[len(b)/2:]), b[:len(b)/2]...) },
}

// liar is a store that fails a tenth of its Gets and lies about a third of them.
type liar struct {
	object.Store
	kinds []string

	mu   sync.Mutex // guards what follows
	rand *rand.Rand
	last []byte
	told map[string]int
}

func newLiar(s object.Store, seed uint64) *liar {
	l := &liar{Store: s, rand: rand.New(rand.NewPCG(seed, 5)), told: map[string]int{}}
	for kind := range lies {
		l.kinds = append(l.kinds, kind)
	}
	slices.Sort(l.kinds)
	return l
}

func (l *liar) another() []byte { return l.last }

func (l *liar) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	body, info, err := l.Store.Get(ctx, key)
	if err != nil || !strings.HasPrefix(key, "blobs/") {
		return body, info, err
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, info, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n := l.rand.IntN(30); {
	case n < 3:
		l.told["failure"]++
		return nil, object.Info{}, errors.New("the store fails")
	case n < 13:
		kind := l.kinds[l.rand.IntN(len(l.kinds))]
		l.told[kind]++
		lie := lies[kind](l, bytes.Clone(b))
		return io.NopCloser(bytes.NewReader(lie)), object.Info{Key: key, Size: int64(len(lie))}, nil
	}
	l.last = b
	return io.NopCloser(bytes.NewReader(b)), info, nil
}

// believing is the control: an edge whose cache and store are not verified.
type believing struct {
	store object.Store
	dir   string
}

func (t believing) Find(ctx context.Context, project hosting.ProjectID, d hosting.Digest) ([]byte, edge.Layer, error) {
	name := d.String() + "." + string(project)
	if b, err := os.ReadFile(filepath.Join(t.dir, "blobs", name[:2], name)); err == nil {
		return b, blob.LayerDisk, nil
	}
	body, _, err := t.store.Get(ctx, "blobs/"+string(project)+"/"+d.String())
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(body)
	return b, blob.LayerStore, err
}

func (believing) Recall(hosting.ProjectID, hosting.Digest, string) ([]byte, bool) { return nil, false }

func (believing) Where(hosting.ProjectID, hosting.Digest, string) edge.Layer { return "" }

func (believing) Derive(ctx context.Context, _ hosting.ProjectID, _ hosting.Digest, _ string, make func(context.Context) ([]byte, error)) ([]byte, edge.Layer, error) {
	b, err := make(ctx)
	return b, blob.LayerMade, err
}

// claimNoWrongByte is edge.5: while files of the cache are damaged and the store lies, nobody
// is sent a wrong byte. Three times as many requests are made with the memory of the cache as
// without it, where every response reads a damaged file or the lying store.
func claimNoWrongByte(c *C) {
	files := min(10_000, max(200, c.Size/100))
	r := newEdgeRig(c, files, 8<<10)
	for _, run := range []struct {
		name     string
		memory   int64
		requests int
	}{{"with memory", 1 << 20, c.Size * 3 / 4}, {"without memory", -1, c.Size / 4}} {
		l, dir := newLiar(r.objects, c.Rand.Uint64()), c.TempDir()
		k := r.cache(l, dir, run.memory)
		v, end := r.listen(r.blobs, k)
		damaged, stop := c.damage(dir)
		t := c.ask(r, v, run.requests)
		stop()
		end()
		_ = k.Close()
		if t.wrong > 0 {
			c.Errorf("%s: %d wrong answers, such as %s", run.name, t.wrong, t.example)
		}
		if t.right == 0 || damaged.Load() == 0 || len(l.told) < len(lies)+1 {
			c.Errorf("void: %d right answers, %d damages, %d kinds of lies", t.right, damaged.Load(), len(l.told))
		}
		told := 0
		for _, n := range l.told {
			told += n
		}
		c.Figure("%s: %d responses, %d right, %d refused with 503, 0 wrong; %d damages to files of the cache, %d lies and failures of %d kinds",
			run.name, t.right+t.refused, t.right, t.refused, damaged.Load(), told, len(l.told))
	}
	c.believed(r)
}

// believed shows that the same damage and lies reach visitors where nothing is verified.
func (c *C) believed(r *edgeRig) {
	c.Helper()
	dir := c.TempDir()
	k := r.cache(r.objects, dir, -1)
	for _, f := range r.files[:len(r.files)/2] {
		if _, err := k.Get(context.Background(), edgeProject, hosting.DigestOf(f.body)); err != nil {
			c.Fatal(err)
		}
	}
	_ = k.Close()
	v, end := r.listen(r.blobs, believing{newLiar(r.objects, 1), dir})
	defer end()
	_, stop := c.damage(dir)
	t := c.ask(r, v, max(2000, len(r.files)))
	stop()
	if t.wrong == 0 {
		c.Errorf("void: without verification nobody is sent a wrong byte either")
	}
	c.Figure("control without verification: %d of %d responses wrong", t.wrong, t.right+t.wrong+t.refused)
}

// damage flips bits of files below dir, cuts them and fills them up, until it is stopped.
func (c *C) damage(dir string) (done *atomic.Int64, stop func()) {
	done = &atomic.Int64{}
	ctx, cancel := context.WithCancel(context.Background())
	rnd := rand.New(rand.NewPCG(c.Rand.Uint64(), 1))
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if ctx.Err() != nil {
					return fs.SkipAll
				}
				if err != nil || !e.Type().IsRegular() || strings.HasPrefix(e.Name(), "tmp-") || rnd.IntN(3) > 0 {
					return nil
				}
				if damageFile(path, rnd) == nil {
					done.Add(1)
				}
				return nil
			})
		}
	})
	return done, func() { cancel(); all.Wait() }
}

func damageFile(path string, rnd *rand.Rand) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err // it has just been removed
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return errors.Join(err, io.EOF)
	}
	switch at := rnd.Int64N(info.Size()); rnd.IntN(3) {
	case 0:
		return f.Truncate(at)
	case 1:
		_, err = f.WriteAt([]byte("damaged"), info.Size())
	default:
		one := make([]byte, 1)
		if _, err = f.ReadAt(one, at); err == nil {
			one[0] ^= 1 << rnd.IntN(8)
			_, err = f.WriteAt(one, at)
		}
	}
	return err
}

// tally is how requests were answered.
type tally struct {
	right, refused, wrong int
	example               string
}

// ask makes so many requests, eight at a time, and compares each answer with what was published.
func (c *C) ask(r *edgeRig, v *http.Client, n int) (t tally) {
	c.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	const workers = 8
	for range workers {
		rnd := rand.New(rand.NewPCG(c.Rand.Uint64(), 2))
		all.Go(func() {
			for range n / workers {
				f := r.files[rnd.IntN(len(r.files))]
				accept := []string{"", "br", "gzip", "zstd"}[rnd.IntN(4)]
				verdict, why := edgeVerdict(edgeGet(v, f.path, http.Header{"Accept-Encoding": {accept}}), f.body)
				mu.Lock()
				switch verdict {
				case right:
					t.right++
				case refused:
					t.refused++
				default:
					if t.wrong++; t.example == "" {
						t.example = fmt.Sprintf("%s for %q: %s", f.path, accept, why)
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return t
}

const (
	right = iota
	refused
	wrong
)

// edgeVerdict says whether an answer is the file, a refusal, or anything else. One that breaks
// off is seen by whoever asked, and is no wrong byte.
func edgeVerdict(a edgeAnswer, want []byte) (int, string) {
	switch {
	case a.err != nil && a.status == 200:
		return refused, ""
	case a.err != nil:
		return wrong, a.err.Error()
	case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
		return refused, ""
	case a.status != 200:
		return wrong, fmt.Sprintf("status %d", a.status)
	}
	plain, err := edgePlain(a)
	if err != nil {
		return wrong, err.Error()
	}
	if !bytes.Equal(plain, want) {
		return wrong, fmt.Sprintf("%d bytes of %x, want %d of %x", len(plain), sha256.Sum256(plain), len(want), sha256.Sum256(want))
	}
	return right, ""
}

func edgePlain(a edgeAnswer) ([]byte, error) {
	var in io.Reader = bytes.NewReader(a.body)
	switch coding := a.header.Get("Content-Encoding"); coding {
	case "":
	case "br":
		in = brotli.NewReader(in)
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = z
	case "zstd":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		in = z
	default:
		return nil, fmt.Errorf("the coding %q", coding)
	}
	return io.ReadAll(in)
}
