package cli

import (
	"fmt"
	"strings"
)

// variable is one to be set.
type variable struct{ name, value string }

// parseDotenv reads lines of NAME=VALUE, with "export" before them or not. A value in single
// quotes is taken as it is, one in double quotes with \n, \r, \t, \" and \\ read; both may go
// over lines. Other values end at the line's end or before " #". Nothing is replaced in any of
// them. Errors name the line and never what stands in it.
func parseDotenv(text string) ([]variable, error) {
	d := &dotenv{rest: strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), line: 1}
	var vars []variable
	for {
		d.skip()
		if d.rest == "" {
			return vars, nil
		}
		begin := d.line
		v, err := d.next()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", begin, err)
		}
		vars = append(vars, v)
	}
}

// dotenv is what is still to be read of a file.
type dotenv struct {
	rest string
	line int
}

// take returns the next n bytes, and goes on behind them.
func (d *dotenv) take(n int) string {
	s := d.rest[:n]
	d.rest = d.rest[n:]
	d.line += strings.Count(s, "\n")
	return s
}

// toEnd takes the rest of the line, and its end.
func (d *dotenv) toEnd() string {
	n := strings.IndexByte(d.rest, '\n')
	if n < 0 {
		return d.take(len(d.rest))
	}
	s := d.take(n)
	d.take(1)
	return s
}

// skip goes over white space and comments.
func (d *dotenv) skip() {
	for {
		d.take(len(d.rest) - len(strings.TrimLeft(d.rest, " \t\r\n")))
		if !strings.HasPrefix(d.rest, "#") {
			return
		}
		d.toEnd()
	}
}

func (d *dotenv) next() (variable, error) {
	end := strings.IndexAny(d.rest, "=\n")
	if end < 0 || d.rest[end] != '=' {
		return variable{}, fmt.Errorf("there is no =")
	}
	name := strings.TrimSpace(d.take(end))
	d.take(1)
	if fields := strings.Fields(name); len(fields) == 2 && fields[0] == "export" {
		name = fields[1]
	}
	if !isName(name) {
		return variable{}, fmt.Errorf("what stands before = is no name")
	}
	d.take(len(d.rest) - len(strings.TrimLeft(d.rest, " \t")))
	value, err := d.value()
	return variable{name, value}, err
}

func (d *dotenv) value() (string, error) {
	if d.rest == "" || d.rest[0] != '\'' && d.rest[0] != '"' {
		value := " " + d.toEnd()
		for _, mark := range []string{" #", "\t#"} {
			value, _, _ = strings.Cut(value, mark)
		}
		return strings.TrimSpace(value), nil
	}
	quote := d.take(1)[0]
	value, ok := d.quoted(quote)
	if !ok {
		return "", fmt.Errorf("the quote does not end")
	}
	if rest := strings.TrimSpace(d.toEnd()); rest != "" && !strings.HasPrefix(rest, "#") {
		return "", fmt.Errorf("something stands behind the quote")
	}
	return value, nil
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\'}

// quoted takes up to the quote that ends the value.
func (d *dotenv) quoted(quote byte) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(d.rest); i++ {
		c := d.rest[i]
		switch {
		case c == quote:
			d.take(i + 1)
			return b.String(), true
		case c == '\\' && quote == '"' && i+1 < len(d.rest) && escapes[d.rest[i+1]] != 0:
			i++
			c = escapes[d.rest[i]]
		}
		b.WriteByte(c)
	}
	return "", false
}

// isName reports whether s can be the name of an environment variable.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
