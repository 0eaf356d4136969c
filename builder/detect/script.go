package detect

import (
	"strings"
)

// tokenKind tells words from strings and signs in the text of a program.
type tokenKind byte

const (
	tokenWord   tokenKind = iota // a name, a number, true
	tokenString                  // its text is what stands between the quotes
	tokenSign                    // one character
	tokenOpaque                  // a template with a hole, a regular expression
)

type token struct {
	kind tokenKind
	text string
	line int
}

// is reports whether a token is the sign c.
func (t token) is(c string) bool { return t.kind == tokenSign && t.text == c }

// lexer cuts JavaScript, TypeScript and JSON with comments into tokens. It needs no grammar:
// text that is no program gives tokens that nobody looks for.
type lexer struct {
	src  string
	at   int
	line int
	out  []token
}

func tokens(src string) []token {
	l := lexer{src: src, line: 1}
	for l.at < len(l.src) {
		l.next()
	}
	return l.out
}

func (l *lexer) next() {
	c := l.src[l.at]
	switch {
	case c == '\n':
		l.line++
		l.at++
	case c <= ' ':
		l.at++
	case strings.HasPrefix(l.src[l.at:], "//"):
		l.skip(strings.IndexByte(l.src[l.at:], '\n'))
	case strings.HasPrefix(l.src[l.at:], "/*"):
		end := strings.Index(l.src[l.at+2:], "*/")
		if end >= 0 {
			end += 4
		}
		l.skip(end)
	case c == '"' || c == '\'':
		l.quoted(c)
	case c == '`':
		l.template()
	case c == '/' && l.beginsExpression():
		l.expression()
	case isWord(c):
		start := l.at
		for l.at < len(l.src) && isWord(l.src[l.at]) {
			l.at++
		}
		l.add(tokenWord, l.src[start:l.at])
	default:
		l.add(tokenSign, string(rune(c)))
		l.at++
	}
}

func (l *lexer) add(kind tokenKind, text string) { l.out = append(l.out, token{kind, text, l.line}) }

// skip goes on n bytes, or to the end where n is negative, and counts the lines.
func (l *lexer) skip(n int) {
	if n < 0 {
		n = len(l.src) - l.at
	}
	l.line += strings.Count(l.src[l.at:l.at+n], "\n")
	l.at += n
}

// quoted reads a string, which ends with its line at the latest.
func (l *lexer) quoted(quote byte) {
	var b strings.Builder
	for l.at++; l.at < len(l.src) && l.src[l.at] != '\n'; l.at++ {
		c := l.src[l.at]
		if c == quote {
			l.at++
			break
		}
		if c == '\\' && l.at+1 < len(l.src) && l.src[l.at+1] != '\n' {
			l.at++
			c = l.src[l.at]
		}
		b.WriteByte(c)
	}
	l.add(tokenString, b.String())
}

// template reads `text`; with ${a hole} in it, it is opaque.
func (l *lexer) template() {
	start, kind, depth := l.at+1, tokenString, 0
	end := start
	for ; end < len(l.src); end++ {
		c := l.src[end]
		if c == '`' && depth == 0 {
			break
		}
		switch {
		case c == '\\':
			end++
		case strings.HasPrefix(l.src[end:], "${"):
			kind = tokenOpaque
			depth++
			end++
		case c == '{' && depth > 0:
			depth++
		case c == '}' && depth > 0:
			depth--
		}
	}
	end = min(end, len(l.src))
	l.add(kind, l.src[start:end])
	l.skip(min(end+1, len(l.src)) - l.at)
}

// beginsExpression reports whether a slash here begins a regular expression: it cannot divide
// what is no value.
func (l *lexer) beginsExpression() bool {
	if len(l.out) == 0 {
		return true
	}
	last := l.out[len(l.out)-1]
	return last.kind == tokenSign && strings.Contains("(,=:[!&|?{};+", last.text) || last.kind == tokenWord && last.text == "return"
}

// expression reads a regular expression, which ends with its line at the latest.
func (l *lexer) expression() {
	class := false
	for l.at++; l.at < len(l.src) && l.src[l.at] != '\n'; l.at++ {
		c := l.src[l.at]
		if c == '/' && !class {
			l.at++
			break
		}
		switch c {
		case '\\':
			if l.at+1 < len(l.src) && l.src[l.at+1] != '\n' {
				l.at++
			}
		case '[':
			class = true
		case ']':
			class = false
		}
	}
	l.add(tokenOpaque, "")
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// value is what a configuration sets something to.
type value struct {
	path    string // of the names that lead to it, as build.outDir
	text    string
	literal bool // it is written there; else it is computed
	file    string
	line    int
}

// maxNested is how deep names are followed.
const maxNested = 16

// values lists what objects of a program set, by the names that lead there. What stands in a
// call belongs to the name in front of it: plugins: [dts({outDir: "x"})] is plugins.outDir,
// and so is not taken for build.outDir. A call with one string is listed as name().
func values(toks []token) (found []value) {
	type level struct {
		open, name string
	}
	levels := []level{{}}
	at := func(i int) token {
		if i < 0 || i >= len(toks) {
			return token{kind: tokenSign, text: ";"}
		}
		return toks[i]
	}
	for i, t := range toks {
		inner := &levels[len(levels)-1]
		switch {
		case t.is("{") || t.is("[") || t.is("("):
			levels = append(levels, level{open: t.text})
		case t.is("}") || t.is("]") || t.is(")"):
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
		case t.is(","), t.is(";"):
			inner.name = ""
		case t.kind == tokenWord && at(i+1).is("(") && at(i+2).kind == tokenString && at(i+3).is(")"):
			found = append(found, value{path: t.text + "()", text: at(i + 2).text, literal: true, line: t.line})
		case (t.kind == tokenWord || t.kind == tokenString) && inner.open == "{" && at(i+1).is(":") && (at(i-1).is("{") || at(i-1).is(",")):
			inner.name = t.text
			if len(levels) > maxNested {
				continue
			}
			var names []string
			for _, l := range levels {
				if l.name != "" {
					names = append(names, l.name)
				}
			}
			v := at(i + 2)
			found = append(found, value{
				path: strings.Join(names, "."), text: v.text, line: t.line,
				literal: isLiteral(v) && endsValue(at(i+3)),
			})
		}
	}
	return found
}

func isLiteral(t token) bool {
	return t.kind == tokenString || t.kind == tokenWord && (t.text == "true" || t.text == "false")
}

// endsValue reports whether nothing more is computed with what stands before t.
func endsValue(t token) bool {
	return t.is(",") || t.is("}") || t.is(";") || t.kind == tokenWord && (t.text == "as" || t.text == "satisfies")
}
