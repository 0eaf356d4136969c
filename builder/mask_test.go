package builder

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func secrets(values ...string) []hosting.JobVariable {
	var vars []hosting.JobVariable
	for i, v := range values {
		vars = append(vars, hosting.JobVariable{Name: fmt.Sprintf("S%d", i), Value: v, Secret: true})
	}
	return vars
}

// maskedLines is what is logged of a stream that comes in these chunks.
func maskedLines(m *masker, chunks ...string) []string {
	var lines []string
	w := newLineWriter(m, func(s string) { lines = append(lines, s) })
	for _, c := range chunks {
		_, _ = w.Write([]byte(c))
	}
	_ = w.Close()
	return lines
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const (
	password = "p/4ss+w?rd&<ü>~\"'\\x" // takes another form in everything
	longest  = "sk_live_51HqLyjWDarjtT1zdp7dc8q7PbZ0YxkK3vN2mR9sQ4wE6uI8oP0aSdFgHjKlZxCvBnM1234567890"
	rows     = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\nshort7!\nab\n-----END KEY-----\n"
)

func TestMask_HidesASecretInEachForm(t *testing.T) {
	wrap := func(s string, n int) string { return strings.Join(slices.Collect(chunksOf(s, n)), "\n") }
	std, web := base64.StdEncoding, base64.URLEncoding
	for name, c := range map[string]struct{ secret, in, want string }{
		"as it is":                 {password, "<" + password + ">", "<***>"},
		"twice":                    {password, password + password, "***"},
		"in the middle":            {"hunter2", "a hunter2, b", "a ***, b"},
		"with a line ending":       {"hunter2\n", "a hunter2", "a ***"},
		"a line of it":             {rows, "x short7! y", "x *** y"},
		"all its lines":            {rows, rows, "***\n***\n***\nab\n***"},
		"a line of it, indented":   {"a\n  hunter2  \n", "hunter2", "***"},
		"JSON":                     {password, jsonOf(map[string]string{"k": password}), `{"k":"***"}`},
		"JSON of JavaScript":       {password, `"p/4ss+w?rd&<ü>~\"'\\x"`, `"***"`},
		"JSON of Python":           {password, `"p/4ss+w?rd&<\u00fc>~\"'\\x"`, `"***"`},
		"JSON of Python, paired":   {"anchor\U0001F6A2", `"anchor\ud83d\udea2"`, `"***"`},
		"JSON in JSON":             {password, jsonOf(jsonOf(password)), `"\"***\""`},
		"lines in JSON":            {rows, jsonOf(rows), `"***"`},
		"a query":                  {password + " 1", "?a=" + url.QueryEscape(password+" 1") + "&b", "?a=***&b"},
		"a path":                   {password + " 1", "/" + url.PathEscape(password+" 1") + "/", "/***/"},
		"encodeURIComponent":       {password, "p%2F4ss%2Bw%3Frd%26%3C%C3%BC%3E~%22'%5Cx", "***"},
		"encodeURI":                {password, "p/4ss+w?rd&%3C%C3%BC%3E~%22'%5Cx", "***"},
		"percent in lower case":    {password, "p%2f4ss%2bw%3frd%26%3c%c3%bc%3e~%22%27%5cx", "***"},
		"hex":                      {password, hex.EncodeToString([]byte(password)), "***"},
		"HEX":                      {password, strings.ToUpper(hex.EncodeToString([]byte(password))), "***"},
		"base64":                   {password, std.EncodeToString([]byte(password)), "***"},
		"base64 for URLs":          {password, web.EncodeToString([]byte(password)), "***"},
		"base64 without padding":   {password, base64.RawStdEncoding.EncodeToString([]byte(password)), "***"},
		"base64 of echo":           {password, std.EncodeToString([]byte(password + "\n")), "***"},
		"base64, behind 3":         {"hunter2", std.EncodeToString([]byte("abchunter2xyz")), "YWJj***nh5eg=="},
		"base64, behind 1":         {"hunter2", std.EncodeToString([]byte("ahunter2xyz")), "YW***J4eXo="},
		"base64, behind 2":         {"hunter2", std.EncodeToString([]byte("abhunter2xyz")), "YWJ***eHl6"},
		"base64 of 24 bytes":       {longest[:24], std.EncodeToString([]byte(longest[:24] + "!")), "***IQ=="},
		"base64 of 23 bytes":       {longest[:23], std.EncodeToString([]byte(longest[:23] + "zz")), "***" + std.EncodeToString([]byte(longest[:23] + "zz"))[30:]},
		"long":                     {longest, "a " + longest + " b", "a *** b"},
		"a piece of it":            {longest, "a " + longest[20:20+minPiece] + " b", "a *** b"},
		"too small a piece":        {longest, longest[20 : 20+minPiece-1], longest[20 : 20+minPiece-1]},
		"long, base64":             {longest, std.EncodeToString([]byte(longest)), "***"},
		"long, base64 by base64":   {longest, wrap(std.EncodeToString([]byte(longest)), 76), "***\n***"},
		"long, base64 by echo":     {longest + "x", wrap(std.EncodeToString([]byte(longest+"x\n")), 76), "***\n***"},
		"long, base64 by openssl":  {longest, wrap(std.EncodeToString([]byte(longest)), 64), "***\n***"},
		"long, hex by xxd":         {longest, wrap(hex.EncodeToString([]byte(longest)), 60), "***\n***\n***"},
		"coloured":                 {"hunter2", "\x1b[1;31mhun\x1b[0mter\x1b[32m2\x1b[0m!", "\x1b[1;31m***\x1b[0m\x1b[32m\x1b[0m!"},
		"with a cursor's move":     {"hunter2", "hun\x1b[2Kter2", "***"},
		"after a redraw":           {"hunter2", "10%\rhunter2\r\n", "***"},
		"behind broken UTF-8":      {"hunter2", "\xc3hunter2\xff", "\uFFFD***\uFFFD"},
		"overlapping another":      {"hunter2", "hunterhunter2hunter2", "hunter***"},
		"too short for a mask":     {"abcde", "abcde", "abcde"},
		"too short without spaces": {"  abcde \n", "abcde", "abcde"},
		"another case is not it":   {"hunter2", "HUNTER2", "HUNTER2"},
		"its beginning is not it":  {"hunter2", "hunter", "hunter"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMasker(secrets(c.secret))
			want := strings.Split(c.want, "\n")
			if got := maskedLines(m, c.in); !slices.Equal(got, want) {
				t.Errorf("got %q\nwant %q", got, want)
			}
			if got := maskedLines(m, strings.Split(c.in, "")...); !slices.Equal(got, want) {
				t.Errorf("byte by byte: got %q\nwant %q", got, want)
			}
		})
	}
}

