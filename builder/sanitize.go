package builder

import (
	"slices"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// lineWriter turns what a command prints into lines that are safe to show: UTF-8, no
// control character but tab, no escape sequence but colours, none longer than
// hosting.MaxLogLine. Of a progress bar that redraws itself with carriage returns, what it
// showed last is kept. It holds at most one line in memory, whatever is written.
//
// With a veil, what comes from a secret is masked before the line is split.
type lineWriter struct {
	emit func(line string)
	veil *veil // nil: nothing is masked

	state   escState
	line    []byte
	params  []byte // of the control sequence that is being read
	partial []byte // of a rune that is being read
	redraw  bool   // the last byte was a carriage return
	split   bool   // part of this line was emitted already
}

type escState uint8

const (
	escNone   escState = iota
	escBegun           // after ESC
	escCSI             // after ESC [
	escString          // in a string that ends with BEL or ST: OSC, DCS, SOS, PM, APC
	escEnding          // in such a string, after ESC
)

const esc = 0x1b

func newLineWriter(m *masker, emit func(line string)) *lineWriter {
	w := &lineWriter{emit: emit}
	if m != nil {
		w.veil = &veil{mask: m, out: w.put}
	}
	return w
}

// maxParams is longer than any colour's parameters.
const maxParams = 64

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if n := w.plain(p[i:]); n > 0 {
			w.line = append(w.line, p[i:i+n]...)
			i += n
			continue
		}
		w.read(p[i])
		i++
	}
	return len(p), nil
}

// plain is how many bytes at the beginning of p can be added as they are: nearly all of what is
// printed is printable ASCII.
func (w *lineWriter) plain(p []byte) (n int) {
	if w.veil != nil || w.state != escNone || w.redraw || len(w.partial) > 0 {
		return 0
	}
	for n < min(len(p), hosting.MaxLogLine-len(w.line)) && p[n] >= 0x20 && p[n] < 0x7f {
		n++
	}
	return n
}

// Close emits what stands after the last line ending.
func (w *lineWriter) Close() error {
	w.flushPartial()
	w.settle()
	if len(w.line) > 0 {
		w.emitLine()
	}
	return nil
}

func (w *lineWriter) read(b byte) {
	if b == '\n' { // ends whatever is open: a sequence that never ends must not hide the rest
		w.flushPartial()
		w.state, w.redraw = escNone, false
		w.settle()
		if len(w.line) > 0 || !w.split {
			w.emitLine()
		}
		w.split = false
		return
	}
	if w.redraw && b != '\r' {
		w.redraw = false
		w.settle()
		w.line = w.line[:0]
	}
	switch w.state {
	case escNone:
		w.text(b)
	case escBegun:
		w.begun(b)
	case escCSI:
		w.csi(b)
	case escString:
		switch b {
		case 0x07, 0x18, 0x1a:
			w.state = escNone
		case esc:
			w.state = escEnding
		}
	case escEnding:
		w.state = escNone
		if b != '\\' {
			w.begun(b)
		}
	}
}

func (w *lineWriter) text(b byte) {
	if b >= utf8.RuneSelf {
		w.multibyte(b)
		return
	}
	w.flushPartial()
	switch {
	case b == esc:
		w.state = escBegun
	case b == '\r':
		w.redraw = true
	case b == '\t' || b >= 0x20 && b != 0x7f:
		w.add(b)
	}
}

func (w *lineWriter) begun(b byte) {
	switch {
	case b == '[':
		w.state, w.params = escCSI, w.params[:0]
	case b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_':
		w.state = escString
	case b == esc || b >= 0x20 && b <= 0x2f: // again, or an intermediate byte: more follows
		w.state = escBegun
	default:
		w.state = escNone
	}
}

func (w *lineWriter) csi(b byte) {
	switch {
	case b == esc:
		w.state = escBegun
	case b >= 0x40 && b <= 0x7e:
		w.state = escNone
		if b == 'm' && isColour(w.params) {
			w.add(slices.Concat([]byte{esc, '['}, w.params, []byte{'m'})...)
		}
	case b >= 0x20 && b <= 0x3f:
		if len(w.params) <= maxParams {
			w.params = append(w.params, b)
		}
	case b >= utf8.RuneSelf:
		w.state = escNone
		w.text(b)
	}
}

// isColour reports whether the parameters are those of a plain SGR sequence: others ending
// in m exist, and set modes of the terminal.
func isColour(params []byte) bool {
	for _, b := range params {
		if (b < '0' || b > '9') && b != ';' && b != ':' {
			return false
		}
	}
	return len(params) <= maxParams
}

func (w *lineWriter) multibyte(b byte) {
	if utf8.RuneStart(b) {
		w.flushPartial()
	}
	w.partial = append(w.partial, b)
	if !utf8.FullRune(w.partial) {
		return
	}
	r, size := utf8.DecodeRune(w.partial)
	if r == utf8.RuneError && size <= 1 {
		w.flushPartial()
		return
	}
	if r > 0x9f { // below are the C1 controls, sequences' beginnings among them
		w.add(w.partial...)
	}
	w.partial = w.partial[:0]
}

// flushPartial replaces bytes that turned out to be no rune.
func (w *lineWriter) flushPartial() {
	for range w.partial {
		w.add([]byte(string(utf8.RuneError))...)
	}
	w.partial = w.partial[:0]
}

// add takes bytes that belong together.
func (w *lineWriter) add(b ...byte) {
	if w.veil != nil {
		w.veil.add(b...)
		return
	}
	w.put(b...)
}

// settle ends the masking of a line.
func (w *lineWriter) settle() {
	if w.veil != nil {
		w.veil.settle()
	}
}

// put appends bytes that belong together.
func (w *lineWriter) put(b ...byte) {
	if len(w.line)+len(b) > hosting.MaxLogLine {
		w.emitLine()
		w.split = true
	}
	w.line = append(w.line, b...)
}

func (w *lineWriter) emitLine() {
	w.emit(string(w.line))
	w.line = w.line[:0]
}
