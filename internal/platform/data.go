package platform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxSocketPath is the longest path that a unix socket may have, on Linux. Elsewhere it is a
// few bytes shorter.
const maxSocketPath = 107

// openData makes the data folder and finds out whether it can be written, before the first
// of many files in it fails with less to say.
func openData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unusable(dir, "cannot be made", err)
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return unusable(dir, "cannot be written", err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("try the data folder: %w", err)
	}
	return nil
}

// unusable says why, without the name of the file that was tried.
func unusable(dir, what string, err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err
	}
	return hosting.Errorf(hosting.CodeInvalid, "the data folder %s %s: %v", dir, what, err).
		WithHint("let the user that runs Fairway write there, or set FAIRWAY_DATA to another folder")
}

// checkSockets says whether the data folder's sockets can have their names: the kernel's own
// answer is "invalid argument".
func checkSockets(c Config) error {
	longest := filepath.Join(c.Data, "admin.sock")
	if len(longest) > maxSocketPath {
		return hosting.Errorf(hosting.CodeInvalid, "the data folder's path is too long: %s has %d bytes, and a socket's path at most %d",
			longest, len(longest), maxSocketPath).WithHint("set FAIRWAY_DATA to a folder with a shorter path")
	}
	return nil
}
