package file

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// explain gives a full disk its code; nothing else that a file system answers is for people.
func explain(err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %w", hosting.Errorf(hosting.CodeStorageFull, "there is no space left for logs").
				WithHint("free some on the disk of the data folder"), err)
		}
	}
	return err
}
