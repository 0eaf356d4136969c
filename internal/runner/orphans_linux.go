package runner

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// AdoptOrphans makes what the calling process' descendants leave behind its own children,
// instead of init's: so a job's processes stay its descendants whatever they do, and Stop
// finds them. Those that end stay as zombies until the job ends.
func AdoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	return nil
}
