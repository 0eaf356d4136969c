package seal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOpenFile_MakesAKeyOnceAndKeepsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	first, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenFile(path)
	if err != nil || again != first {
		t.Fatalf("the key changed: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path); err == nil {
		t.Error("a damaged key was taken, or replaced: everything derived from the old one would be lost")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".tmp*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestToken_DependsOnEverything(t *testing.T) {
	a, err := FromText("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	b, err := FromText(" BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, token := range map[string]string{
		"one": a.Token("job", "x", "1"), "other key": b.Token("job", "x", "1"), "other purpose": a.Token("upload", "x", "1"),
		"other part": a.Token("job", "x", "2"), "parts joined": a.Token("job", "x1"), "parts moved": a.Token("job", "", "x1"),
	} {
		if other, same := seen[token]; same {
			t.Errorf("%s gives the token of %s", name, other)
		}
		seen[token] = name
	}
	if !Equal(a.Token("job", "x"), a.Token("job", "x")) || Equal("a", "b") {
		t.Error("Equal does not compare")
	}
	if _, err := FromText("aaaa"); err == nil {
		t.Error("a short key was taken")
	}
	if one, two := NewToken(), NewToken(); one == two || len(one) < 50 {
		t.Error("random tokens are not random")
	}
}
