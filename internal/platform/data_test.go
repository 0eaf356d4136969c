package platform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpen_SaysWhatToDoWithADataFolderThatCannotBeUsed(t *testing.T) {
	good := t.TempDir()
	file := filepath.Join(good, "file")
	write(t, file, "x")
	for name, c := range map[string]struct {
		data string
		says []string
	}{
		"it is a file":         {file, []string{file, "cannot be made", "not a directory", "FAIRWAY_DATA"}},
		"it is below a file":   {filepath.Join(file, "data"), []string{"cannot be made", "FAIRWAY_DATA"}},
		"it cannot be written": {"/proc/self/task", []string{"/proc/self/task", "cannot be written", "FAIRWAY_DATA"}},
		"its path is too long": {filepath.Join(good, strings.Repeat("a", 120)), []string{"too long", "107", "FAIRWAY_DATA"}},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.data, c.says...) })
	}
}

func TestOpen_SaysWhatToDoWithGarbage(t *testing.T) {
	for name, c := range map[string]struct {
		file, holds string
		says        []string
	}{
		"an empty key":        {"key", "", []string{"key", "0 bytes, not 32", "restore the file, or delete it"}},
		"a long key":          {"key", strings.Repeat("x", 4000), []string{"4000 bytes, not 32"}},
		"a short token":       {"token", "abc", []string{"token", "32", "delete it"}},
		"a token of bytes":    {"token", strings.Repeat("\x00\xff", 40), []string{"token", "delete it"}},
		"a token of words":    {"token", strings.Repeat("word ", 40), []string{"token", "delete it"}},
		"an endless token":    {"token", strings.Repeat("a", 5000), []string{"token", "delete it"}},
		"a state of nothing":  {"state.db", "", []string{"state.db", "empty", "restore it"}},
		"a state of garbage":  {"state.db", strings.Repeat("garbage ", 9000), []string{"state.db", "restore it from a backup"}},
		"a state cut in half": {"state.db", "garbage", []string{"state.db", "restore it from a backup"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			write(t, filepath.Join(data, c.file), c.holds)
			refuses(t, data, c.says...)
		})
	}
}

func refuses(t *testing.T, data string, says ...string) {
	t.Helper()
	p, err := Open(t.Context(), Config{Data: data})
	if err == nil {
		_ = p.Close()
		t.Fatal("it opened")
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
