package detect

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxPackage is far beyond any package.json that a person wrote.
const maxPackage = 4 << 20

// packageJSON is what of a package.json matters to a build. A nil one is absent.
type packageJSON struct {
	scripts        map[string]string
	dependencies   map[string]bool
	packageManager string
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
		PackageManager  json.RawMessage `json:"packageManager"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, hosting.Errorf(hosting.CodeInvalid, "package.json is not JSON (%v)", err).WithHint("correct it; npm ci would fail too")
	}
	pkg := &packageJSON{scripts: map[string]string{}, dependencies: map[string]bool{}}
	for name, v := range object(raw.Scripts) {
		var s string
		if json.Unmarshal(v, &s) == nil && s != "" {
			pkg.scripts[name] = s
		}
	}
	for _, deps := range []json.RawMessage{raw.Dependencies, raw.DevDependencies} {
		for name := range object(deps) {
			pkg.dependencies[name] = true
		}
	}
	_ = json.Unmarshal(raw.PackageManager, &pkg.packageManager)
	return pkg, nil
}

func object(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

func (p *packageJSON) script(name string) bool {
	return p != nil && p.scripts[name] != ""
}

func (p *packageJSON) dependsOn(name string) bool {
	return p != nil && p.dependencies[name]
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
