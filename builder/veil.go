package builder

import (
	"slices"
	"unicode/utf8"
)

const (
	// veilChunk is after how many bytes a line that goes on is masked so far.
	veilChunk = 4 << 10
	// maxColours bounds the colours that are held back, in bytes, so that a program which
	// prints nothing else does not fill the memory. That many inside one secret would show it.
	maxColours = 64 << 10
)

// veil masks what is printed, one line after the other, before it is split. It holds back
// what may still turn out to be a secret's beginning. Colours do not count as text: they are
// passed on where they stand, behind the mask if they stand in a secret.
type veil struct {
	mask *masker
	out  func(unit ...byte) // takes a rune, a colour or the mask, never a part of one

	text    []byte // of the line; first the end of what is out already
	gone    int    // bytes of text that are out
	colours []colour
	size    int  // bytes of the colours
	hidden  bool // the last byte that is out was masked
	spans   []span
}

// colour is a sequence that stands before the byte at of the text.
type colour struct {
	at  int
	seq string
}

// add takes a rune or a colour.
func (v *veil) add(unit ...byte) {
	if unit[0] == esc {
		v.colours = append(v.colours, colour{len(v.text), string(unit)})
		if v.size += len(unit); v.size > maxColours {
			v.settle()
		}
		return
	}
	v.text = append(v.text, unit...)
	if len(v.text) >= veilChunk+2*reach {
		v.advance(len(v.text) - reach)
		v.forget()
	}
}

// settle passes on all that is left: the line has ended.
func (v *veil) settle() {
	v.advance(len(v.text))
	for _, c := range v.colours {
		v.out([]byte(c.seq)...)
	}
	v.text, v.colours = v.text[:0], v.colours[:0]
	v.gone, v.size, v.hidden = 0, 0, false
}

// advance passes on the text before to, but for a rune that to falls into.
func (v *veil) advance(to int) {
	v.spans = v.mask.find(v.spans[:0], v.text)
	spans := v.spans
	for v.gone < to {
		_, n := utf8.DecodeRune(v.text[v.gone:])
		if v.gone+n > to {
			return
		}
		for len(spans) > 0 && spans[0].to <= v.gone {
			spans = spans[1:]
		}
		v.colour(v.gone)
		hidden := len(spans) > 0 && spans[0].from < v.gone+n
		switch {
		case !hidden:
			v.out(v.text[v.gone : v.gone+n]...)
		case !v.hidden:
			v.out([]byte(masked)...)
		}
		v.hidden = hidden
		v.gone += n
	}
}

// colour passes on the colours that stand before the byte at of the text, or earlier.
func (v *veil) colour(at int) {
	for len(v.colours) > 0 && v.colours[0].at <= at {
		v.out([]byte(v.colours[0].seq)...)
		v.size -= len(v.colours[0].seq)
		v.colours = v.colours[1:]
	}
}

// forget drops the text that is out and no longer matters for what follows.
func (v *veil) forget() {
	n := max(0, v.gone-reach)
	v.text = slices.Delete(v.text, 0, n)
	v.gone -= n
	for i := range v.colours {
		v.colours[i].at -= n
	}
}
