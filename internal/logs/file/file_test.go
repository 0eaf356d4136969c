package file_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/logs/file"
	"github.com/scale-mesh/fairway/internal/logs/logstest"
)

func open(t *testing.T, dir string) *file.Store {
	t.Helper()
	s, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore_KeepsTheContract(t *testing.T) {
	logstest.Run(t, func(t *testing.T) (logs.Store, func() logs.Store) {
		dir := t.TempDir()
		s := open(t, dir)
		return s, func() logs.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
			return s
		}
	})
}

const id = hosting.DeploymentID("dpl_aaaa")

func line(n int64, text string) hosting.LogLine {
	return hosting.LogLine{N: n, At: 1, Stream: "out", Text: text}
}

// stored makes a log of three lines and returns its file's path and content.
func stored(t *testing.T, dir string) (path string, content []byte) {
	t.Helper()
	s := open(t, dir)
	batch := []hosting.LogLine{line(1, "one"), line(2, "two"), line(3, "three")}
	if _, err := s.Append(t.Context(), id, 1, batch); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, string(id)+".ndjson")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestAppend_WritesOneReadableJSONObjectALine(t *testing.T) {
	path, content := stored(t, t.TempDir())
	want := `{"n":1,"t":1,"s":"out","x":"one"}
{"n":2,"t":1,"s":"out","x":"two"}
{"n":3,"t":1,"s":"out","x":"three"}
`
	if string(content) != want {
		t.Errorf("got\n%swant\n%s", content, want)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", st.Mode(), err)
	}
}

func TestOpen_CutsOffWhatACrashLeft(t *testing.T) {
	fourth := `{"n":4,"t":1,"s":"out","x":"four"}` + "\n"
	tails := map[string]struct {
		tail string
		kept int64
	}{
		"zeros":                    {strings.Repeat("\x00", 5000), 3},
		"zeros with a line end":    {strings.Repeat("\x00", 100) + "\n", 3},
		"zeros within a line":      {fourth[:10] + "\x00\x00" + fourth[12:], 3},
		"a line of another number": {strings.Replace(fourth, "4", "5", 1), 3},
		"a longer number":          {strings.Replace(fourth, "4", "41", 1), 3},
		"no JSON":                  {"garbage\n", 3},
		"empty lines":              {"\n\n", 3},
		"whole, then torn":         {fourth + `{"n":5,"t":1`, 4},
		"torn, then whole":         {fourth[:12] + "\n" + fourth, 3},
		"a line without its end":   {strings.TrimSuffix(fourth, "\n"), 3},
	}
	for i := range len(fourth) {
		tails["cut at "+fourth[:i]] = struct {
			tail string
			kept int64
		}{fourth[:i], 3}
	}
	for name, c := range tails {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, content := stored(t, dir)
			if err := os.WriteFile(path, append(content, c.tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			if next, err := s.Next(t.Context(), id); err != nil || next != c.kept+1 {
				t.Fatalf("next %d, %v; want %d", next, err, c.kept+1)
			}
			if _, err := s.Append(t.Context(), id, c.kept+1, []hosting.LogLine{line(c.kept+1, "new")}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Read(t.Context(), id, 0, 10)
			if err != nil || int64(len(got)) != c.kept+1 || got[c.kept].Text != "new" || got[2].Text != "three" {
				t.Errorf("%v, %v", got, err)
			}
			if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, content) || bytes.Count(b, []byte("\n")) != int(c.kept)+1 {
				t.Errorf("the file holds %q, %v", b, err)
			}
		})
	}
}

func TestRead_FailsForALineThatTheDiskSpoiled(t *testing.T) {
	dir := t.TempDir()
	path, content := stored(t, dir)
	s := open(t, dir)
	if _, err := s.Next(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	spoiled := bytes.Replace(content, []byte(`"n":2`), []byte(`"n":9`), 1)
	if err := os.WriteFile(path, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context(), id, 0, 10); err == nil {
		t.Errorf("read %v", got)
	}
	if got, err := s.Read(t.Context(), id, 2, 10); err != nil || len(got) != 1 {
		t.Errorf("the lines behind it: %v, %v", got, err)
	}
}

func TestClose_EndsTheStore(t *testing.T) {
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStore_DoesNotFollowLinksOutOfItsFolder(t *testing.T) {
	outside, dir := filepath.Join(t.TempDir(), "outside"), t.TempDir()
	if err := os.WriteFile(outside, []byte(`{"n":1,"t":1,"s":"out","x":"secret"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, string(id)+".ndjson")); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if got, err := s.Read(t.Context(), id, 0, 10); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("read %v, %v", got, err)
	}
}
