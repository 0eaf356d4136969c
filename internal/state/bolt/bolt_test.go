package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/statetest"
)

func TestStore_KeepsTheContract(t *testing.T) {
	statetest.Run(t, func(t *testing.T, dir string) state.Store {
		s, err := Open(filepath.Join(dir, "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestOpen_LeavesOneFileThatOnlyItsOwnerReads(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, openStore(t, filepath.Join(dir, "state.db")))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "state.db" {
		t.Fatalf("the folder holds %v (%v), want state.db alone", files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestOpen_SaysWhoHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fairway-data", "state.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	first := openStore(t, path)
	_, err := Open(path)
	if !hosting.Is(err, hosting.CodeConflict) {
		t.Fatalf("a second Open: %v, want a %s", err, hosting.CodeConflict)
	}
	for _, part := range []string{"another Fairway has fairway-data open", "caddy reload", "FAIRWAY_DATA"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), filepath.Dir(filepath.Dir(path))) {
		t.Errorf("%q tells a path of the machine", err)
	}
	closeStore(t, first)
	closeStore(t, openStore(t, path))
}

// All of them pass by the same absent file; one makes it, and nobody's replaces another's.
func TestOpen_AtOnceMakesOneFile(t *testing.T) {
	const n = 4
	path := filepath.Join(t.TempDir(), "state.db")
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := makeFirst(path); err != nil {
				t.Error(err)
				return
			}
			s, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Update(t.Context(), func(tx state.Tx) error { return tx.Put([]byte{byte('a' + i)}, nil) }); err != nil {
				t.Error(err)
			}
			closeStore(t, s)
		})
	}
	all.Wait()
	s := openStore(t, path)
	defer closeStore(t, s)
	err := s.View(t.Context(), func(tx state.Tx) error {
		pairs, err := tx.Scan(nil, nil, 10)
		if len(pairs) != n {
			t.Errorf("%d of %d writers are there", len(pairs), n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOpen_RefusesWhatIsNoState(t *testing.T) {
	good := filepath.Join(t.TempDir(), "state.db")
	closeStore(t, openStore(t, good))
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"an empty file":   {},
		"some other file": bytes.Repeat([]byte("not a database. "), 4096),
		"a file cut off":  whole[:5000],
		"zeroes":          make([]byte, len(whole)),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(path); err == nil {
				closeStore(t, s)
				t.Fatal("it was opened")
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestOpen_FailsWithoutItsFolder(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "absent", "state.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestUpdate_SaysThatTheDiskIsFullAndGoesOn(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "state.db"))
	defer closeStore(t, s)
	s.db.MaxSize = 1 << 20 // bbolt refuses to grow, as a disk would
	fill := func(tx state.Tx) error { return tx.Put([]byte("large"), make([]byte, 4<<20)) }
	if err := s.Update(t.Context(), fill); !hosting.Is(err, hosting.CodeStorageFull) {
		t.Fatalf("got %v, want %s", err, hosting.CodeStorageFull)
	}
	small := func(tx state.Tx) error { return tx.Put([]byte("small"), []byte("1")) }
	if err := s.Update(t.Context(), small); err != nil {
		t.Errorf("a small write after it: %v", err)
	}
	s.db.MaxSize = 0
	if err := s.Update(t.Context(), fill); err != nil {
		t.Errorf("once there is space: %v", err)
	}
}

func TestExplain_GivesCodesAndKeepsTheCause(t *testing.T) {
	own := errors.New("own")
	for _, c := range []struct {
		err  error
		want hosting.Code
	}{
		{&os.PathError{Op: "write", Path: "state.db", Err: syscall.ENOSPC}, hosting.CodeStorageFull},
		{fmt.Errorf("commit: %w", syscall.EDQUOT), hosting.CodeStorageFull},
		{syscall.EIO, hosting.CodeInternal},
		{own, hosting.CodeInternal},
		{hosting.Errorf(hosting.CodeNotFound, "absent"), hosting.CodeNotFound},
		{context.Canceled, hosting.CodeInternal},
		{nil, ""},
	} {
		got := explain(c.err)
		if hosting.CodeOf(got) != c.want || !errors.Is(got, c.err) {
			t.Errorf("%v became %v, want code %q over it", c.err, got, c.want)
		}
	}
}

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
