package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// origin is a source that counts what it is asked, and can be told to fail or to wait.
type origin struct {
	mu    sync.Mutex // guards what is below
	bytes map[string][]byte
	err   error
	wait  func(context.Context) error

	asked, now, most atomic.Int64
}

func (o *origin) add(p hosting.ProjectID, b []byte) hosting.Digest {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes == nil {
		o.bytes = map[string][]byte{}
	}
	d := hosting.DigestOf(b)
	o.bytes[string(p)+d.String()] = b
	return d
}

func (o *origin) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

func (o *origin) Get(ctx context.Context, p hosting.ProjectID, d hosting.Digest) ([]byte, error) {
	o.asked.Add(1)
	n := o.now.Add(1)
	defer o.now.Add(-1)
	for m := o.most.Load(); n > m && !o.most.CompareAndSwap(m, n); m = o.most.Load() {
	}
	if o.wait != nil {
		if err := o.wait(ctx); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return nil, o.err
	}
	b, ok := o.bytes[string(p)+d.String()]
	if !ok {
		return nil, hosting.Errorf(hosting.CodeNotFound, "no such blob")
	}
	return b, nil
}

func (o *origin) GetManifest(ctx context.Context, p hosting.ProjectID, d hosting.Digest) ([]byte, error) {
	return o.Get(ctx, p, d)
}

