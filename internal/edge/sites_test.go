package edge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// stored is a source of manifests that counts and can hold up its reads.
type stored struct {
	byDigest map[hosting.Digest][]byte
	reads    atomic.Int64
	gate     chan struct{} // closed or nil: open
	err      atomic.Pointer[error]
}

func (s *stored) GetManifest(ctx context.Context, _ hosting.ProjectID, d hosting.Digest) ([]byte, error) {
	s.reads.Add(1)
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := s.err.Load(); err != nil {
		return nil, *err
	}
	return s.byDigest[d], nil
}

// newStored holds n manifests of ten files each.
func newStored(t *testing.T, n int) (*stored, []*hosting.Resolved) {
	t.Helper()
	s := &stored{byDigest: make(map[hosting.Digest][]byte)}
	var shown []*hosting.Resolved
	for i := range n {
		c := manifest.Content{}
		for k := range 10 {
			c.Files = append(c.Files, emptyFile(fmt.Sprintf("site%d/file%d.html", i, k)))
		}
		b, err := manifest.Build(c)
		if err != nil {
			t.Fatal(err)
		}
		d := hosting.DigestOf(b)
		s.byDigest[d] = b
		shown = append(shown, &hosting.Resolved{Pointer: hosting.Pointer{Project: "prj_a", Manifest: d}})
	}
	return s, shown
}

func emptyFile(path string) hosting.File {
	return hosting.File{Path: path, Digest: hosting.DigestOf(nil), Forms: []hosting.Form{{Encoding: hosting.EncodingIdentity}}}
}

func mustOpen(t *testing.T, s *sites, r *hosting.Resolved) *site {
	t.Helper()
	opened, err := s.open(t.Context(), r.Pointer.Project, r.Pointer.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestSites_OpensAManifestOnceForAllWhoWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, shown := newStored(t, 1)
		source.gate = make(chan struct{})
		s := newSites(source, 1<<20, time.Now)
		var wg sync.WaitGroup
		var opened [50]*site
		for i := range opened {
			// The first who comes loads for all: that it leaves must not fail the others.
			ctx, cancel := context.WithCancel(t.Context())
			if i == 0 {
				cancel()
			}
			wg.Go(func() {
				defer cancel()
				var err error
				if opened[i], err = s.open(ctx, shown[0].Pointer.Project, shown[0].Pointer.Manifest); err != nil {
					t.Error(err)
				}
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		close(source.gate)
		wg.Wait()
		for _, o := range opened {
			if o == nil || o != opened[0] {
				t.Error("not all got the one site")
			}
		}
		mustOpen(t, s, shown[0])
		if n := source.reads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

func TestSites_ALoadThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, shown := newStored(t, 1)
		source.gate = make(chan struct{})
		began := time.Now()
		if _, err := newSites(source, 1<<20, time.Now).open(t.Context(), shown[0].Pointer.Project, shown[0].Pointer.Manifest); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if d := time.Since(began); d != loadTimeout {
			t.Errorf("after %s", d)
		}
	})
}

func TestSites_DropsTheLeastRecentlyUsedAboveItsLimit(t *testing.T) {
	source, shown := newStored(t, 4)
	one := mustOpen(t, newSites(source, 1<<20, time.Now), shown[0]).size
	source.reads.Store(0)
	s := newSites(source, 3*one, time.Now)
	for _, i := range []int{0, 1, 2, 0, 3} { // 1 is the least recently used when 3 comes
		mustOpen(t, s, shown[i])
	}
	for _, c := range []struct {
		site  int
		reads int64
	}{{0, 4}, {2, 4}, {3, 4}, {1, 5}} {
		mustOpen(t, s, shown[c.site])
		if n := source.reads.Load(); n != c.reads {
			t.Errorf("site %d: %d reads, want %d", c.site, n, c.reads)
		}
	}
	if s.used > s.limit || s.recent.Len() != 3 || len(s.byKey) != 3 {
		t.Errorf("%d bytes of %d, %d and %d sites", s.used, s.limit, s.recent.Len(), len(s.byKey))
	}
}

func TestSites_CountsTheHeadersThatRequestsMake(t *testing.T) {
	source, shown := newStored(t, 2)
	one := mustOpen(t, newSites(source, 1<<20, time.Now), shown[0]).size
	s := newSites(source, 2*one+fileHeadersSize, time.Now)
	first, second := mustOpen(t, s, shown[0]), mustOpen(t, s, shown[1])
	f, _ := second.Find("site1/file0.html")
	g, _ := second.Find("site1/file1.html")
	if h := second.headers(f); second.headers(f) != h {
		t.Error("headers are made twice")
	}
	if s.recent.Len() != 2 || s.used != 2*one+fileHeadersSize {
		t.Errorf("after one file: %d sites, %d bytes", s.recent.Len(), s.used)
	}
	second.headers(g)
	if s.recent.Len() != 1 || s.used != one+2*fileHeadersSize {
		t.Errorf("after two files: %d sites, %d bytes", s.recent.Len(), s.used)
	}
	// A site that was dropped while a request used it does not count any more.
	f, _ = first.Find("site0/file0.html")
	first.headers(f)
	if s.used != one+2*fileHeadersSize {
		t.Errorf("%d bytes after a dropped site grew", s.used)
	}
}

func TestSites_KeepsOneSiteWhateverTheLimit(t *testing.T) {
	source, shown := newStored(t, 2)
	s := newSites(source, 1, time.Now)
	for _, i := range []int{0, 0, 1, 1} {
		mustOpen(t, s, shown[i])
	}
	if n := source.reads.Load(); n != 2 || s.recent.Len() != 1 {
		t.Errorf("%d reads, %d sites", n, s.recent.Len())
	}
}

func TestSites_AsksAFailingStoreOnceASecond(t *testing.T) {
	source, shown := newStored(t, 1)
	now := time.Unix(0, 0)
	s := newSites(source, 1<<20, func() time.Time { return now })
	down := errors.New("down")
	source.err.Store(&down)
	for range 10 {
		if _, err := s.open(t.Context(), shown[0].Pointer.Project, shown[0].Pointer.Manifest); !errors.Is(err, down) {
			t.Error(err)
		}
		now = now.Add(failureAge / 10) // asking again must not renew the failure
	}
	if n := source.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
	source.err.Store(nil)
	mustOpen(t, s, shown[0])
	if len(s.failed) != 0 {
		t.Error("the failure is kept")
	}
}

func TestSites_KeepsABoundedNumberOfFailures(t *testing.T) {
	source, _ := newStored(t, 0)
	s := newSites(source, 1<<20, time.Now)
	for i := range 2*maxFailures + 1 {
		d := hosting.DigestOf(fmt.Append(nil, i))
		if _, err := s.open(t.Context(), "prj_a", d); !errors.Is(err, manifest.ErrFormat) {
			t.Fatal(err)
		}
	}
	if len(s.failed) > maxFailures {
		t.Errorf("%d", len(s.failed))
	}
}

func TestSites_KeepsProjectsWithTheSameManifestApart(t *testing.T) {
	source, shown := newStored(t, 1)
	s := newSites(source, 1<<20, time.Now)
	other := *shown[0]
	other.Pointer.Project = "prj_b"
	if mustOpen(t, s, shown[0]) == mustOpen(t, s, &other) || source.reads.Load() != 2 {
		t.Error("two projects share what was opened")
	}
}
