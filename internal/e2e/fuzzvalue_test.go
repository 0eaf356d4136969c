package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rawJSON is put into a body as it is, whether it is JSON or not.
type rawJSON string

// nasty are texts that programs trip over. Some of them may end up as a build command, so
// none of them does anything in a shell.
var nasty = []string{
	"", " ", ".", "..", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "\x00", "a\x00b", "\r\nX-Injected: yes", "\n", "\xff\xfe", "caf\xe9", "\xed\xa0\x80",
	"\u202e\u2066", "\ufeff", "İ", "ß", strings.Repeat("é", 300), strings.Repeat("a", 70_000), "%s%n%d", "{{7*7}}", "' OR 1=1 --", "*", "null", "true", "-1", "0", "1e400",
	"9223372036854775808", "NaN", "team_default", "dpl_", "usr_aaaaaaaaaaaaaaaaaaaaaaaaaa", "prj_AAAA", "tok_aaaaaaaaaaaaaaaaaaaaaaaaaa", "%zz", "a%2Fb", "a/b", "a\\b", "http://127.0.0.1:1/x.git", "-o", "--",
}

// nastyJSON are values of whatever type, and what only looks like one.
var nastyJSON = []rawJSON{
	"null", "true", "false", "0", "-0", "-1", "1.5", "1e400", "-1e400", "9223372036854775807", "9223372036854775808", "123456789012345678901234567890",
	`""`, `"\u0000"`, `"\ud800"`, `"\r\n"`, `"a` + "\x00" + `b"`, `"` + "\xff\xc0\xaf" + `"`, `[]`, `{}`, `[[]]`, `[null]`, `{"":""}`, `{"__proto__":{}}`, `{"$ref":"#"}`, `{"a":1,"a":2}`,
	`undefined`, `NaN`, `'x'`, `01`, `"`, `[`, `{`, `{"a":}`, `,`, `/**/1`, `"\x"`, `"2026-13-45T25:61:61Z"`, `"0000-00-00"`,
	rawJSON(`"` + strings.Repeat("a", 100_000) + `"`), rawJSON(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)),
	rawJSON(strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000)), rawJSON("[" + strings.Repeat("1,", 50_000) + "1]"), rawJSON(strings.Repeat("9", 5_000)),
}

// maker makes values from schemas.
type maker struct {
	rand    *rand.Rand
	schemas map[string]*schema
	known   map[string][]string // name of a parameter or property -> values that there are
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// chance is true so many times in a hundred.
func (m *maker) chance(percent int) bool { return m.rand.IntN(100) < percent }

// make returns a value that the schema allows, or nearly.
func (m *maker) make(s *schema, name string, depth int) any {
	if s == nil || depth > 8 {
		return nil
	}
	if s.Ref != "" {
		return m.make(m.schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]], name, depth+1)
	}
	if len(s.Enum) > 0 {
		return pick(m.rand, s.Enum)
	}
	kind, _ := s.Type.(string)
	if kinds, ok := s.Type.([]any); ok && len(kinds) > 0 {
		kind, _ = pick(m.rand, kinds).(string)
	}
	switch kind {
	case "object":
		return m.object(s, depth)
	case "array":
		list := []any{}
		for range m.rand.IntN(3) {
			list = append(list, m.make(s.Items, name, depth+1))
		}
		return list
	case "integer", "number":
		least := 0.0
		if s.Minimum != nil {
			least = *s.Minimum
		}
		return int64(least) + int64(m.rand.IntN(50))
	case "boolean":
		return m.chance(50)
	case "string":
		return m.text(s, name)
	}
	return nil
}

func (m *maker) object(s *schema, depth int) map[string]any {
	o := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if name != "$schema" && (slices.Contains(s.Required, name) || m.chance(50)) {
			o[name] = m.make(s.Properties[name], name, depth+1)
		}
	}
	return o
}

