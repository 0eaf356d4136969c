package controlapi

import (
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var cssVariables = regexp.MustCompile(`--([a-z]+):#([0-9a-f]{3}|[0-9a-f]{6})\b`)

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(hex string) float64 {
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestStyle_CanBeReadByEverybody(t *testing.T) {
	light, dark, _ := strings.Cut(style, "@media(prefers-color-scheme:dark)")
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range cssVariables.FindAllStringSubmatch(css, -1) {
			if colours[m[1]] == "" {
				colours[m[1]] = m[2]
			}
		}
		for _, pair := range []struct {
			text, on string
			least    float64
		}{
			{"fg", "bg", 7}, {"soft", "bg", 4.5}, {"green", "bg", 4.5}, {"red", "bg", 4.5}, {"on", "green", 4.5},
			{"fg", "panel", 7}, {"soft", "panel", 4.5}, {"field", "bg", 3},
		} {
			if got := contrast(colours[pair.text], colours[pair.on]); got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, pair.text, pair.on, got, pair.least)
			}
		}
	}
	if c := contrast("000", "ffffff"); math.Abs(c-21) > 0.01 {
		t.Errorf("void: black on white is %f", c)
	}
}

func TestSentence_BeginsAndEnds(t *testing.T) {
	for in, want := range map[string]string{"": "", "no such thing": "No such thing.", "Done.": "Done."} {
		if got := sentence(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestField_ChecksWhatItAsksFor(t *testing.T) {
	text := field{Name: "name", Type: "text", Min: 2, Max: 3}
	choice := field{Name: "days", Options: []option{{"1", "A day"}}}
	for _, tc := range []struct {
		field field
		value string
		ok    bool
	}{
		{text, "", false}, {text, "a", false}, {text, "ab", true}, {text, "äöü", true}, {text, "abcd", false}, {text, "  ab ", true}, {text, "   ", false},
		{choice, "1", true}, {choice, "2", false}, {choice, "", false},
	} {
		f := form{Fields: []field{tc.field}}
		if got := f.fill(url.Values{tc.field.Name: {tc.value}}); got != tc.ok || (f.Fields[0].Problem == "") != tc.ok {
			t.Errorf("%s=%q: ok is %v, it says %q", tc.field.Name, tc.value, got, f.Fields[0].Problem)
		}
	}
	f := form{Fields: []field{passwordField()}}
	if f.fill(url.Values{"password": {"secret"}}); f.Fields[0].Value != "" {
		t.Error("a password goes back into the page")
	}
}

func FuzzLocalNext(f *testing.F) {
	for _, s := range []string{"/", "/cli?a=b", "//evil.example", `/\evil`, "https://evil.example/cli", "/join?link=x#y", "/cli/../x", "\x00/cli", "/%63li", "///cli"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := localNext(s)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil || u.Path != "/" && u.Path != "/cli" && u.Path != "/join" || strings.HasPrefix(got, "//") {
			t.Errorf("%q leads to %q", s, got)
		}
		if localNext(got) != got && len(got) <= maxNext {
			t.Errorf("%q leads to %q, and that to %q", s, got, localNext(got))
		}
	})
}

func FuzzReadApproval(f *testing.F) {
	f.Add(strings.Repeat("c", 43), "s", "40000", "laptop")
	f.Add("", "", "-1", "\u202e")
	f.Fuzz(func(t *testing.T, challenge, state, port, name string) {
		a, err := readApproval(url.Values{"challenge": {challenge}, "state": {state}, "port": {port}, "name": {name}})
		if err != nil {
			return
		}
		u, err := url.Parse(a.callback("code"))
		if err != nil || u.Hostname() != "127.0.0.1" || u.Scheme != "http" || u.Query().Get("state") != state {
			t.Errorf("it leads to %q", a.callback("code"))
		}
		if p, err := strconv.Atoi(u.Port()); err != nil || p < minPort || p > maxPort || strings.ContainsAny(a.origin(), " ;,'") {
			t.Errorf("the page may lead to %q", a.origin())
		}
		if again, err := readApproval(a.query()); err != nil || again != a {
			t.Errorf("%+v is read again as %+v, %v", a, again, err)
		}
	})
}
