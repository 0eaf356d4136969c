package detect

import (
	"fmt"
	"slices"
	"strings"
)

// maxConfig is far beyond any configuration that a person wrote.
const maxConfig = 1 << 20

// program is a configuration that is a program, or JSON with comments. A nil one is absent.
type program struct {
	file   string
	toks   []token
	values []value
}

// program reads the first of the files that is there.
func (f *finder) program(names ...string) *program {
	for _, name := range names {
		if !isFile(f.root, name) {
			continue
		}
		toks := tokens(f.text(name))
		p := &program{file: name, toks: toks, values: values(toks)}
		for i := range p.values {
			p.values[i].file = name
		}
		return p
	}
	return nil
}

// scripts are the names of a configuration that may be written in any dialect of JavaScript.
func scripts(stem string) (names []string) {
	for _, ext := range []string{".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"} {
		names = append(names, stem+ext)
	}
	return names
}

// get returns the first value of that path.
func (p *program) get(path string) (value, bool) {
	if p != nil {
		for _, v := range p.values {
			if v.path == path {
				return v, true
			}
		}
	}
	return value{}, false
}

// says reports whether the path is set to text, literally.
func (p *program) says(path, text string) bool {
	v, ok := p.get(path)
	return ok && v.literal && v.text == text
}

// has reports whether something below path is set.
func (p *program) has(path string) bool {
	if p != nil {
		for _, v := range p.values {
			if v.path == path || strings.HasPrefix(v.path, path+".") {
				return true
			}
		}
	}
	return false
}

// place names where a string of the program begins with prefix, the program where none does,
// and otherwise the file that should be there.
func (p *program) place(prefix, otherwise string) string {
	if p == nil {
		return otherwise
	}
	for _, t := range p.toks {
		if t.kind == tokenString && strings.HasPrefix(t.text, prefix) {
			return at(p.file, t.line)
		}
	}
	return p.file
}

// quotes reports whether a string of the program begins with prefix.
func (p *program) quotes(prefix string) bool {
	return p != nil && slices.ContainsFunc(p.toks, func(t token) bool { return t.kind == tokenString && strings.HasPrefix(t.text, prefix) })
}

// line names where the path is set, the program where it is not, and otherwise the file that
// should be there.
func (p *program) line(path, otherwise string) string {
	if v, ok := p.get(path); ok {
		return at(v.file, v.line)
	}
	return p.place("\x00", otherwise)
}

func at(file string, line int) string { return fmt.Sprintf("%s, line %d", file, line) }

// yaml reads a value of YAML that is written on one line, at the top ("key") or one level
// below a name ("name.key"). It knows no more of the language: what it does not see is left
// at its default.
func (f *finder) yaml(name, path string) (value, bool) {
	table, key, nested := strings.Cut(path, ".")
	if !nested {
		table, key = "", path
	}
	current := ""
	n := 0
	for line := range strings.Lines(f.text(name)) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		word, rest, found := strings.Cut(line, ":")
		if !found {
			continue
		}
		indented := strings.HasPrefix(word, " ") || strings.HasPrefix(word, "\t")
		word = strings.TrimSpace(word)
		if !indented {
			current = word
		}
		if strings.EqualFold(word, key) && indented == nested && (!nested || current == table) {
			return scalar(rest, name, path, n)
		}
	}
	return value{}, false
}

// toml reads a string of TOML, at the top ("key") or of a table ("table.key").
func (f *finder) toml(name, path string) (value, bool) {
	table, key := "", path
	if i := strings.LastIndex(path, "."); i >= 0 {
		table, key = path[:i], path[i+1:]
	}
	current := ""
	n := 0
	for line := range strings.Lines(f.text(name)) {
		n++
		line = strings.TrimSpace(line)
		if inner, ok := strings.CutPrefix(line, "["); ok {
			current, _, _ = strings.Cut(inner, "]")
			continue
		}
		word, rest, found := strings.Cut(line, "=")
		if found && current == table && strings.EqualFold(strings.TrimSpace(word), key) {
			return scalar(rest, name, path, n)
		}
	}
	return value{}, false
}

// scalar is what stands behind a key, without quotes and comment.
func scalar(rest, file, path string, line int) (value, bool) {
	v := value{path: path, literal: true, file: file, line: line}
	rest = strings.TrimSpace(rest)
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		inner, _, closed := strings.Cut(rest[1:], rest[:1])
		v.text, v.literal = inner, closed
		return v, true
	}
	rest, _, _ = strings.Cut(rest, " #")
	v.text = strings.TrimSpace(rest)
	return v, v.text != ""
}

// words cuts a command line into words; what joins commands is a word of its own.
func words(command string) []string {
	return strings.Fields(strings.NewReplacer(";", " ; ", "&&", " && ", "||", " || ", `"`, "", `'`, "").Replace(command))
}

// runs reports whether the build command, or a script that it runs, has these words in a row.
func (f *finder) runs(row ...string) bool {
	ws := words(f.command)
	for i := range ws {
		if i+len(row) > len(ws) {
			break
		}
		matched := true
		for j, w := range row {
			matched = matched && ws[i+j] == w
		}
		if matched {
			return true
		}
	}
	return false
}

// flag returns the value of the first of the flags that the build command has.
func (f *finder) flag(names ...string) (string, bool) {
	ws := words(f.command)
	for i, w := range ws {
		for _, name := range names {
			if w == name && i+1 < len(ws) && !strings.HasPrefix(ws[i+1], "-") {
				return ws[i+1], true
			}
			if v, ok := strings.CutPrefix(w, name+"="); ok && v != "" {
				return v, true
			}
		}
	}
	return "", false
}

// argument returns the first word behind these in the build command that is no flag.
func (f *finder) argument(row ...string) (string, bool) {
	ws := words(f.command)
	for i := 0; i+len(row) < len(ws); i++ {
		if strings.Join(ws[i:i+len(row)], " ") != strings.Join(row, " ") {
			continue
		}
		if w := ws[i+len(row)]; !strings.ContainsAny(w[:1], "-&;|><$") {
			return w, true
		}
	}
	return "", false
}
