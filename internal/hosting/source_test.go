package hosting

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckGitURL_AdmitsHTTPAlone(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://github.com/ann/shop.git": true, "https://github.com/ann/shop": true, "http://127.0.0.1:8080/a.git": true, "https://git.example.com:8443/x/y": true,
		"": false, "github.com/ann/shop": false, "git@github.com:ann/shop.git": false, "ssh://git@github.com/ann/shop": false, "file:///etc": false,
		"ext::sh -c id": false, "--upload-pack=id": false, "https://user:pass@host/x": false, "https://user@host/x": false, "https:///x": false,
		"https://host/x?a=b": false, "https://host/x#y": false, "https://host/a b": false, "https://host/x\n": false, "https://-host/x": false,
		"HTTPS://host/x": true, "https://host/$(id)": true, "https://host/`id`": false, "https://" + strings.Repeat("a", 2000): false, "https:host/x": false,
	} {
		if err := CheckGitURL(url); (err == nil) != ok {
			t.Errorf("CheckGitURL(%q) = %v", url, err)
		}
	}
}

func TestCheckRef_IsNarrowerThanGit(t *testing.T) {
	for ref, ok := range map[string]bool{
		"main": true, "feature/x": true, "v1.2.3": true, "0123456789abcdef0123456789abcdef01234567": true, "a@b": true, "issue-#7": true,
		"": false, "-main": false, "--upload-pack=x": false, "a..b": false, "a b": false, "a~1": false, "a^": false, "a:b": false, "a?": false, "a*": false,
		"a[b": false, "a\\b": false, "a@{1}": false, "a/": false, "/a": false, "a.lock": false, "a.": false, "a//b": false, "a/.b": false, ".a": false, "a\nb": false,
	} {
		if err := CheckRef(ref); (err == nil) != ok {
			t.Errorf("CheckRef(%q) = %v", ref, err)
		}
	}
}

// The short way says yes to nothing that the long way refuses.
func FuzzIsPlainPath(f *testing.F) {
	for _, p := range []string{"index.html", "a/b/c.js", "a//b", "/a", "a/", "./a", "a/../b", "..", ".", "", "a/.b", "a\\b", "a b", "é", "a\x00", "a/b.", "~"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if isPlainPath(p) && (p == "" || len(p) > MaxPath || !utf8.ValidString(p) || strings.ContainsAny(p, "\x00\\\r\n") || path.Clean(p) != p || p[0] == '/' || p == ".." || strings.HasPrefix(p, "../")) {
			t.Errorf("%q is no path of a file", p)
		}
	})
}

func TestCheckFilePath_RefusesWhatNoSiteCanShow(t *testing.T) {
	for p, ok := range map[string]bool{
		"index.html": true, "a/b/c.js": true, "ünï/ cödé.txt": true, ".well-known/x": true, "a..b": true,
		"": false, "/a": false, "../a": false, "a/../b": false, "a//b": false, "a/": false, ".": false, "..": false, "a\\b": false, "a\x00b": false,
		"a\nb": false, "\xff.html": false, strings.Repeat("a", MaxPath+1): false,
	} {
		if err := CheckFilePath(p); (err == nil) != ok {
			t.Errorf("CheckFilePath(%q) = %v", p, err)
		}
	}
}

func TestBuildSettings_StayInsideTheRepository(t *testing.T) {
	for dir, ok := range map[string]bool{"": true, "apps/web": true, ".": true, "a/../b": true, "/etc": false, "..": false, "../x": false, "a/../../x": false, `a\b`: false, "a\nb": false} {
		if err := (BuildSettings{RootDir: dir}).Check(); (err == nil) != ok {
			t.Errorf("rootDir %q: %v", dir, err)
		}
		if err := (BuildSettings{OutputDir: dir}).Check(); (err == nil) != ok {
			t.Errorf("outputDir %q: %v", dir, err)
		}
	}
	for v, ok := range map[string]bool{"22": true, "22.11.0": true, "": true, "v22": false, "latest": false, "22;id": false} {
		if err := (BuildSettings{NodeVersion: v}).Check(); (err == nil) != ok {
			t.Errorf("nodeVersion %q: %v", v, err)
		}
	}
}

func TestError_CarriesItsCodeThroughWrapping(t *testing.T) {
	err := Errorf(CodeConflict, "the slug %q is taken", "shop").WithHint("choose another")
	if err.Error() != `the slug "shop" is taken: choose another` || CodeOf(err) != CodeConflict || !Is(err, CodeConflict) {
		t.Errorf("%v has code %s", err, CodeOf(err))
	}
	if CodeOf(nil) != "" || CodeOf(strings.NewReader("").UnreadByte()) != CodeInternal {
		t.Error("nil has no code, an unknown error is internal")
	}
}
