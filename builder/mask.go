package builder

import (
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// masked stands for what comes from a secret, as other build systems print it.
	masked = "***"
	// minSecret is the shortest value, or line of a value, that is masked, in bytes: a
	// shorter one stands in too many innocent words.
	minSecret = 6
	// minPiece is from how many bytes on a part of a form is masked too, so that wrapping a
	// secret, or cutting it off, does not show it.
	minPiece = 32

	// gramSize is how many bytes of a form find it in a text, and gramStep how far apart
	// these stand: a piece of minPiece bytes holds one of them whole.
	gramSize = minSecret
	gramStep = minPiece - gramSize + 1
	gramMask = 1<<(8*gramSize) - 1
	// reach is how far before and behind a byte the text matters for whether it is masked.
	reach = gramSize + 2*minPiece
)

// masker finds what comes from secrets in a text. It is immutable and safe for concurrent
// use; a nil masker finds nothing.
//
// Each form of a secret shorter than minPiece is found whole, and of each longer one every
// piece of at least minPiece bytes. The memory is a few bytes for each byte of the forms, and
// the time does not depend on how many there are, unless they look much alike.
type masker struct {
	forms  []string
	places []place
	grams  map[uint64]int32 // the first place of each gram
	filter []uint64         // a bit for the hash of each gram: most of a text is in none
	shift  uint
}

// place is where in a form a gram stands.
type place struct{ form, at, next int32 }

// span is a part of a text.
type span struct{ from, to int }

// newMasker returns what masks the values of the secret variables, nil if there is nothing
// to mask.
func newMasker(vars []hosting.JobVariable) *masker {
	m := &masker{grams: map[uint64]int32{}}
	known := map[string]bool{}
	for _, v := range vars {
		if !v.Secret {
			continue
		}
		for form := range formsOf(v.Value) {
			if !known[form] {
				known[form] = true
				m.add(form)
			}
		}
	}
	if len(m.forms) == 0 {
		return nil
	}
	m.sift()
	return m
}

func (m *masker) add(form string) {
	n := int32(len(m.forms))
	m.forms = append(m.forms, form)
	for at := 0; at+gramSize <= len(form); at += gramStep {
		m.index(place{form: n, at: int32(at)})
		if len(form) < minPiece {
			return // found whole, or not
		}
	}
}

// maxAlike is among how many places of a gram a new one's twin is looked for.
const maxAlike = 8

// index adds a place, unless a text that matches there matches at one that is known: a form
// that repeats itself would have very many of these.
func (m *masker) index(p place) {
	key := gramOf(m.forms[p.form][p.at:])
	first, found := m.grams[key]
	p.next = -1
	if found {
		p.next = first
		for n, at := 0, first; at >= 0 && n < maxAlike; n, at = n+1, m.places[at].next {
			if m.around(m.places[at]) == m.around(p) {
				return
			}
		}
	}
	m.grams[key] = int32(len(m.places))
	m.places = append(m.places, p)
}

// around is all of a form that is compared with a text at the place.
func (m *masker) around(p place) string {
	form, at := m.forms[p.form], int(p.at)
	return form[max(0, at-minPiece):min(len(form), at+gramSize+minPiece)]
}

// sift makes the filter, with 16 bits or more for each gram.
func (m *masker) sift() {
	bits := uint(10)
	for 1<<bits < 16*len(m.grams) {
		bits++
	}
	m.filter, m.shift = make([]uint64, 1<<(bits-6)), 64-bits
	for key := range m.grams {
		h := m.hash(key)
		m.filter[h/64] |= 1 << (h % 64)
	}
}

func (m *masker) hash(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> m.shift }

func gramOf(s string) (key uint64) {
	for i := range gramSize {
		key = key<<8 | uint64(s[i])
	}
	return key
}

// find appends the parts of the text that come from secrets, in order. None touch.
func (m *masker) find(spans []span, text []byte) []span {
	var key uint64
	for i, b := range text {
		key = (key<<8 | uint64(b)) & gramMask
		if h := m.hash(key); i+1 < gramSize || m.filter[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		at, ok := m.grams[key]
		for ; ok && at >= 0; at = m.places[at].next {
			if s := m.match(text, i+1-gramSize, m.places[at]); s.from < s.to {
				spans = join(spans, s)
			}
		}
	}
	return spans
}

// match returns the part of the text around from, where the place's gram stands, that
// comes from its form.
func (m *masker) match(text []byte, from int, p place) span {
	form, at := m.forms[p.form], int(p.at)
	if len(form) < minPiece {
		if len(text)-from >= len(form) && string(text[from:from+len(form)]) == form {
			return span{from, from + len(form)}
		}
		return span{}
	}
	s := span{from, from + gramSize}
	for n := 1; n <= min(minPiece, from, at) && text[from-n] == form[at-n]; n++ {
		s.from--
	}
	at += gramSize
	for n := 0; n < min(minPiece, len(text)-from-gramSize, len(form)-at) && text[s.to] == form[at+n]; n++ {
		s.to++
	}
	if s.to-s.from < minPiece {
		return span{}
	}
	return s
}

// join adds a span, which may begin before the last ones but does not end before them.
func join(spans []span, s span) []span {
	for n := len(spans); n > 0 && spans[n-1].to >= s.from; n = len(spans) {
		s.from, s.to = min(s.from, spans[n-1].from), max(s.to, spans[n-1].to)
		spans = slices.Delete(spans, n-1, n)
	}
	return append(spans, s)
}

// text masks a text that is whole, such as a reason.
func (m *masker) text(s string) string {
	if m == nil {
		return s
	}
	var b strings.Builder
	v := veil{mask: m, text: []byte(s), out: func(unit ...byte) { _, _ = b.Write(unit) }}
	v.settle()
	return b.String()
}