func TestMask_JoinsSecretsThatOverlap(t *testing.T) {
	m := newMasker(secrets("abcdefgh", "efghijkl", "ijklmnopqrst"))
	for in, want := range map[string]string{
		"<abcdefghijkl>": "<***>", "<abcdefghijklmnopqrst>": "<***>", "abcdefghi": "***i", "abcdefgh efghijkl": "*** ***",
	} {
		if got := m.text(in); got != want {
			t.Errorf("of %q remains %q, want %q", in, got, want)
		}
	}
}

func TestMask_TouchesNoVariableThatIsNoSecret(t *testing.T) {
	if m := newMasker([]hosting.JobVariable{{Name: "A", Value: "production"}, {Name: "B", Value: "tiny", Secret: true}}); m != nil {
		t.Error("there is something to mask")
	}
	var none *masker
	if got := none.text("production"); got != "production" {
		t.Errorf("got %q", got)
	}
}

func TestMask_HidesWhatStandsAcrossASplit(t *testing.T) {
	m := newMasker(secrets("hunter2", longest, strings.Repeat("0123456789abcdef", 4<<10)))
	huge := strings.Repeat("0123456789abcdef", 4<<10)
	for _, secret := range []string{"hunter2", longest, huge} {
		for _, at := range []int{0, 1, hosting.MaxLogLine - 4, hosting.MaxLogLine - 1, veilChunk, veilChunk + reach - 3, 2*hosting.MaxLogLine - 2} {
			before, after := strings.Repeat(".", at), strings.Repeat(":", hosting.MaxLogLine)
			got := maskedLines(m, before+secret[:3], secret[3:]+after)
			if want := before + masked + after; strings.Join(got, "") != want {
				t.Errorf("%d bytes behind %d: got %d lines, %d bytes, want %d", len(secret), at, len(got), len(strings.Join(got, "")), len(want))
			}
			for _, l := range got {
				if err := CheckShown(l); err != nil || strings.Count(l, "*")%len(masked) != 0 {
					t.Errorf("%v: a line ends in the mask: %.20q...%.20q", err, l, l[max(0, len(l)-20):])
				}
			}
		}
	}
}

