package detect

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// sign is what shows that a framework is used: data, which a test and the documentation read,
// too. The words are dep, file, content, setting, script,
// page, all, some and none.
type sign struct {
	kind  signKind
	names []string // packages, files, scripts or folders: one of them is enough
	text  string
	of    []sign
}

type signKind int

const (
	signDep signKind = iota
	signFile
	signContent
	signSetting
	signScript
	signPage
	signAll
	signSome
	signNone
)

// dep is a package among the dependencies of package.json, those for development included.
func dep(names ...string) sign { return sign{kind: signDep, names: names} }

// file is a file of the folder; a name may be a pattern of path.Match.
func file(names ...string) sign { return sign{kind: signFile, names: names} }

// content is a text in a file, in upper or lower case.
func content(name, text string) sign {
	return sign{kind: signContent, names: []string{name}, text: text}
}

// setting is what a configuration sets, by the names that lead there, as tasks.build.
func setting(path string, names ...string) sign {
	return sign{kind: signSetting, names: names, text: path}
}

// script is a script of package.json.
func script(name string) sign { return sign{kind: signScript, names: []string{name}} }

// page is a folder with an index.html.
func page(dirs ...string) sign { return sign{kind: signPage, names: dirs} }

func all(of ...sign) sign  { return sign{kind: signAll, of: of} }
func some(of ...sign) sign { return sign{kind: signSome, of: of} }
func none(of ...sign) sign { return sign{kind: signNone, of: of} }

// evidence is where a sign was seen.
type evidence struct {
	where   string
	version string // of a package, as package.json asks for it
}

// seen looks for the sign. Of several that are needed the first is the evidence.
func (s sign) seen(f *finder) (evidence, bool) {
	switch s.kind {
	case signAll:
		return f.seenAll(s.of)
	case signSome:
		for _, o := range s.of {
			if e, ok := o.seen(f); ok {
				return e, true
			}
		}
		return evidence{}, false
	case signNone:
		for _, o := range s.of {
			if _, ok := o.seen(f); ok {
				return evidence{}, false
			}
		}
		return evidence{}, true
	}
	for _, name := range s.names {
		if e, ok := f.seenOne(s, name); ok {
			return e, true
		}
	}
	return evidence{}, false
}

func (f *finder) seenAll(of []sign) (first evidence, ok bool) {
	for _, o := range of {
		e, ok := o.seen(f)
		if !ok {
			return evidence{}, false
		}
		if first.where == "" {
			first = e
		}
	}
	return first, true
}

func (f *finder) seenOne(s sign, name string) (evidence, bool) {
	switch s.kind {
	case signDep:
		version, ok := f.pkg.dependency(name)
		return evidence{"package.json", version}, ok
	case signScript:
		return evidence{where: "package.json"}, f.pkg.script(name) != ""
	case signPage:
		return evidence{where: path.Join(name, "index.html")}, isFile(f.root, path.Join(name, "index.html"))
	}
	for _, found := range f.files(name) {
		if f.holds(s, found) {
			return evidence{where: found}, true
		}
	}
	return evidence{}, false
}

// holds reports whether a file is, or says, what the sign looks for.
func (f *finder) holds(s sign, name string) bool {
	switch s.kind {
	case signContent:
		return strings.Contains(strings.ToLower(f.text(name)), strings.ToLower(s.text))
	case signSetting:
		return f.program(name).has(s.text)
	}
	return true
}

// files returns the plain files that a name or a pattern means.
func (f *finder) files(name string) []string {
	names := []string{name}
	if strings.ContainsAny(name, "*?[") {
		names, _ = fs.Glob(f.root, name) // the patterns are the table's own
	}
	return slices.DeleteFunc(names, func(n string) bool { return !isFile(f.root, n) })
}

// String says the sign in words.
func (s sign) String() string {
	list := "`" + strings.Join(s.names, "` or `") + "`"
	switch s.kind {
	case signDep:
		return "package " + list
	case signScript:
		return "script " + list
	case signPage:
		return "`index.html` in " + strings.ReplaceAll(list, "`.`", "the folder")
	case signContent, signSetting:
		return "`" + s.text + "` in " + list
	case signAll:
		return joinSigns(s.of, " and ")
	case signSome:
		return joinSigns(s.of, ", or ")
	case signNone:
		return "no " + joinSigns(s.of, " nor ")
	}
	return list
}

func joinSigns(of []sign, with string) string {
	words := make([]string, len(of))
	for i, o := range of {
		words[i] = o.String()
		if o.kind == signSome && with == " and " {
			words[i] = "(" + words[i] + ")"
		}
	}
	return strings.Join(words, with)
}
