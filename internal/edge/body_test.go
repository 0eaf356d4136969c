package edge

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// partSource holds the parts of one file of four, and fails for one of them.
type partSource struct {
	blobs map[hosting.Digest][]byte
	fail  hosting.Digest
	reads atomic.Int64
}

var errPart = errors.New("no such part")

func (p *partSource) Find(_ context.Context, _ hosting.ProjectID, d hosting.Digest) ([]byte, Layer, error) {
	p.reads.Add(1)
	if d == p.fail {
		return nil, "", errPart
	}
	return p.blobs[d], "", nil
}

func (p *partSource) Where(hosting.ProjectID, hosting.Digest, string) Layer { return "" }

func (p *partSource) Recall(hosting.ProjectID, hosting.Digest, string) ([]byte, bool) {
	return nil, false
}

func (p *partSource) Derive(ctx context.Context, _ hosting.ProjectID, _ hosting.Digest, _ string, make func(context.Context) ([]byte, error)) ([]byte, Layer, error) {
	b, err := make(ctx)
	return b, "", err
}

func newBody(t *testing.T) (body, *partSource, []byte) {
	t.Helper()
	source := &partSource{blobs: make(map[hosting.Digest][]byte)}
	form := hosting.Form{Encoding: hosting.EncodingIdentity}
	var whole []byte
	for i := range 4 {
		part := bytes.Repeat([]byte{byte('a' + i)}, hosting.MaxBlob)
		ref := hosting.BlobRef{Digest: hosting.DigestOf(part), Size: hosting.MaxBlob}
		source.blobs[ref.Digest] = part
		form.Parts, form.Size = append(form.Parts, ref), form.Size+ref.Size
		whole = append(whole, part...)
	}
	b, err := manifest.Build(manifest.Content{Files: []hosting.File{
		{Path: "f", Size: form.Size, Digest: hosting.DigestOf(whole), Forms: []hosting.Form{form}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := m.Find("f")
	opened, _ := f.Form(hosting.EncodingIdentity)
	return body{parts: newParts(source), project: "prj_a", form: opened}, source, whole
}

func TestBody_WritesWholeWithoutRoomToReadAhead(t *testing.T) {
	b, source, whole := newBody(t)
	for range maxAhead {
		b.parts.ahead <- struct{}{} // other requests have all the room
	}
	var w bytes.Buffer
	if err := b.write(t.Context(), &w, span{length: int64(len(whole))}, nil); err != nil || !bytes.Equal(w.Bytes(), whole) {
		t.Errorf("%v, %d bytes", err, w.Len())
	}
	if n := source.reads.Load(); n != 4 {
		t.Errorf("%d reads", n)
	}
}

func TestBody_GivesItsRoomBackHoweverItEnds(t *testing.T) {
	b, source, whole := newBody(t)
	third := b.form.Part(2).Digest
	for name, c := range map[string]struct {
		fail  hosting.Digest
		after int // writes that succeed
		want  error
	}{
		"whole": {hosting.Digest{}, 9, nil}, "a part fails": {third, 9, errPart}, "the visitor leaves": {hosting.Digest{}, 1, errGone},
	} {
		source.fail = c.fail
		w := &leavingWriter{after: c.after}
		if err := b.write(t.Context(), w, span{length: int64(len(whole))}, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(b.parts.ahead); n != 0 {
			t.Errorf("%s: %d parts still count as read ahead", name, n)
		}
	}
}

var errGone = errors.New("the visitor left")

type leavingWriter struct{ after int }

func (w *leavingWriter) Write(p []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, errGone
	}
	return len(p), nil
}
