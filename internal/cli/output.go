package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// style puts colour around words, or does not.
type style struct{ on bool }

func (s style) wrap(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string  { return s.wrap("1", text) }
func (s style) muted(text string) string { return s.wrap("2", text) }
func (s style) red(text string) string   { return s.wrap("31", text) }
func (s style) green(text string) string { return s.wrap("32", text) }
func (s style) blue(text string) string  { return s.wrap("34", text) }

// output is where a command speaks: results to out, all else to err.
type output struct {
	out, err           io.Writer
	outStyle, errStyle style
	watched            bool // a person sees err, and it can move
	json               bool
}

func newOutput(env Env, g *globals) output {
	colour := env.Getenv("NO_COLOR") == "" && !g.noColor && env.Getenv("TERM") != "dumb"
	terminal := func(w io.Writer) bool { return env.IsTerminal != nil && env.IsTerminal(w) }
	return output{
		out: env.Stdout, err: env.Stderr,
		outStyle: style{colour && terminal(env.Stdout)},
		errStyle: style{colour && terminal(env.Stderr)},
		watched:  terminal(env.Stderr) && env.Getenv("TERM") != "dumb" && !g.json,
		json:     g.json,
	}
}

// say tells a person what happens; programs that asked for JSON are not told.
func (o output) say(format string, args ...any) {
	if !o.json {
		fmt.Fprintf(o.err, format+"\n", args...)
	}
}

// result prints a line that the command was run for.
func (o output) result(line string) error {
	_, err := fmt.Fprintln(o.out, line)
	return err
}

// document prints v as the one JSON document of the command.
func (o output) document(v any) error {
	e := json.NewEncoder(o.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// event prints v as one line of JSON.
func (o output) event(v any) error {
	e := json.NewEncoder(o.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// plain makes text fit for one line of a terminal, whoever wrote it: names, messages and
// reasons come from repositories and builds.
func plain(s string) string {
	return strings.Join(strings.Fields(clean(s, false)), " ")
}

// clean returns s without control characters and escape sequences, but for tabs and, where
// colour is wanted, those that set colour: a build must not move the cursor, set the
// window's title or write to the clipboard of who reads its log.
func clean(s string, colour bool) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		if n := escape(s); n > 0 {
			if colour && isColour(s[:n]) {
				b.WriteString(s[:n])
			}
			s = s[n:]
			continue
		}
		i := strings.IndexFunc(s, isControl)
		switch {
		case i < 0:
			b.WriteString(s)
			return b.String()
		case i > 0:
			b.WriteString(s[:i])
			s = s[i:]
		default:
			s = skipControl(&b, s)
		}
	}
	return b.String()
}

// skipControl drops the control character at the front of s, but for a tab; a carriage
// return and a line end become a space, since words stand on both sides of it.
func skipControl(b *strings.Builder, s string) string {
	switch s[0] {
	case '\t':
		b.WriteByte('\t')
	case '\r', '\n':
		b.WriteByte(' ')
	}
	for i := range s {
		if i > 0 {
			return s[i:]
		}
	}
	return ""
}

// isControl reports C0, DEL and C1, and the marks by which text can be shown in another
// order than it is written in.
func isControl(r rune) bool {
	return r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}

// escape returns the length of the escape sequence at the front of s, 0 where there is none.
func escape(s string) int {
	if len(s) < 2 || s[0] != 0x1b {
		return 0
	}
	switch s[1] {
	case '[': // CSI: parameters and intermediates, then one final byte
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return i
			}
		}
		return len(s)
	case ']', 'P', '^', '_', 'X': // a string, up to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}

// isColour reports whether the sequence only sets colour and weight.
func isColour(seq string) bool {
	return strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m") &&
		strings.Trim(seq[2:len(seq)-1], "0123456789;:") == ""
}