// text is a string that fits its property by name: none of them leads beyond this machine.
func (m *maker) text(s *schema, name string) string {
	if known := m.known[name]; len(known) > 0 && m.chance(70) {
		return pick(m.rand, known)
	}
	switch {
	case strings.HasSuffix(strings.ToLower(name), "url"):
		return "http://127.0.0.1:1/x.git"
	case name == "email":
		return fmt.Sprintf("fuzz%d@people.test", m.rand.IntN(1_000_000))
	case s.Format == "date-time":
		return "2026-11-26T08:00:00Z"
	}
	n := s.MinLength + m.rand.IntN(12)
	if s.MaxLength > 0 {
		n = min(n, s.MaxLength)
	}
	b := make([]byte, max(n, 1))
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789-"[m.rand.IntN(37)]
	}
	return string(b)
}

// spoil changes one place somewhere in a value.
func (m *maker) spoil(v any) any {
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		switch n := m.rand.IntN(10); {
		case n == 0 || len(names) == 0:
			v[pick(m.rand, nasty)] = pick(m.rand, nastyJSON)
		case n == 1:
			delete(v, pick(m.rand, names))
		case n < 8:
			name := pick(m.rand, names)
			v[name] = m.spoil(v[name])
		default:
			return pick(m.rand, nastyJSON)
		}
		return v
	case []any:
		if len(v) > 0 && m.chance(70) {
			i := m.rand.IntN(len(v))
			v[i] = m.spoil(v[i])
			return v
		}
	case string:
		if m.chance(50) {
			return pick(m.rand, nasty)
		}
	}
	return pick(m.rand, nastyJSON)
}

// render writes a value with its raw parts, and now and then a text that is not UTF-8 as it is.
func (m *maker) render(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			m.render(b, name)
			b.WriteByte(':')
			m.render(b, v[name])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			m.render(b, e)
		}
		b.WriteByte(']')
	case rawJSON:
		b.WriteString(string(v))
	case string:
		if m.chance(20) {
			b.WriteString(`"` + v + `"`) // not escaped
			return
		}
		j, _ := json.Marshal(v) // strings always marshal
		b.Write(j)
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	default:
		j, _ := json.Marshal(v) // what a schema's enum holds was JSON
		b.Write(j)
	}
}

// mangle damages a rendered body as a whole.
func (m *maker) mangle(b []byte) []byte {
	switch m.rand.IntN(8) {
	case 0:
		return b[:m.rand.IntN(len(b)+1)]
	case 1:
		return append(b, b...)
	case 2:
		return append([]byte("\xef\xbb\xbf"), b...)
	case 3:
		return nil
	case 4:
		return []byte(pick(m.rand, nasty))
	case 5:
		return []byte(pick(m.rand, nastyJSON))
	case 6:
		for range 1 + len(b)/20 {
			if len(b) > 0 {
				b[m.rand.IntN(len(b))] = byte(m.rand.IntN(256))
			}
		}
	default:
		return bytes.Repeat([]byte("A"), m.rand.IntN(1<<21))
	}
	return b
}

func TestMaker_MakesGoodAndBadBodies(t *testing.T) {
	s := &schema{Type: "object", Required: []string{"name"}, Properties: map[string]*schema{
		"name": {Type: "string", MinLength: 3}, "days": {Type: "integer"}, "list": {Type: "array", Items: &schema{Ref: "#/components/schemas/Item"}},
		"email": {Type: []any{"string", "null"}},
	}}
	m := &maker{rand: rand.New(rand.NewPCG(1, 1)), schemas: map[string]*schema{"Item": {Type: "object", Properties: map[string]*schema{"ok": {Type: "boolean"}}}}}
	good, bad := 0, 0
	for range 2000 {
		v := m.make(s, "", 0)
		if _, ok := v.(map[string]any)["name"].(string); !ok {
			t.Fatalf("made %v", v)
		}
		var b bytes.Buffer
		m.render(&b, v)
		if json.Valid(b.Bytes()) {
			good++
		}
		b.Reset()
		m.render(&b, m.spoil(v))
		if !json.Valid(m.mangle(b.Bytes())) {
			bad++
		}
	}
	if good < 1900 || bad < 800 {
		t.Errorf("%d of 2000 made bodies are JSON, and %d of 2000 spoilt ones are none", good, bad)
	}
}
