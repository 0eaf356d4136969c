package blob

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// disk keeps files below one folder, bounded by the bytes that they take there. The files are
// the truth: the index only says what goes first, and is found anew at each start. A file is
// written whole under another name and renamed, but not synced: what a power cut leaves of it
// is found when it is read, as any damage is.
type disk struct {
	dir   string
	index *otter.Cache[string, int64] // name -> bytes on disk
	log   *slog.Logger
	// damaged counts the files that were not what they were written as; failing is true
	// since the last write failed, which is told once.
	damaged atomic.Int64
	failing atomic.Bool
}

const (
	// block is what a file takes at least, and a multiple of which it takes.
	block = 4096
	// touchEvery is how often the use of a file is noted in its time of change, by which the
	// next start knows what was used last.
	touchEvery = time.Hour
	tempPrefix = "tmp-"
	// tempAge is how old a file is that nobody writes to any more: longer than a write takes,
	// and than the clock of a file system lags behind.
	tempAge = time.Minute
)

func openDisk(dir string, bytes int64, log *slog.Logger, goes func(func())) (*disk, error) {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("%02x", i)), 0o700); err != nil {
			return nil, err
		}
	}
	d := &disk{dir: dir, log: log}
	d.index = otter.Must(&otter.Options[string, int64]{
		MaximumWeight: uint64(max(bytes, block)),
		Weigher:       func(_ string, size int64) uint32 { return uint32((size + 2*block - 1) &^ (block - 1)) },
		Executor:      goes,
		OnDeletion: func(e otter.DeletionEvent[string, int64]) {
			if e.WasEvicted() {
				_ = os.Remove(d.path(e.Key)) // what is left is found at the next start
			}
		},
	})
	return d, nil
}

// path is in the folder of the digest's first byte, so that no folder has too many files.
func (d *disk) path(name string) string { return filepath.Join(d.dir, name[:2], name) }

// read returns a file that is what it was written as: the content that its name tells, or,
// sealed, what the sum at its beginning tells. A damaged one is removed.
func (d *disk) read(k key, sealed bool) ([]byte, bool) {
	name := k.String()
	b, modified, err := readWhole(d.path(name))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.drop(name, err)
		}
		return nil, false
	}
	size := int64(len(b))
	want := k.digest
	if sealed {
		if len(b) < len(want) {
			d.drop(name, io.ErrUnexpectedEOF)
			return nil, false
		}
		want, b = hosting.Digest(b[:len(want)]), b[len(want):]
	}
	if hosting.Digest(sha256.Sum256(b)) != want {
		d.drop(name, errors.New("its content is not what was written"))
		return nil, false
	}
	d.used(name, size, modified)
	return b, true
}

// has reports whether there is a file, damaged or not.
func (d *disk) has(k key) bool {
	_, err := os.Stat(d.path(k.String()))
	return err == nil
}

// readWhole reads a file of at most the size that anything here can have.
func readWhole(path string) (b []byte, modified time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > hosting.MaxManifest {
		return nil, time.Time{}, errors.New("it is no file, or too large to be one of the cache")
	}
	b = make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, info.ModTime(), err
}

// drop removes a file that cannot be used.
func (d *disk) drop(name string, why error) {
	d.damaged.Add(1)
	d.log.Warn("a file of the cache is damaged and will be fetched again", "file", name, "error", why)
	d.index.Invalidate(name)
	_ = os.Remove(d.path(name)) // it would be found damaged again
}

// used tells the index, and now and then the disk, that a file was of use.
func (d *disk) used(name string, size int64, modified time.Time) {
	if _, ok := d.index.GetIfPresent(name); !ok {
		d.index.SetIfAbsent(name, size) // the scan has not come to it yet
	}
	if now := time.Now(); now.Sub(modified) > touchEvery {
		_ = os.Chtimes(d.path(name), now, now) // only the order at the next start rests on it
	}
}

// write keeps a file. That it cannot is told, once until it can again, and is no fault of the
// request.
func (d *disk) write(k key, sealed bool, b []byte) {
	name := k.String()
	var head []byte
	if sealed {
		sum := sha256.Sum256(b)
		head = sum[:]
	}
	if err := d.replace(name, head, b); err != nil {
		if d.failing.CompareAndSwap(false, true) {
			d.log.Warn("the cache cannot be written, and keeps what it has", "error", err)
		}
		return
	}
	d.failing.Store(false)
	d.index.Set(name, int64(len(head)+len(b)))
}

func (d *disk) replace(name string, head, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Join(d.dir, name[:2]), tempPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // or the next start does
		}
	}()
	_, err = f.Write(head)
	if err == nil {
		_, err = f.Write(b)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.path(name))
}

// found is a file that an earlier process left.
type found struct {
	name     string
	size     int64
	modified time.Time
}

// scan enters what an earlier process left into the index, the oldest first, so that it goes
// first where there is too much, and removes what was half written.
func (d *disk) scan(ctx context.Context) {
	old := time.Now().Add(-tempAge)
	var all []found
	for i := range 256 {
		if ctx.Err() != nil {
			return
		}
		all = d.scanFolder(all, filepath.Join(d.dir, fmt.Sprintf("%02x", i)), old)
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Or(a.modified.Compare(b.modified), cmp.Compare(a.name, b.name)) })
	for _, f := range all {
		d.index.SetIfAbsent(f.name, f.size)
	}
	d.index.CleanUp() // nothing might be read or written for long
}

func (d *disk) scanFolder(all []found, dir string, old time.Time) []found {
	entries, err := os.ReadDir(dir)
	if err != nil {
		d.log.Warn("a folder of the cache cannot be read", "folder", dir, "error", err)
		return all
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // it has just gone
		}
		switch name := e.Name(); {
		case len(name) > len(tempPrefix) && name[:len(tempPrefix)] == tempPrefix:
			if info.ModTime().Before(old) {
				_ = os.Remove(filepath.Join(dir, name)) // nobody writes to it any more
			}
		case len(name) > 2*len(hosting.Digest{}):
			all = append(all, found{name, info.Size(), info.ModTime()})
		}
	}
	return all
}
