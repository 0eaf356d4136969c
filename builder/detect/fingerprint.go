package detect

import (
	"io/fs"
	"path"
	"strings"
)

// fingerprint is where a framework puts files whose names change with their content, and how
// it writes the hash into them. A wrong guess pins a stale file in browsers for a year, a missed
// one costs a request that is answered "not modified": so they say no where they cannot tell.
type fingerprint struct {
	folder string // of the output, with a slash behind it; "" is all of it
	// hash finds the hash in a name, without its folders; nil says that all files of the
	// folder are named by their content.
	hash func(name string) bool
}

// publicFolders are those of a source that frameworks copy into the output as they are.
var publicFolders = []string{"public", "static", "docs/public", "src/public"}

// Fingerprinted reports whether the name of a file of the output, by its path there, changes
// with its content. root is the folder that was built: a file that it holds as such was copied,
// not named by the build.
func (p *Plan) Fingerprinted(root fs.FS, file string) bool {
	preset, _ := findPreset(p.Framework)
	for _, f := range preset.Names {
		name, inside := strings.CutPrefix(file, f.folder)
		if !inside || name == "" || f.hash != nil && !f.hash(path.Base(name)) {
			continue
		}
		for _, public := range publicFolders {
			// Some write their output into a folder of that name.
			if _, err := fs.Stat(root, path.Join(public, file)); err == nil && public != p.Output {
				return false
			}
		}
		return true
	}
	return false
}

// dotted finds a hash between dots, as in main.8c1f2a90.chunk.js.
func dotted(is func(string) bool) func(string) bool {
	return func(name string) bool {
		parts := strings.Split(name, ".")
		for _, part := range parts[min(1, len(parts)-1) : len(parts)-1] {
			if is(part) {
				return true
			}
		}
		// A name may begin with it: 8c1f2a90.css
		return len(parts) > 1 && is(parts[0])
	}
}

// dashed finds a hash behind the last dash before the extension that leaves one, as in
// index-BX3k2Lx9.js: a hash may hold dashes itself.
func dashed(is func(string) bool) func(string) bool {
	return func(name string) bool {
		parts := strings.Split(name, ".")
		for _, stem := range parts[:len(parts)-1] {
			for i := range len(stem) {
				if stem[i] == '-' && is(stem[i+1:]) {
					return true
				}
			}
		}
		return false
	}
}

// hex is 8 to 32 hexadecimal digits, with a letter and a digit among them: a date is none, nor
// is a word such as "defaced".
func hex(s string) bool {
	return len(s) >= 8 && len(s) <= 32 && strings.Trim(s, "0123456789abcdef") == "" &&
		strings.ContainsAny(s, "abcdef") && strings.ContainsAny(s, "0123456789")
}

// rollup is 8 characters of the alphabet of base64url, as rollup writes them; behind "_"
// Astro writes what it made of an image. What may be a word is none: only digits, one case, or
// a capital first.
func rollup(s string) bool {
	s, _, _ = cutAt(s, 8)
	if len(s) != 8 {
		return false
	}
	lower, upper, digits, late := false, false, false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z':
			upper, late = true, late || i > 0
		case c >= '0' && c <= '9':
			digits = true
		case c != '-' && c != '_':
			return false
		}
	}
	return lower && upper && (late || digits)
}

// esbuild is 8 characters of base32, with a digit among them: README-CONTENTS is no hash.
func esbuild(s string) bool {
	return len(s) == 8 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == "" && strings.ContainsAny(s, "234567")
}

// cutAt cuts what follows "_" at place n, which Astro appends to the hash of an image.
func cutAt(s string, n int) (before, after string, found bool) {
	if len(s) > n && s[n] == '_' {
		return s[:n], s[n+1:], true
	}
	return s, "", false
}