func TestMask_FindsAPieceAnywhere(t *testing.T) {
	m := newMasker(secrets(longest))
	for _, form := range []string{longest, hex.EncodeToString([]byte(longest)), base64.StdEncoding.EncodeToString([]byte(longest))} {
		for from := range len(form) - minPiece + 1 {
			if got := m.text("<" + form[from:from+minPiece] + ">"); got != "<***>" {
				t.Errorf("from byte %d on remains %q", from, got)
			}
		}
	}
	// What is held back has to be enough, wherever in it a secret begins.
	for at := range veilChunk + 4*reach {
		if at < veilChunk-reach && at > reach {
			continue
		}
		for _, secret := range []string{"hunter2", longest} {
			m := newMasker(secrets(secret))
			before, after := strings.Repeat(".", at), strings.Repeat(":", 2*reach)
			if got := strings.Join(maskedLines(m, before+secret+after), ""); got != before+masked+after {
				t.Fatalf("%.7s behind %d: got %q", secret, at, strings.Trim(got, ".:"))
			}
		}
	}
}

func TestMask_HoldsLittleWhateverIsWritten(t *testing.T) {
	m := newMasker(secrets("hunter2"))
	for name, chunk := range map[string]string{"text": strings.Repeat("hunter", 1000), "colours": strings.Repeat("\x1b[1m", 1000), "both": strings.Repeat("\x1b[1mx", 1000)} {
		n := 0
		w := newLineWriter(m, func(s string) { n += len(s) })
		for range 200 {
			_, _ = w.Write([]byte(chunk))
		}
		if c := cap(w.veil.text) + cap(w.veil.colours)*24 + w.veil.size + cap(w.line); c > 2<<20 {
			t.Errorf("%s: it holds %d bytes", name, c)
		}
		_ = w.Close()
		if n != 200*len(chunk) {
			t.Errorf("%s: %d of %d bytes came out", name, n, 200*len(chunk))
		}
	}
}

func TestMask_TakesLittleMemoryForLongSecrets(t *testing.T) {
	var values []string
	for n := range 16 { // Linux hands over no more than twice as much
		values = append(values, randomText(rand.New(rand.NewPCG(1, uint64(n))), 64<<10))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := newMasker(secrets(values...))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := (after.HeapAlloc - before.HeapAlloc) >> 20; used > 48 {
		t.Errorf("the masker takes %d MiB", used)
	}
	if got := m.text("a " + values[7] + " b"); got != "a *** b" {
		t.Errorf("got %.60q", got)
	}
}

func TestMask_IsNotSlowedDownBySecretsThatRepeatThemselves(t *testing.T) {
	m := newMasker(secrets(strings.Repeat("a", 64<<10), strings.Repeat("ab", 32<<10)))
	if len(m.places) > 200 {
		t.Errorf("%d places are compared", len(m.places))
	}
	if got := m.text(strings.Repeat("a", 1000) + "c"); got != "***c" {
		t.Errorf("got %.60q", got)
	}
}

func randomText(r *rand.Rand, n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func chunksOf(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for c := range slices.Chunk([]byte(s), n) {
			if !yield(string(c)) {
				return
			}
		}
	}
}

func BenchmarkMask(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var log strings.Builder
	const lines = 1000
	for range lines {
		fmt.Fprintf(&log, "\x1b[32m✓\x1b[0m node_modules/.vite/deps/%s.js  %d kB │ gzip: 12.31 kB https://example.com/%s\n", randomText(r, 12), r.IntN(1000), randomText(r, 16))
	}
	for name, c := range map[string]struct{ secrets, size int }{
		"none": {0, 0}, "10 of 40": {10, 40}, "200 of 40": {200, 40}, "31 of 64 KiB": {31, 64 << 10}, "200 of 64 KiB": {200, 64 << 10},
	} {
		b.Run(name, func(b *testing.B) {
			var values []string
			for range c.secrets {
				values = append(values, randomText(r, c.size))
			}
			m := newMasker(secrets(values...))
			in := []byte(log.String())
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				_, _ = newLineWriter(m, func(string) {}).Write(in)
			}
			b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

func BenchmarkNewMasker(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var values []string
	for range 200 {
		values = append(values, randomText(r, 64<<10))
	}
	for _, n := range []int{10, 31, 200} {
		b.Run(fmt.Sprintf("%d of 64 KiB", n), func(b *testing.B) {
			b.ReportAllocs()
			var before, after runtime.MemStats
			var m *masker
			for b.Loop() {
				m = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				m = newMasker(secrets(values[:n]...))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
			runtime.KeepAlive(m)
		})
	}
}
