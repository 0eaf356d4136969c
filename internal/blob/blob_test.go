package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
)

const (
	project = hosting.ProjectID("prj_aaaa")
	other   = hosting.ProjectID("prj_aaab")
)

func openObjects(t *testing.T, dir string) *file.Store {
	t.Helper()
	objects, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objects.Close() })
	return objects
}

func ref(b []byte) hosting.BlobRef {
	return hosting.BlobRef{Digest: hosting.DigestOf(b), Size: int64(len(b))}
}

func put(t *testing.T, s *blob.Store, p hosting.ProjectID, b []byte) hosting.Digest {
	t.Helper()
	if err := s.Put(t.Context(), p, ref(b), bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return ref(b).Digest
}

func wantCode(t *testing.T, what string, err error, code hosting.Code) {
	t.Helper()
	if hosting.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestStore_ReturnsWhatWasPut(t *testing.T) {
	s := blob.New(openObjects(t, t.TempDir()))
	for _, size := range []int{0, 1, 1000, hosting.MaxBlob} {
		b := bytes.Repeat([]byte{7}, size)
		d := put(t, s, project, b)
		got, err := s.Get(t.Context(), project, d)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("blob of %d bytes: %d bytes, %v", size, len(got), err)
		}
		wantAbsent(t, s, project, nil, ref(b))
		m, err := s.PutManifest(t.Context(), project, b)
		if err != nil || m != d {
			t.Fatalf("put manifest: %s, %v", m, err)
		}
		if got, err = s.GetManifest(t.Context(), project, m); err != nil || !bytes.Equal(got, b) {
			t.Errorf("manifest of %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
}

func TestStore_RefusesWhatIsTooLargeOrUnnamed(t *testing.T) {
	s := blob.New(openObjects(t, t.TempDir()))
	long := make([]byte, hosting.MaxBlob+1)
	wantCode(t, "blob", s.Put(t.Context(), project, ref(long), bytes.NewReader(long)), hosting.CodeTooLarge)
	_, err := s.PutManifest(t.Context(), project, make([]byte, hosting.MaxManifest+1))
	wantCode(t, "manifest", err, hosting.CodeTooLarge)

	b := []byte("content")
	for name, r := range map[string]hosting.BlobRef{"no digest": {Size: 7}, "a negative size": {Digest: ref(b).Digest, Size: -1}} {
		wantCode(t, name, s.Put(t.Context(), project, r, bytes.NewReader(b)), hosting.CodeInvalid)
	}
	for name, body := range map[string]string{"short": "conten", "long": "content!", "other": "c0ntent"} {
		wantCode(t, name, s.Put(t.Context(), project, ref(b), strings.NewReader(body)), hosting.CodeMismatch)
		wantAbsent(t, s, project, []hosting.BlobRef{ref(b)}, ref(b))
	}
}

func TestStore_KeepsProjectsAndKindsApart(t *testing.T) {
	s := blob.New(openObjects(t, t.TempDir()))
	d := put(t, s, project, []byte("content"))
	wantAbsent(t, s, other, []hosting.BlobRef{ref([]byte("content"))}, ref([]byte("content")))
	_, err := s.Get(t.Context(), other, d)
	wantCode(t, "get of another project", err, hosting.CodeNotFound)
	_, err = s.GetManifest(t.Context(), project, d)
	wantCode(t, "a blob read as manifest", err, hosting.CodeNotFound)
}

func TestStore_RefusesIDsThatAreNone(t *testing.T) {
	s := blob.New(openObjects(t, t.TempDir()))
	b := []byte("content")
	for _, p := range []hosting.ProjectID{"", "prj_aaaa/x", "prj/x_aaaa", "..", "prj_../prj_aaaa", "prj_", "PRJ_AAAA1"} {
		wantCode(t, "put", s.Put(t.Context(), p, ref(b), bytes.NewReader(b)), hosting.CodeInvalid)
		_, err := s.Get(t.Context(), p, ref(b).Digest)
		wantCode(t, "get", err, hosting.CodeInvalid)
		_, err = s.Absent(t.Context(), p, []hosting.BlobRef{ref(b)})
		wantCode(t, "absent", err, hosting.CodeInvalid)
		wantCode(t, "delete", s.DeleteProject(t.Context(), p), hosting.CodeInvalid)
		wantCode(t, "source key", object.CheckKey(blob.SourceKey(p, "dpl_aaaa")), hosting.CodeInvalid)
		wantCode(t, "source key", object.CheckKey(blob.SourceKey(project, hosting.DeploymentID(p))), hosting.CodeInvalid)
	}
	if key := blob.SourceKey(project, "dpl_aaaa"); key != "sources/prj_aaaa/dpl_aaaa" {
		t.Errorf("source key %q", key)
	}
}

func TestDeleteProject_RemovesAllOfItAndNothingElse(t *testing.T) {
	objects := openObjects(t, t.TempDir())
	s := blob.New(objects)
	const many = 1100 // more than a page
	for i := range many {
		put(t, s, project, fmt.Appendf(nil, "blob %d", i))
	}
	for _, p := range []hosting.ProjectID{project, other} {
		put(t, s, p, []byte("shared by name alone"))
		if _, err := s.PutManifest(t.Context(), p, []byte("manifest")); err != nil {
			t.Fatal(err)
		}
		if err := objects.Put(t.Context(), blob.SourceKey(p, "dpl_aaaa"), strings.NewReader("tar"), object.Check{Size: 3}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // it may be repeated
		if err := s.DeleteProject(t.Context(), project); err != nil {
			t.Fatal(err)
		}
		infos, err := objects.List(t.Context(), "", "", many)
		if err != nil || len(infos) != 3 {
			t.Fatalf("left: %v, %v; want the other project's three", infos, err)
		}
		for _, info := range infos {
			if !strings.Contains(info.Key, string(other)) {
				t.Errorf("%s is left", info.Key)
			}
		}
	}
}

// liar corrupts what an object store returns.
type liar struct {
	object.Store
	lie func(b []byte, info object.Info) (io.Reader, object.Info)
}

func (l *liar) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	r, info, err := l.Store.Get(ctx, key)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, info, err
	}
	body, info := l.lie(b, info)
	return io.NopCloser(body), info, nil
}

func TestGet_FindsOutEveryLieOfTheStore(t *testing.T) {
	l := &liar{Store: openObjects(t, t.TempDir())}
	s := blob.New(l)
	content := bytes.Repeat([]byte("content"), 1000)
	d := put(t, s, project, content)
	if _, err := s.PutManifest(t.Context(), project, content); err != nil {
		t.Fatal(err)
	}
	sized := func(b []byte, n int64) (io.Reader, object.Info) {
		return bytes.NewReader(b), object.Info{Size: n}
	}
	for name, lie := range map[string]func([]byte, object.Info) (io.Reader, object.Info){
		"a flipped bit": func(b []byte, i object.Info) (io.Reader, object.Info) { b[3000] ^= 1; return sized(b, i.Size) },
		"cut":           func(b []byte, i object.Info) (io.Reader, object.Info) { return sized(b[:len(b)-1], i.Size) },
		"cut, and says so": func(b []byte, _ object.Info) (io.Reader, object.Info) {
			return sized(b[:len(b)-1], int64(len(b)-1))
		},
		"empty":           func([]byte, object.Info) (io.Reader, object.Info) { return sized(nil, 0) },
		"one byte more":   func(b []byte, i object.Info) (io.Reader, object.Info) { return sized(append(b, 0), i.Size) },
		"a negative size": func(b []byte, _ object.Info) (io.Reader, object.Info) { return sized(b, -1) },
		"a vast size":     func(b []byte, _ object.Info) (io.Reader, object.Info) { return sized(b, 1<<60) },
	} {
		l.lie = lie
		_, err := s.Get(t.Context(), project, d)
		wantCode(t, name+" blob", err, hosting.CodeMismatch)
		_, err = s.GetManifest(t.Context(), project, d)
		wantCode(t, name+" manifest", err, hosting.CodeMismatch)
	}
	broken := errors.New("the wire broke")
	l.lie = func(b []byte, i object.Info) (io.Reader, object.Info) {
		return io.MultiReader(bytes.NewReader(b[:10]), iotest.ErrReader(broken)), i
	}
	if _, err := s.Get(t.Context(), project, d); !errors.Is(err, broken) || hosting.Is(err, hosting.CodeMismatch) {
		t.Errorf("a read that breaks off: %v", err)
	}
}

func TestPut_MendsABlobThatTheDiskSpoiled(t *testing.T) {
	dir := t.TempDir()
	s := blob.New(openObjects(t, dir))
	content := []byte("content")
	d := put(t, s, project, content)
	if err := os.WriteFile(filepath.Join(dir, "blobs", string(project), d.String()), []byte("c0ntent"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), project, d)
	wantCode(t, "spoiled", err, hosting.CodeMismatch)
	put(t, s, project, content)
	if b, err := s.Get(t.Context(), project, d); err != nil || !bytes.Equal(b, content) {
		t.Errorf("mended: %q, %v", b, err)
	}
}
