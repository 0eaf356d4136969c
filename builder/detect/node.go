package detect

import (
	"path"
	"strings"
)

// NodeWish is the version of Node.js that a source asks for, as it writes it: 22, v20.11.1,
// lts/iron, >=18 <23.
type NodeWish struct {
	Version string `json:"version"`
	From    string `json:"from"` // the file, or the field of package.json
}

// codenames are the names of Node.js's releases with long support.
var codenames = map[string]string{"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24"}

// Major returns the major version that is asked for, or "" where several would do.
func (w NodeWish) Major() string {
	v := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(w.Version)), "v")
	if name, ok := strings.CutPrefix(v, "lts/"); ok {
		return codenames[name]
	}
	v = strings.TrimLeft(v, "^~=")
	first := major(v)
	rest := strings.TrimPrefix(v, first)
	if first == "" || strings.Trim(rest, ".0123456789xX*") != "" {
		return ""
	}
	return first
}

// findNode takes the project's setting, and else looks for a wish in the nearest folder that has one: .nvmrc, .node-version,
// .tool-versions, and volta and engines of package.json.
func (f *finder) findNode() error {
	p := &f.plan
	if p.PackageManager == "" || p.PackageManager == Deno {
		return nil
	}
	if f.node != "" {
		p.wish(f.node, "the setting nodeVersion")
		return nil
	}
	for dir := p.Root; ; dir = path.Dir(dir) {
		for _, name := range []string{".nvmrc", ".node-version", ".tool-versions"} {
			file := path.Join(dir, name)
			b, err := readFile(f.source, file, 64<<10)
			if err != nil {
				continue
			}
			if v := nodeVersion(string(b), name == ".tool-versions"); v != "" {
				p.wish(v, file)
				return nil
			}
		}
		if dir == p.Root && f.pkg != nil {
			if f.pkg.volta != "" {
				p.wish(f.pkg.volta, "volta of package.json")
				return nil
			}
			if v := f.pkg.engines["node"]; v != "" {
				p.wish(v, "engines of package.json")
				return nil
			}
		}
		if dir == "." {
			return nil
		}
	}
}

func (p *Plan) wish(version, from string) {
	p.Node = &NodeWish{Version: clip(version), From: from}
	p.because("Node.js %s is asked for by %s", p.Node.Version, from)
}

// nodeVersion returns the first line that is no comment; of .tool-versions, what stands behind
// nodejs or node.
func nodeVersion(text string, tools bool) string {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		ws := strings.Fields(line)
		switch {
		case len(ws) == 0:
		case !tools:
			return ws[0]
		case len(ws) > 1 && (ws[0] == "nodejs" || ws[0] == "node"):
			return ws[1]
		}
	}
	return ""
}
