//go:build linux

package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// limitFiles lets no file grow beyond max bytes until the test ends. Writes then fail within
// a file as they do on a full disk.
func limitFiles(t *testing.T, max uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: max, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	})
}

func TestPut_SaysThatStorageIsFullAndLeavesNothing(t *testing.T) {
	s, d := openOn(t)
	put(t, s, "key")
	limitFiles(t, 100_000)
	body := strings.Repeat("x", 200_000)
	for _, key := range []string{"key", "new/key"} {
		err := s.Put(t.Context(), key, strings.NewReader(body), object.Check{Size: int64(len(body))})
		if !hosting.Is(err, hosting.CodeStorageFull) {
			t.Errorf("put %s: %v, want %s", key, err, hosting.CodeStorageFull)
		}
	}
	if info, err := s.Stat(t.Context(), "key"); err != nil || info.Size != 1 {
		t.Errorf("%+v, %v; want the old object", info, err)
	}
	if _, err := s.Stat(t.Context(), "new/key"); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("%v, want %s", err, hosting.CodeNotFound)
	}
	if left, err := os.ReadDir(filepath.Join(d.dir, tmpDir)); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestExplain_GivesTheCodesOfTheContract(t *testing.T) {
	for err, code := range map[error]hosting.Code{
		syscall.ENOENT:       hosting.CodeNotFound,
		syscall.ENOTDIR:      hosting.CodeNotFound,
		syscall.ENOSPC:       hosting.CodeStorageFull,
		syscall.EDQUOT:       hosting.CodeStorageFull,
		syscall.EFBIG:        hosting.CodeStorageFull,
		syscall.ENAMETOOLONG: hosting.CodeInvalid,
		syscall.EIO:          hosting.CodeInternal,
		syscall.EACCES:       hosting.CodeInternal,
	} {
		got := explain("put", "key", &os.PathError{Op: "write", Path: "/data/objects/key", Err: err})
		if hosting.CodeOf(got) != code || !errors.Is(got, err) {
			t.Errorf("%v: %v with code %s, want %s", err, got, hosting.CodeOf(got), code)
		}
	}
}
