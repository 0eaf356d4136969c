package manifest

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Trail is what a pointer showed lately and its manifest no longer has: files whose names
// change with their content, which pages that are still open may ask for. It is a manifest of
// its own, with a time for each file until which that is found. It is immutable and may be
// used concurrently.
type Trail struct {
	*Manifest
	until []byte
}

// The form of a trail: magic, version (uint16), six bytes of zero; then for each file of the
// manifest, in its order, when it ends (int64, seconds since 1970); then the manifest.
const (
	trailMagic   = "FWTR"
	trailVersion = 1
	trailHeader  = 16
	atTrailFiles = 8 // uint32
	untilSize    = 8
)

const (
	// TrailAge is how long a file is found after a deployment without it.
	TrailAge = 7 * 24 * time.Hour
	// MaxTrail is how many files a trail has; those that ended being shown last stay.
	MaxTrail = 10_000
)

// trailed is a file on its way into a trail.
type trailed struct {
	file  File
	until int64
}

// BuildTrail writes the trail of a pointer that moves from one manifest to another at a time:
// the files of the old one that are immutable and not in the new, and what its trail, nil for
// none, has left. It returns nil where there are none.
func BuildTrail(old *Trail, from, to *Manifest, at time.Time) ([]byte, error) {
	var files []trailed
	add := func(f File, until int64) {
		if _, there := to.Find(f.Path()); !there {
			files = append(files, trailed{f, until})
		}
	}
	for f := range from.All() {
		if f.Immutable() {
			add(f, at.Add(TrailAge).Unix())
		}
	}
	if old != nil {
		for f := range old.All() {
			if _, newer := from.Find(f.Path()); !newer && old.Until(f).After(at) {
				add(f, old.Until(f).Unix())
			}
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	slices.SortFunc(files, func(a, b trailed) int {
		return cmp.Or(cmp.Compare(b.until, a.until), cmp.Compare(a.file.Path(), b.file.Path()))
	})
	files = files[:min(len(files), MaxTrail)]
	slices.SortFunc(files, func(a, b trailed) int { return cmp.Compare(a.file.Path(), b.file.Path()) })
	return writeTrail(files)
}

func writeTrail(files []trailed) ([]byte, error) {
	c := Content{Files: make([]hosting.File, len(files))}
	head := make([]byte, trailHeader+len(files)*untilSize)
	copy(head, trailMagic)
	binary.LittleEndian.PutUint16(head[atVersion:], trailVersion)
	binary.LittleEndian.PutUint32(head[atTrailFiles:], uint32(len(files)))
	for i, f := range files {
		c.Files[i] = f.file.described()
		binary.LittleEndian.PutUint64(head[trailHeader+i*untilSize:], uint64(f.until))
	}
	b, err := Build(c)
	if err != nil {
		return nil, err
	}
	if len(head)+len(b) > hosting.MaxManifest {
		return nil, hosting.Errorf(hosting.CodeTooLarge, "the list of earlier files takes %d bytes", len(head)+len(b))
	}
	return append(head, b...), nil
}

// described is the file as an inventory has it.
func (f File) described() hosting.File {
	d := hosting.File{Path: f.Path(), Digest: f.Digest(), Size: f.Size(), Immutable: f.Immutable()}
	for _, encoding := range [...]string{hosting.EncodingIdentity, hosting.EncodingBrotli} {
		if form, ok := f.Form(encoding); ok {
			d.Forms = append(d.Forms, form.Described(encoding))
		}
	}
	return d
}

// OpenTrail checks b whole and returns the trail in it, which keeps b: the caller no longer
// writes to it. Bytes that BuildTrail did not write give an error that wraps ErrFormat.
func OpenTrail(b []byte) (*Trail, error) {
	t, err := openTrail(b)
	if err != nil && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w: %s", ErrFormat, err)
	}
	return t, err
}

func openTrail(b []byte) (*Trail, error) {
	if len(b) < trailHeader || len(b) > hosting.MaxManifest || string(b[:len(trailMagic)]) != trailMagic {
		return nil, errors.New("no header of a trail, or too long")
	}
	if v := u16(b, atVersion); v != trailVersion {
		return nil, fmt.Errorf("version %d of a trail", v)
	}
	n := uint64(u32(b, atTrailFiles))
	if n > MaxTrail || uint64(len(b)) < trailHeader+n*untilSize {
		return nil, fmt.Errorf("%d files in a trail", n)
	}
	end := trailHeader + int(n)*untilSize
	m, err := Open(b[end:])
	if err != nil {
		return nil, err
	}
	if m.Len() != int(n) {
		return nil, errors.New("not one time for each file of a trail")
	}
	return &Trail{Manifest: m, until: b[trailHeader:end:end]}, nil
}

// IsTrail reports whether b begins as a trail does.
func IsTrail(b []byte) bool {
	return len(b) >= len(trailMagic) && string(b[:len(trailMagic)]) == trailMagic
}

// Until is when the trail's file is no longer found.
func (t *Trail) Until(f File) time.Time {
	return time.Unix(int64(u64(t.until, f.Index()*untilSize)), 0)
}
