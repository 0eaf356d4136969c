package hosting

import (
	"path"
	"strings"
	"testing"
)

func TestCanonicalHost_HasOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"shop.example.com": "shop.example.com", "SHOP.Example.COM": "shop.example.com", "shop.example.com.": "shop.example.com",
		"shop.example.com:8080": "shop.example.com", "Shop.Example.com.:443": "shop.example.com", "localhost": "localhost",
		"xn--bcher-kva.example": "xn--bcher-kva.example", "a:": "a",
		"": "", ".": "", "..": "", "a..b": "", ".a": "", "-a.b": "", "a-.b": "", "a_b.c": "", "a b": "", "a/b": "", "a\\b": "", "a%2eb": "",
		"127.0.0.1": "", "127.0.0.1:80": "", "[::1]": "", "[::1]:80": "", "::1": "", "a:b": "", "a:123456": "", "bücher.example": "", "a\x00b": "",
		strings.Repeat("a", 64) + ".com": "", strings.Repeat("a.", 130) + "com": "",
	} {
		got, ok := CanonicalHost(in)
		if got != want || ok != (want != "") {
			t.Errorf("CanonicalHost(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = CanonicalHost("shop.example.com:8080") }); n != 0 {
		t.Errorf("a canonical host costs %v allocations", n)
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{"a.b", "A.B:80", "a.", "[::1]:1", "1.2.3.4", "a--b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		host, ok := CanonicalHost(in)
		if !ok {
			return
		}
		again, ok := CanonicalHost(host)
		if !ok || again != host || host != strings.ToLower(host) || strings.ContainsAny(host, ":/\\_ \x00%[]") {
			t.Fatalf("CanonicalHost(%q) = %q, and of that %q, %v", in, host, again, ok)
		}
	})
}

func TestCleanPath_HasOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"": "/", "/": "/", "/a": "/a", "/a/": "/a/", "//a": "/a", "/a//b": "/a/b", "/./a": "/a", "/a/.": "/a/", "/a/..": "/",
		"/a/../b": "/b", "/../../b": "/b", "a": "/a", "/a/b/../": "/a/", "/...": "/...", "/.well-known/x": "/.well-known/x",
		"/a\\b": "", "/a\x00": "",
	} {
		got, ok := CleanPath(in)
		if got != want || ok != (want != "") {
			t.Errorf("CleanPath(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = CleanPath("/assets/app.js") }); n != 0 {
		t.Errorf("a clean path costs %v allocations", n)
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "//", "/a/../b", "/%2e%2e/", "..", "/a/./"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		clean, ok := CleanPath(in)
		if !ok {
			return
		}
		again, ok := CleanPath(clean)
		if !ok || again != clean {
			t.Fatalf("CleanPath(%q) = %q, and of that %q, %v", in, clean, again, ok)
		}
		// The same as the standard library's, but for the final slash, which means a folder.
		if want := path.Clean("/" + in); strings.TrimSuffix(clean, "/") != strings.TrimSuffix(want, "/") {
			t.Fatalf("CleanPath(%q) = %q, path.Clean says %q", in, clean, want)
		}
	})
}