func openCache(t *testing.T, c blob.CacheConfig) *blob.Cache {
	t.Helper()
	k, err := blob.OpenCache(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// finds asks for a blob that must be there, in that layer.
func finds(t *testing.T, k *blob.Cache, d hosting.Digest, want []byte, from blob.Layer) {
	t.Helper()
	b, layer, err := k.Find(t.Context(), project, d)
	if err != nil || !bytes.Equal(b, want) || layer != from {
		t.Errorf("%d bytes from %q, %v; want %d from %q", len(b), layer, err, len(want), from)
	}
}

func sized(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n] }

func TestCache_AnswersFromTheNearestLayer(t *testing.T) {
	o, dir := &origin{}, t.TempDir()
	small, large, manifest := sized(1000), sized(hosting.MaxBlob), sized(5000)
	ds, dl, dm := o.add(project, small), o.add(project, large), o.add(project, manifest)
	k := openCache(t, blob.CacheConfig{Source: o, Dir: dir})
	finds(t, k, ds, small, blob.LayerStore)
	finds(t, k, ds, small, blob.LayerMemory)
	finds(t, k, dl, large, blob.LayerStore)
	finds(t, k, dl, large, blob.LayerDisk) // too large for memory
	if b, err := k.GetManifest(t.Context(), project, dm); err != nil || !bytes.Equal(b, manifest) {
		t.Errorf("manifest: %d bytes, %v", len(b), err)
	}
	if n := o.asked.Load(); n != 3 {
		t.Errorf("the source was asked %d times for 3 things", n)
	}
	if got, want := k.Counts(), (blob.CacheCounts{Hits: 2, Misses: 3, Fetched: 1000 + hosting.MaxBlob + 5000}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if held := k.Held(); held < 2*1000+hosting.MaxBlob+5000 {
		t.Errorf("%d bytes are held", held)
	}

	// What is on disk outlives the process, and the source.
	o.fail(errors.New("the store is dead"))
	k = openCache(t, blob.CacheConfig{Source: o, Dir: dir})
	finds(t, k, ds, small, blob.LayerDisk)
	finds(t, k, ds, small, blob.LayerMemory)
	finds(t, k, dl, large, blob.LayerDisk)
	if b, err := k.GetManifest(t.Context(), project, dm); err != nil || !bytes.Equal(b, manifest) {
		t.Errorf("manifest with the store dead: %d bytes, %v", len(b), err)
	}
}

func TestCache_KeepsProjectsApart(t *testing.T) {
	o := &origin{}
	d := o.add(project, []byte("theirs"))
	k := openCache(t, blob.CacheConfig{Source: o, Dir: t.TempDir()})
	finds(t, k, d, []byte("theirs"), blob.LayerStore)
	if b, _, err := k.Find(t.Context(), other, d); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("another project gets %q, %v", b, err)
	}
}

func TestCache_ManyAtOnceAreOneRead(t *testing.T) {
	o := &origin{}
	const crowd = 1000
	d := o.add(project, sized(hosting.MaxBlob))
	var asking sync.WaitGroup
	asking.Add(crowd)
	o.wait = func(context.Context) error { asking.Wait(); return nil }
	k := openCache(t, blob.CacheConfig{Source: o, Dir: t.TempDir()})
	var all sync.WaitGroup
	for range crowd {
		all.Go(func() {
			asking.Done()
			if b, _, err := k.Find(t.Context(), project, d); err != nil || len(b) != hosting.MaxBlob {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	all.Wait()
	if n := o.asked.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

func TestCache_RemembersWhatIsAbsentButNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{}
		k := openCache(t, blob.CacheConfig{Source: o, MemoryBytes: -1})
		absent := hosting.DigestOf([]byte("absent"))
		for range 10 {
			if _, _, err := k.Find(t.Context(), project, absent); !hosting.Is(err, hosting.CodeNotFound) {
				t.Errorf("%v", err)
			}
		}
		if n := o.asked.Load(); n != 1 {
			t.Errorf("asked %d times for what is not there", n)
		}
		d := o.add(project, []byte("absent")) // it comes after all
		<-time.After(3 * time.Second)
		finds(t, k, d, []byte("absent"), blob.LayerStore)

		o.fail(errors.New("down"))
		for range 3 {
			if _, _, err := k.Find(t.Context(), project, d); err == nil {
				t.Error("a dead store answers")
			}
		}
		o.fail(nil)
		finds(t, k, d, []byte("absent"), blob.LayerStore)
	})
}

func TestCache_ASlowSourceIsAnErrorSoonAndAHitLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{}
		o.wait = func(ctx context.Context) error {
			select {
			case <-time.After(5 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		b := sized(100)
		d := o.add(project, b)
		// Memory alone, whose library does not run within the bubble's rules when it waits.
		k := openCache(t, blob.CacheConfig{Source: o, Dir: ""})
		began := time.Now()
		_, _, err := k.Find(t.Context(), project, d)
		if took := time.Since(began); !hosting.Is(err, hosting.CodeUnavailable) || took >= 3*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		// A visitor who leaves does not end it for the next.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := k.Find(ctx, project, d); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who left is told %v", err)
		}
		finds(t, k, d, b, blob.LayerStore)
		if n := o.asked.Load(); n != 1 {
			t.Errorf("the source was asked %d times", n)
		}
		// One that never answers is given up.
		o.wait = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		hung := o.add(project, sized(200))
		for range 4 {
			if _, _, err := k.Find(t.Context(), project, hung); !hosting.Is(err, hosting.CodeUnavailable) {
				t.Errorf("a hung source: %v", err)
			}
		}
		<-time.After(10 * time.Second)
		if n := o.now.Load(); n != 0 {
			t.Errorf("%d reads hang for ever", n)
		}
	})
}

func TestCache_BoundsItsReadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{wait: func(context.Context) error { <-time.After(100 * time.Millisecond); return nil }} // of the bubble
		k := openCache(t, blob.CacheConfig{Source: o, MemoryBytes: -1})
		var all sync.WaitGroup
		for i := range 500 {
			d := o.add(project, fmt.Append(nil, i))
			all.Go(func() { finds(t, k, d, fmt.Append(nil, i), blob.LayerStore) })
		}
		all.Wait()
		if n := o.most.Load(); n != 64 {
			t.Errorf("%d reads at once", n)
		}
	})
}

// files lists what a cache has on disk.
func files(t *testing.T, dir string) (paths []string, bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		paths, bytes = append(paths, path), bytes+info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths, bytes
}

