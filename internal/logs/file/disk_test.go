package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const id = hosting.DeploymentID("dpl_aaaa")

func openIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func batch(first, last int64, text string) []hosting.LogLine {
	var lines []hosting.LogLine
	for n := first; n <= last; n++ {
		lines = append(lines, hosting.LogLine{N: n, Stream: "out", Text: text})
	}
	return lines
}

func mustAppend(t *testing.T, s *Store, id hosting.DeploymentID, lines []hosting.LogLine) {
	t.Helper()
	want := lines[len(lines)-1].N + 1
	if next, err := s.Append(t.Context(), id, lines[0].N, lines); err != nil || next != want {
		t.Fatalf("append: next %d, %v; want %d", next, err, want)
	}
}

func wantLines(t *testing.T, s *Store, want []hosting.LogLine) {
	t.Helper()
	got, err := s.Read(t.Context(), id, 0, 1000)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d lines, %v; want %d", len(got), err, len(want))
	}
}

// limitFiles lets no file grow beyond max bytes until the test ends, so that a write stores
// a part and then fails, as on a full disk.
func limitFiles(t *testing.T, max uint64) (lift func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: max, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	lift = sync.OnceFunc(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(lift)
	return lift
}

func TestAppend_OnAFullDiskTakesThePartBack(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	mustAppend(t, s, id, batch(1, 3, "x"))
	before, err := os.ReadFile(filepath.Join(dir, string(id)+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	lift := limitFiles(t, 50_000)
	long := batch(4, 100, strings.Repeat("y", 1000))
	for range 2 {
		if _, err := s.Append(t.Context(), id, 4, long); !hosting.Is(err, hosting.CodeStorageFull) {
			t.Errorf("%v, want %s", err, hosting.CodeStorageFull)
		}
		after, err := os.ReadFile(filepath.Join(dir, string(id)+".ndjson"))
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("the file has %d bytes, %v; want %d as before", len(after), err, len(before))
		}
		wantLines(t, s, batch(1, 3, "x"))
	}
	const other = hosting.DeploymentID("dpl_aaab")
	if _, err := s.Append(t.Context(), other, 1, batch(1, 100, strings.Repeat("y", 1000))); !hosting.Is(err, hosting.CodeStorageFull) {
		t.Errorf("a first batch: %v, want %s", err, hosting.CodeStorageFull)
	}
	lift()
	mustAppend(t, s, id, long)
	mustAppend(t, s, other, batch(1, 2, "x"))
	wantLines(t, s, append(batch(1, 3, "x"), long...))
}

func TestAppend_AcknowledgesNothingThatWasNotSynced(t *testing.T) {
	for _, stored := range []int64{0, 3} {
		t.Run(fmt.Sprint(stored, " lines before"), func(t *testing.T) {
			dir := t.TempDir()
			s := openIn(t, dir)
			if stored > 0 {
				mustAppend(t, s, id, batch(1, stored, "old"))
			}
			s.sync = func(*os.File) error { return syscall.EIO }
			if next, err := s.Append(t.Context(), id, stored+1, batch(stored+1, stored+5, "lost")); !errors.Is(err, syscall.EIO) {
				t.Fatalf("next %d, %v; want %v", next, err, syscall.EIO)
			}
			s.sync = (*os.File).Sync
			wantLines(t, s, batch(1, stored, "old"))
			mustAppend(t, s, id, batch(stored+1, stored+5, "new"))
			want := append(batch(1, stored, "old"), batch(stored+1, stored+5, "new")...)
			wantLines(t, s, want)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantLines(t, openIn(t, dir), want)
		})
	}
}

func TestAppend_SyncsTheFolderOfANewLogUntilItSucceeds(t *testing.T) {
	s := openIn(t, t.TempDir())
	var failing bool
	folders := 0
	s.sync = func(f *os.File) error {
		if st, err := f.Stat(); err != nil || !st.IsDir() {
			return err
		}
		folders++
		if failing {
			return syscall.EIO
		}
		return nil
	}
	failing = true
	for range 2 { // the second finds the lines there, but they have no durable name
		if _, err := s.Append(t.Context(), id, 1, batch(1, 3, "x")); !errors.Is(err, syscall.EIO) {
			t.Errorf("%v, want %v", err, syscall.EIO)
		}
	}
	failing = false
	for n := range int64(3) {
		mustAppend(t, s, id, batch(n*3+1, n*3+3, "x"))
	}
	if folders != 3 {
		t.Errorf("the folder was synced %d times, want 3", folders)
	}
}

func TestOpen_SyncsTheLinesItFinds(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	mustAppend(t, s, id, batch(1, 3, "x"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir)
	s.sync = func(*os.File) error { return syscall.EIO }
	// They may be what a killed process wrote and never synced: nobody may build on them.
	if next, err := s.Next(t.Context(), id); !errors.Is(err, syscall.EIO) {
		t.Errorf("next %d, %v; want %v", next, err, syscall.EIO)
	}
	s.sync = (*os.File).Sync
	wantLines(t, s, batch(1, 3, "x"))
}

func TestRead_DoesNotWaitForAnAppendToSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openIn(t, t.TempDir())
		mustAppend(t, s, id, batch(1, 100, "x"))
		hold := make(chan struct{})
		s.sync = func(f *os.File) error { <-hold; return f.Sync() }
		var appending sync.WaitGroup
		appending.Go(func() { mustAppend(t, s, id, batch(101, 200, "x")) })
		synctest.Wait() // the lines are written and not synced
		wantLines(t, s, batch(1, 100, "x"))
		close(hold)
		appending.Wait()
		wantLines(t, s, batch(1, 200, "x"))
	})
}

