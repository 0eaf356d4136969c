package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scale-mesh/fairway/internal/runner"
)

// folder is the folder of one job.
type folder string

func (r *Runner) folder(name string) folder { return folder(filepath.Join(r.config.Dir, name)) }

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// create makes the folder and those in it, and makes its name durable.
func (f folder) create() error {
	for _, dir := range []string{"", "work", "tmp", "home"} {
		if err := os.Mkdir(f.path(dir), 0o700); err != nil {
			return fmt.Errorf("make the job's folder: %w", err)
		}
	}
	if err := syncDir(filepath.Dir(string(f))); err != nil {
		return fmt.Errorf("make the job's folder: %w", err)
	}
	return nil
}

// exists reports whether there is a folder, with or without a ref.
func (f folder) exists() bool {
	_, err := os.Lstat(string(f))
	return err == nil
}

// identity reads who the job is. ok is false where no process ever had the token. A file
// that cannot be understood counts as none: whatever runs under the name is then ended
// before another is started.
func (f folder) identity() (id identity, ok bool, err error) {
	b, err := os.ReadFile(f.path("ref"))
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, false, nil
	}
	if err != nil {
		return identity{}, false, fmt.Errorf("read the job's ref: %w", err)
	}
	id, ok = parseRef(runner.Ref(strings.TrimSpace(string(b))))
	return id, ok && id.name == filepath.Base(string(f)), nil
}

// name makes it durable that the job is id.
func (f folder) name(id identity) error {
	if err := writeSynced(f.path("ref.new"), string(id.ref())+"\n"); err != nil {
		return fmt.Errorf("write the job's ref: %w", err)
	}
	if err := os.Rename(f.path("ref.new"), f.path("ref")); err != nil {
		return fmt.Errorf("write the job's ref: %w", err)
	}
	if err := syncDir(string(f)); err != nil {
		return fmt.Errorf("write the job's ref: %w", err)
	}
	return nil
}

// reason says how the job ended, where a runner saw it.
func (f folder) reason() string {
	b, err := os.ReadFile(f.path("exit"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// tail returns the end of what the job program itself printed.
func (f folder) tail() string {
	const enough = 4 << 10
	file, err := os.Open(f.path("output.log"))
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > enough {
		_, _ = file.Seek(-enough, io.SeekEnd)
	}
	b, _ := io.ReadAll(io.LimitReader(file, enough))
	return strings.ToValidUTF8(strings.TrimSpace(string(b)), "?")
}

// remove removes the folder. Package managers leave folders without write permission
// behind (Go's module cache), out of which only root can delete.
func (f folder) remove() error {
	err := os.RemoveAll(string(f))
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(string(f), func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			// Called before the folder is read; a link is no folder, so nothing outside
			// is touched.
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	if err := os.RemoveAll(string(f)); err != nil {
		return fmt.Errorf("remove the job's folder: %w", err)
	}
	return nil
}

func writeSynced(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
