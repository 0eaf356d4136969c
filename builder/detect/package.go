package detect

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"unicode"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxPackage is far beyond any package.json that a person wrote.
const maxPackage = 4 << 20

// packageJSON is what of a package.json matters to a build. A nil one is absent.
type packageJSON struct {
	scripts      map[string]string
	dependencies map[string]string // name to version, those for development included
	engines      map[string]string
	// managers are the fields packageManager and devEngines.packageManager.
	packageManager, devManager string
	volta                      string // the Node.js of volta
}

// readPackage returns nil where there is no package.json.
func readPackage(fsys fs.FS) (*packageJSON, error) {
	b, err := readFile(fsys, "package.json", maxPackage)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parsePackage(b)
}

func parsePackage(b []byte) (*packageJSON, error) {
	// Fields that have another type than they should are left out rather than refused: npm
	// itself reads such files.
	var raw struct {
		Scripts         json.RawMessage `json:"scripts"`
		Dependencies    json.RawMessage `json:"dependencies"`
		DevDependencies json.RawMessage `json:"devDependencies"`
		Engines         json.RawMessage `json:"engines"`
		PackageManager  json.RawMessage `json:"packageManager"`
		DevEngines      json.RawMessage `json:"devEngines"`
		Volta           json.RawMessage `json:"volta"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, hosting.Errorf(hosting.CodeInvalid, "package.json is not JSON (%v)", err).WithHint("correct it; npm ci would fail too")
	}
	pkg := &packageJSON{scripts: strs(raw.Scripts), dependencies: map[string]string{}, engines: strs(raw.Engines)}
	for _, deps := range []json.RawMessage{raw.Dependencies, raw.DevDependencies} {
		for name, v := range object(deps) {
			var version string
			_ = json.Unmarshal(v, &version)
			pkg.dependencies[name] = version
		}
	}
	_ = json.Unmarshal(raw.PackageManager, &pkg.packageManager)
	pkg.devManager = devManager(raw.DevEngines)
	pkg.volta = strs(raw.Volta)["node"]
	return pkg, nil
}

// strs returns the members of an object that are strings, and not empty.
func strs(raw json.RawMessage) map[string]string {
	members := map[string]string{}
	for name, v := range object(raw) {
		var s string
		if json.Unmarshal(v, &s) == nil && s != "" {
			members[name] = s
		}
	}
	return members
}

// devManager reads devEngines.packageManager, an object with a name or a list of them.
func devManager(raw json.RawMessage) string {
	var one struct{ Name string }
	v := object(raw)["packageManager"]
	if json.Unmarshal(v, &one) == nil && one.Name != "" {
		return one.Name
	}
	var many []json.RawMessage
	if json.Unmarshal(v, &many) == nil && len(many) > 0 && json.Unmarshal(many[0], &one) == nil {
		return one.Name
	}
	return ""
}

func object(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// script returns the text of a script, or "".
func (p *packageJSON) script(name string) string {
	if p == nil {
		return ""
	}
	return p.scripts[name]
}

// expand returns the text of a script with those behind it that it runs by name, each once.
func (p *packageJSON) expand(name string) string {
	texts, seen := []string{}, map[string]bool{name: true}
	for names := []string{name}; len(names) > 0; names = names[1:] {
		text := p.script(names[0])
		texts = append(texts, text)
		ws := words(text)
		for i, w := range ws {
			if i == 0 || seen[w] || p.script(w) == "" {
				continue
			}
			switch ws[i-1] {
			case "run", "pnpm", "yarn", "bun", "run-s", "run-p", "task":
				seen[w] = true
				names = append(names, w)
			}
		}
	}
	return strings.Join(texts, " ; ")
}

// dependency returns the version that is asked for of a package, and whether one is.
func (p *packageJSON) dependency(name string) (version string, ok bool) {
	if p == nil {
		return "", false
	}
	version, ok = p.dependencies[name]
	return version, ok
}

// declared returns the package manager that is named, and by which field.
func (p *packageJSON) declared() (name, field string) {
	switch {
	case p == nil:
		return "", ""
	case p.packageManager != "":
		return p.packageManager, "packageManager"
	}
	return p.devManager, "devEngines.packageManager"
}

// engineManager returns the package manager that engines names, npm aside: it comes with
// Node.js, and is named there by habit.
func (p *packageJSON) engineManager() PackageManager {
	for _, m := range []PackageManager{PNPM, Yarn, Bun, Deno} {
		if p.engines[string(m)] != "" {
			return m
		}
	}
	return ""
}

// major returns the first number of a version or a range that begins with one: 5 of ^5.1.0.
func major(version string) string {
	version = strings.TrimLeft(version, "^~>=v ")
	end := 0
	for end < len(version) && version[end] >= '0' && version[end] <= '9' {
		end++
	}
	if end == 0 || end > 4 {
		return ""
	}
	return version[:end]
}

// clip makes what the source says fit for a line that somebody reads.
func clip(s string) string {
	const most = 120
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// text returns the text of a file of the folder, or "" where it cannot be read: configurations
// are read to know more, and the build says what is wrong with them.
func (f *finder) text(name string) string {
	if s, ok := f.texts[name]; ok {
		return s
	}
	b, _ := readFile(f.root, name, maxConfig)
	s := string(b)
	f.texts[name] = s
	return s
}

func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.Mode().IsRegular()
}

// readFile reads a regular file of at most limit bytes.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	// The source is not trusted: opening a fifo would wait for ever.
	info, err := fs.Stat(fsys, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, hosting.Errorf(hosting.CodeInvalid, "%s cannot be read", name).WithHint("it must be a plain file inside the source")
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%s is no plain file, or larger than %d bytes", name, limit)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%s cannot be read", name)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%s cannot be read", name)
	}
	return b, nil
}
