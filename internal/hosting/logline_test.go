package hosting

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// plainJSON is what encoding/json writes.
func plainJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func TestLogLine_IsWrittenAsEncodingJSONDoes(t *testing.T) {
	var every []byte
	for c := range 256 {
		every = append(every, byte(c))
	}
	var batch LogBatch
	for _, text := range []string{"", "plain", string(every), "\u2028 \u2029 \ufffd <&> ümläut \U0001f680", "\x1b[31mred\x1b[m", "cut \xe2\x80", "\"\\"} {
		l := LogLine{N: 7, At: -3, Stream: "out", Step: PhaseBuilding, Text: text}
		for _, l := range []LogLine{l, {Text: text}} {
			if got, want := string(l.AppendJSON([]byte("x"))), "x"+plainJSON(t, l); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			batch.Lines = append(batch.Lines, l)
			if got, want := string(batch.AppendJSON(nil)), plainJSON(t, batch); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

func FuzzLogLine_AppendJSON(f *testing.F) {
	f.Add("text", "out")
	f.Fuzz(func(t *testing.T, text, stream string) {
		l := LogLine{N: 1, Stream: stream, Text: text}
		if got, want := string(l.AppendJSON(nil)), plainJSON(t, l); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestLogBatch_ReadsWhatItWroteAndLeavesTheRest(t *testing.T) {
	batch := LogBatch{First: 7, Lines: []LogLine{
		{N: 7, At: 12, Stream: "out", Step: PhaseBuilding, Text: "plain"}, {N: 8, At: -12, Stream: "sys", Text: "ümläut <&>"}, {N: 9, Stream: "else", Step: "other"},
	}}
	for _, want := range []LogBatch{batch, {First: 1, Lines: []LogLine{}}} {
		b := want.AppendJSON(nil)
		var got LogBatch
		if !got.ParseJSON(b) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s was read as %+v", b, got)
		}
		for i := range b {
			if got.ParseJSON(b[:i]) || got.ParseJSON(append(bytes.Clone(b[:i]), b[i+1:]...)) && !json.Valid(append(bytes.Clone(b[:i]), b[i+1:]...)) {
				t.Errorf("%s without its byte %d was read", b, i)
			}
		}
	}
	for _, other := range []string{
		`{"first":1,"lines":[{"n":1,"t":1,"s":"out","x":"\u0041"}]}`, `{"first":1,"lines":[],"more":1}`, `{"first":01,"lines":[]}`, `{"first":1,"lines":[{"n":1,"t":1,"s":"out","x":"a"},]}`,
		`{"first":-0,"lines":[]}`, "{\"first\":1,\"lines\":[{\"n\":1,\"t\":1,\"s\":\"out\",\"x\":\"\xff\"}]}", "{\"first\":1,\"lines\":[{\"n\":1,\"t\":1,\"s\":\"out\",\"x\":\"a\nb\"}]}", ` {"first":1,"lines":[]}`, ``, `null`,
	} {
		if (&LogBatch{}).ParseJSON([]byte(other)) {
			t.Errorf("%q was read", other)
		}
	}
}

// Whatever is read without encoding/json is read as by it.
func FuzzLogLine_Parse(f *testing.F) {
	f.Add([]byte(`{"n":1,"t":2,"s":"out","step":"building","x":"text"}`))
	f.Add([]byte(`{"n":-1,"t":0,"s":"","x":"\u00e4"}`))
	f.Add([]byte(`{"first":1,"lines":[{"n":1,"t":2,"s":"out","x":"text"},{"n":2,"t":2,"s":"err","x":"t"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want LogLine
		wantErr := json.Unmarshal(b, &want)
		if got, err := ParseLogLine(b); (err == nil) != (wantErr == nil) || got != want {
			t.Errorf("%q is %+v, %v; want %+v, %v", b, got, err, want, wantErr)
		}
		var batch, wantBatch LogBatch
		if batch.ParseJSON(b) {
			if err := json.Unmarshal(b, &wantBatch); err != nil || !reflect.DeepEqual(batch, wantBatch) {
				t.Errorf("%q is %+v; want %+v, %v", b, batch, wantBatch, err)
			}
		}
	})
}
