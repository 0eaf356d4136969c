package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// disk stands between a Store and fsync: it notes what is synced, by its path below the
// folder, and fails or holds up what a test says.
type disk struct {
	dir string

	mu     sync.Mutex
	synced []string
	broken map[string]bool
	hold   chan struct{} // where not nil, syncs wait until it is closed
}

func (d *disk) sync(f *os.File) error {
	name, err := filepath.Rel(d.dir, f.Name())
	if err != nil {
		return err
	}
	d.mu.Lock()
	broken, hold := d.broken[name], d.hold
	d.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if broken {
		return syscall.EIO
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.synced = append(d.synced, name)
	return f.Sync()
}

// took returns what was synced since the last call, sorted.
func (d *disk) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := d.synced
	d.synced = nil
	slices.Sort(names)
	return names
}

func (d *disk) breaks(names ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = map[string]bool{}
	for _, name := range names {
		d.broken[name] = true
	}
}

func openOn(t *testing.T) (*Store, *disk) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := &disk{dir: dir}
	s.sync = d.sync
	return s, d
}

func put(t *testing.T, s *Store, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := s.Put(t.Context(), key, strings.NewReader("x"), object.Check{Size: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantSynced(t *testing.T, d *disk, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := d.took(); !slices.Equal(got, want) {
		t.Errorf("synced %q, want %q", got, want)
	}
}

func TestFlush_SyncsWhatWasPutAndEveryFolderAbove(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "a/b/one", "a/two", "three")
	wantSynced(t, d) // a Put alone costs no sync
	flush(t, s)
	wantSynced(t, d, "a/b/one", "a/two", "three", "a/b", "a", ".")
	flush(t, s)
	wantSynced(t, d)

	put(t, s, "a/b/four")
	flush(t, s)
	wantSynced(t, d, "a/b/four", "a/b", "a", ".")
}

func TestFlush_LeavesOutWhatWasDeleted(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "a/b/one", "two")
	if err := s.Delete(t.Context(), "a/b/one"); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	wantSynced(t, d, "two", ".")
}

func TestPut_SyncsWhatReplacesAnObjectBeforeItIsSeen(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "key")
	flush(t, s)
	d.took()
	put(t, s, "key")
	got := d.took()
	if len(got) != 1 || !strings.HasPrefix(got[0], tmpDir+"/") {
		t.Errorf("synced %q, want the temporary file alone", got)
	}
	flush(t, s)
	wantSynced(t, d, ".")
}

func TestPut_KeepsTheOldObjectWhenTheNewCannotBeSynced(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "key")
	s.sync = func(*os.File) error { return syscall.ENOSPC }
	err := s.Put(t.Context(), "key", strings.NewReader("new"), object.Check{Size: 3})
	if !hosting.Is(err, hosting.CodeStorageFull) {
		t.Errorf("%v, want %s", err, hosting.CodeStorageFull)
	}
	s.sync = d.sync
	if info, err := s.Stat(t.Context(), "key"); err != nil || info.Size != 1 {
		t.Errorf("%+v, %v; want the old object", info, err)
	}
}

func TestFlush_SyncsAFolderAgainThatFailed(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "a/one")
	d.breaks("a")
	if err := s.Flush(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("%v, want %v", err, syscall.EIO)
	}
	wantSynced(t, d, "a/one", ".")
	d.breaks()
	flush(t, s)
	wantSynced(t, d, "a")
}

func TestFlush_RefusesUntilALostObjectIsPutAgain(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "a/good", "a/bad")
	d.breaks("a/bad")
	if err := s.Flush(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("%v, want %v", err, syscall.EIO)
	}
	// The kernel says yes to the next sync of the same file, but the bytes may be gone.
	d.breaks()
	if _, err := s.Stat(t.Context(), "a/bad"); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("the lost object: %v, want %s", err, hosting.CodeNotFound)
	}
	if err := s.Flush(t.Context()); !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("flush: %v, want %s", err, hosting.CodeUnavailable)
	}
	d.took()
	put(t, s, "a/bad")
	flush(t, s)
	wantSynced(t, d, "a/bad", "a", ".")
}

func TestFlush_WorksAgainWhenALostObjectIsDeleted(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "bad")
	d.breaks("bad")
	if err := s.Flush(t.Context()); err == nil {
		t.Fatal("a broken disk was flushed")
	}
	if err := s.Delete(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
}

func TestFlush_CoversWhatWasPutWhileAnotherRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := openOn(t)
		d.hold = make(chan struct{})
		put(t, s, "first")
		var flushes sync.WaitGroup
		flushes.Go(func() { flush(t, s) })
		synctest.Wait() // the first Flush holds at its sync

		put(t, s, "second")
		for range 5 {
			flushes.Go(func() {
				flush(t, s)
				if !slices.Contains(d.seen(), "second") {
					t.Error("Flush returned before the object was synced")
				}
			})
		}
		synctest.Wait()
		close(d.hold)
		flushes.Wait()
		// The folder twice, since it gained an entry in between; five calls share one round.
		wantSynced(t, d, "first", ".", "second", ".")
	})
}

func (d *disk) seen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.synced)
}

func TestFlush_StopsWaitingWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := openOn(t)
		d.hold = make(chan struct{})
		put(t, s, "first")
		var flushes sync.WaitGroup
		for range 2 { // one at its sync, one to lead the next round
			flushes.Go(func() { flush(t, s) })
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		flushes.Go(func() {
			if err := s.Flush(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(d.hold)
		flushes.Wait()
	})
}