func TestCache_NeverReturnsWhatTheDiskMadeOfIt(t *testing.T) {
	damages := map[string]func(b []byte) []byte{
		"a flipped bit": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"the first bit": func(b []byte) []byte { b[0] ^= 1; return b },
		"cut":           func(b []byte) []byte { return b[:len(b)/2] },
		"empty":         func([]byte) []byte { return nil },
		"longer":        func(b []byte) []byte { return append(b, 0) },
		"another's":     func([]byte) []byte { return []byte("a whole other file") },
	}
	for name, damage := range damages {
		o, dir := &origin{}, t.TempDir()
		b := sized(3000)
		d := o.add(project, b)
		made := 0
		derive := func(k *blob.Cache) ([]byte, blob.Layer, error) {
			return k.Derive(t.Context(), project, d, "upper1", func(context.Context) ([]byte, error) {
				made++
				return bytes.ToUpper(b), nil
			})
		}
		open := func() *blob.Cache { return openCache(t, blob.CacheConfig{Source: o, Dir: dir, MemoryBytes: -1}) }
		k := open()
		finds(t, k, d, b, blob.LayerStore)
		if _, _, err := derive(k); err != nil {
			t.Fatal(err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		paths, _ := files(t, dir)
		if len(paths) != 2 {
			t.Fatalf("%s: on disk are %v", name, paths)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k = open()
		finds(t, k, d, b, blob.LayerStore) // again from where it is right
		finds(t, k, d, b, blob.LayerDisk)
		got, layer, err := derive(k)
		if err != nil || !bytes.Equal(got, bytes.ToUpper(b)) || layer != blob.LayerMade || made != 2 {
			t.Errorf("%s: derived %d bytes from %q, %v, made %d times", name, len(got), layer, err, made)
		}
		if _, layer, err = derive(k); err != nil || layer != blob.LayerDisk {
			t.Errorf("%s: derived again from %q, %v", name, layer, err)
		}
	}
}

func TestCache_TakesNoMoreThanItMay(t *testing.T) {
	o, dir := &origin{}, t.TempDir()
	const budget = 200 << 10
	k := openCache(t, blob.CacheConfig{Source: o, Dir: dir, DiskBytes: budget, MemoryBytes: -1})
	for i := range 100 {
		b := append(sized(10_000), byte(i))
		finds(t, k, o.add(project, b), b, blob.LayerStore)
	}
	if err := k.Close(); err != nil { // it waits for what goes
		t.Fatal(err)
	}
	paths, size := files(t, dir)
	if size > budget || len(paths) < 5 {
		t.Errorf("%d files of %d bytes on disk, the budget is %d", len(paths), size, budget)
	}
	// A smaller budget at the next start makes it give up what was used least lately.
	k = openCache(t, blob.CacheConfig{Source: o, Dir: dir, DiskBytes: budget / 4, MemoryBytes: -1})
	k.WaitScanned()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, size := files(t, dir); size > budget/4 {
		t.Errorf("%d bytes on disk after a start with a budget of %d", size, budget/4)
	}
}

func TestOpenCache_RemovesWhatWasHalfWritten(t *testing.T) {
	dir := t.TempDir()
	k := openCache(t, blob.CacheConfig{Source: &origin{}, Dir: dir})
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, "blobs", "ab", "tmp-1234")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(half, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	k = openCache(t, blob.CacheConfig{Source: &origin{}, Dir: dir})
	k.WaitScanned()
	if paths, _ := files(t, dir); len(paths) != 0 {
		t.Errorf("left are %v", paths)
	}
}

func TestCache_GoesOnWhereTheDiskCannotBeWritten(t *testing.T) {
	o, dir := &origin{}, t.TempDir()
	k := openCache(t, blob.CacheConfig{Source: o, Dir: dir, MemoryBytes: -1})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	b := sized(100)
	d := o.add(project, b)
	for range 3 {
		finds(t, k, d, b, blob.LayerStore)
	}
}

func TestCache_OfALocalStoreKeepsOnlyWhatIsDerived(t *testing.T) {
	o, dir := &origin{}, t.TempDir()
	b := sized(100)
	d := o.add(project, b)
	k := openCache(t, blob.CacheConfig{Source: o, Dir: dir, Local: true, MemoryBytes: -1})
	for range 2 {
		finds(t, k, d, b, blob.LayerStore)
	}
	if _, err := k.GetManifest(t.Context(), project, d); err != nil {
		t.Error(err)
	}
	if _, _, err := k.Derive(t.Context(), project, d, "copy1", func(context.Context) ([]byte, error) { return b, nil }); err != nil {
		t.Error(err)
	}
	if paths, _ := files(t, dir); len(paths) != 1 || !strings.HasSuffix(paths[0], ".copy1") {
		t.Errorf("on disk are %v", paths)
	}
}

func TestCache_AfterCloseNothingIsReadAnew(t *testing.T) {
	o := &origin{}
	d := o.add(project, []byte("x"))
	k := openCache(t, blob.CacheConfig{Source: o})
	for range 2 {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := k.Find(t.Context(), project, d); !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("%v", err)
	}
}

func BenchmarkCache_Hit(b *testing.B) {
	o := &origin{}
	d := o.add(project, sized(1000))
	k, err := blob.OpenCache(blob.CacheConfig{Source: o})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := k.Find(b.Context(), project, d); err != nil {
			b.Fatal(err)
		}
	}
}
