package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll makes everything below root durable, by one call for its whole file system.
func syncAll(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return os.NewSyscallError("syncfs", err)
	}
	return nil
}
