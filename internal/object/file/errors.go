package file

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// explain wraps what the file system answered and gives it the code of object.Store.
func explain(action, key string, err error) error {
	if err == nil {
		return nil
	}
	if code := codeOf(err); code != nil {
		return fmt.Errorf("%s object %s: %w: %w", action, key, code, err)
	}
	return fmt.Errorf("%s object %s: %w", action, key, err)
}

// codeOf returns nil where err has a code already, or none is due.
func codeOf(err error) error {
	if _, ok := errors.AsType[*hosting.Error](err); ok {
		return nil
	}
	is := func(errs ...error) bool {
		for _, e := range errs {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	switch {
	case is(fs.ErrNotExist, syscall.ENOTDIR):
		return hosting.Errorf(hosting.CodeNotFound, "there is no such object")
	case is(syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG):
		return hosting.Errorf(hosting.CodeStorageFull, "there is no space left for objects").
			WithHint("free some on the disk of the data folder")
	case is(syscall.ENAMETOOLONG):
		return hosting.Errorf(hosting.CodeInvalid, "the object key has a segment that is too long for a file's name")
	}
	return nil
}