func TestStore_KeepsAtMost64FilesOpen(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 40 {
				id := hosting.DeploymentID(fmt.Sprintf("dpl_%c%c", 'a'+w, "abcdefghijklmnopqrstuvwxyz234567"[i%32]))
				for n := range int64(2) {
					mustAppendQuietly(t, s, id, n)
				}
				if n := s.known(); n > maxOpen { // the kernel's list can only be trusted at rest
					t.Errorf("%d logs are held at once", n)
				}
			}
		})
	}
	workers.Wait()
	if n := openFiles(t, dir); n == 0 || n > maxOpen {
		t.Errorf("%d logs are open at rest, want 1 to %d", n, maxOpen)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(t, dir); n != 0 {
		t.Errorf("%d logs are open after Close", n)
	}
}

func (s *Store) known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.logs)
}

// mustAppendQuietly may be called by any goroutine, and repeats lines on a second round.
func mustAppendQuietly(t *testing.T, s *Store, id hosting.DeploymentID, n int64) {
	if next, err := s.Append(t.Context(), id, n+1, batch(n+1, n+1, "x")); err != nil || next < n+2 {
		t.Errorf("append to %s: next %d, %v", id, next, err)
	}
}

// openFiles counts the logs in dir that this process has open, as the kernel sees it.
func openFiles(t *testing.T, dir string) (count int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Errorf("no list of open files: %v", err)
		return 0
	}
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && strings.HasPrefix(target, dir) && strings.HasSuffix(target, ".ndjson") {
			count++
		}
	}
	return count
}

func TestClose_RefusesLaterCalls(t *testing.T) {
	s := openIn(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), id, 1, batch(1, 1, "x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v, want %v", err, os.ErrClosed)
	}
}

func FuzzScan(f *testing.F) {
	good, _ := encode(batch(1, 3, "text"))
	f.Add(good)
	f.Add(good[:len(good)-5])
	f.Add([]byte("{\"n\":1\n"))
	f.Add(append(slices.Clone(good), 0, 0, '\n'))
	f.Add([]byte(`{"n":1,` + strings.Repeat("x", 70_000) + "}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := scan(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		kept := b[:c.size]
		if lines := int64(bytes.Count(kept, []byte("\n"))); lines != c.next-1 {
			t.Fatalf("%d lines are kept, the next is %d", lines, c.next)
		}
		if len(kept) > 0 && kept[len(kept)-1] != '\n' {
			t.Fatal("a torn line is kept")
		}
		again, err := scan(bytes.NewReader(kept))
		if err != nil || again.size != c.size || again.next != c.next || !slices.Equal(again.offsets, c.offsets) {
			t.Fatalf("read again: %+v, %v; want %+v", again, err, c)
		}
		for i, off := range c.offsets {
			if !whole(bytes.SplitAfterN(kept[off:], []byte("\n"), 2)[0], int64(i*stride+1)) {
				t.Fatalf("offset %d is not that of the line %d", off, i*stride+1)
			}
		}
	})
}
