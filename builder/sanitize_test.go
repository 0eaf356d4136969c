package builder

import (
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func linesOf(chunks ...string) []string {
	var lines []string
	w := newLineWriter(nil, func(s string) { lines = append(lines, s) })
	for _, c := range chunks {
		_, _ = w.Write([]byte(c))
	}
	_ = w.Close()
	return lines
}

func TestLineWriter_KeepsWhatMayBeShown(t *testing.T) {
	long := strings.Repeat("x", hosting.MaxLogLine)
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"lines":                      {"a\nb\n", []string{"a", "b"}},
		"no final line ending":       {"a\nb", []string{"a", "b"}},
		"empty lines":                {"\n\na\n", []string{"", "", "a"}},
		"CRLF":                       {"a\r\nb\r\n", []string{"a", "b"}},
		"progress keeps the last":    {"10%\r50%\r100%\ndone\n", []string{"100%", "done"}},
		"progress that ends with CR": {"10%\r50%\r\r\nok", []string{"50%", "ok"}},
		"colours":                    {"\x1b[1;32mok\x1b[0m\n", []string{"\x1b[1;32mok\x1b[0m"}},
		"true colours":               {"\x1b[38:2::255:0:0mred\x1b[m", []string{"\x1b[38:2::255:0:0mred\x1b[m"}},
		"cursor moves":               {"a\x1b[2K\x1b[1Gb\x1b[?25l", []string{"ab"}},
		"private m":                  {"\x1b[>4;2mx\x1b[?1m", []string{"x"}},
		"title (OSC, BEL)":           {"\x1b]0;evil\x07a", []string{"a"}},
		"clipboard (OSC 52, ST)":     {"\x1b]52;c;ZXZpbA==\x1b\\a", []string{"a"}},
		"link (OSC 8)":               {"\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", []string{"text"}},
		"DCS":                        {"\x1bPq#0;2\x1b\\a", []string{"a"}},
		"a string that never ends":   {"\x1b]0;evil\nb\n", []string{"", "b"}},
		"two-byte escapes":           {"\x1bca\x1b(Bb\x1b7", []string{"ab"}},
		"escape in a sequence":       {"\x1b[3\x1b[32mok", []string{"\x1b[32mok"}},
		"controls":                   {"a\x00\x08\x0b\x7fb\tc", []string{"ab\tc"}},
		"C1 controls":                {"a\u009b31mb\u0085c", []string{"a31mbc"}},
		"invalid UTF-8":              {"a\xffb\xc3\n\xe2\x82", []string{"a\uFFFDb\uFFFD", "\uFFFD\uFFFD"}},
		"a rune that breaks off":     {"\xe2\x82a", []string{"\uFFFD\uFFFDa"}},
		"many bytes to a rune":       {"日本語 🚢", []string{"日本語 🚢"}},
		"a line of the full length":  {long + "\n", []string{long}},
		"a line one too long":        {long + "y\n", []string{long, "y"}},
		"a colour with no end":       {"\x1b[" + strings.Repeat("1;", 500) + "mx", []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := linesOf(c.in); !slices.Equal(got, c.want) {
				t.Errorf("got %.200q\nwant %.200q", got, c.want)
			}
			if got := linesOf(strings.Split(c.in, "")...); len(c.in) < 1000 && !slices.Equal(got, c.want) {
				t.Errorf("byte by byte: got %.200q\nwant %.200q", got, c.want)
			}
		})
	}
}

func TestLineWriter_NeverSplitsARuneOrAColour(t *testing.T) {
	for pad := range 8 {
		in := strings.Repeat("x", hosting.MaxLogLine-pad) + "é\x1b[32m日"
		got := linesOf(in)
		if strings.Join(got, "") != in {
			t.Errorf("%d: something was lost", pad)
		}
		for _, l := range got {
			if err := CheckShown(l); err != nil {
				t.Errorf("%d: %v", pad, err)
			}
		}
	}
}

func TestLineWriter_HoldsOneLineInMemory(t *testing.T) {
	n := 0
	w := &lineWriter{emit: func(s string) { n += len(s) }}
	chunk := []byte(strings.Repeat("x", 1<<16))
	for range 8 {
		_, _ = w.Write(chunk)
	}
	if cap(w.line) > 2*hosting.MaxLogLine {
		t.Errorf("it holds %d bytes", cap(w.line))
	}
	_ = w.Close()
	if n != 8<<16 {
		t.Errorf("%d bytes came out", n)
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"a\r\nb", "\x1b[31mred\x1b[0m", "\x1b]52;c;x\x07", "\x1b[?25l\xff\xc3", "10%\r20%\n", "\u009b1m"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		whole := linesOf(string(b))
		for _, l := range whole {
			if err := CheckShown(l); err != nil {
				t.Fatal(err)
			}
		}
		if cut > 0 && cut < len(b) {
			if got := linesOf(string(b[:cut]), string(b[cut:])); !slices.Equal(got, whole) {
				t.Fatalf("cut at %d: %q, whole: %q", cut, got, whole)
			}
		}
	})
}
