package client

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func readAll(t testing.TB, r io.Reader) (all []string, retry time.Duration, err error) {
	t.Helper()
	m := newMessageReader(r)
	for {
		msg, err := m.Next()
		if err != nil {
			return all, m.retry, err
		}
		all = append(all, fmt.Sprintf("%s|%s|%s", msg.id, msg.kind, msg.data))
	}
}

func TestMessageReader_ReadsWhatTheStandardSays(t *testing.T) {
	for name, tc := range map[string]struct {
		in    string
		want  []string
		retry time.Duration
	}{
		"one message":                     {"id: 7\nevent: log\ndata: a\n\n", []string{"7|log|a"}, 0},
		"CR and CRLF end lines, too":      {"data: a\r\rdata: b\r\n\r\ndata: c\n\n", []string{"||a", "||b", "||c"}, 0},
		"only one space goes":             {"data:a\n\ndata:  b\n\n", []string{"||a", "|| b"}, 0},
		"data lines are joined":           {"data: a\ndata\ndata: b\n\n", []string{"||a\n\nb"}, 0},
		"the id holds until another":      {"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", []string{"1||a", "1||b", "||c"}, 0},
		"an id with NUL is ignored":       {"id: 1\n\nid: 2\x00\ndata: a\n\n", []string{"1||a"}, 0},
		"the kind does not hold":          {"event: x\ndata: a\n\ndata: b\n\n", []string{"|x|a", "||b"}, 0},
		"a kind without data is nothing":  {"event: x\n\ndata: a\n\n", []string{"||a"}, 0},
		"comments and unknown fields":     {": ping\n\nfoo: bar\ndata: a\n\n", []string{"||a"}, 0},
		"retry counts milliseconds":       {"retry: 1500\n\ndata: a\n\n", []string{"||a"}, 1500 * time.Millisecond},
		"retry that is no number":         {"retry: soon\nretry: -1\n\ndata: a\n\n", []string{"||a"}, 0},
		"a byte order mark at the begin":  {"\ufeffdata: a\n\n", []string{"||a"}, 0},
		"what the end cuts off is no one": {"data: a\n\ndata: b\n", []string{"||a"}, 0},
		"empty data is a message":         {"data\n\n", []string{"||"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, retry, err := readAll(t, strings.NewReader(tc.in))
			if err != io.EOF {
				t.Errorf("ended by %v, want EOF", err)
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if retry != tc.retry {
				t.Errorf("retry is %v, want %v", retry, tc.retry)
			}
		})
	}
}

func TestMessageReader_BoundsWhatItHolds(t *testing.T) {
	long := strings.Repeat("x", maxMessage+10)
	many := strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", maxMessage/1000+2)
	for name, in := range map[string]string{"one line": "data: " + long + "\n\n", "many lines": many + "\n"} {
		if _, _, err := readAll(t, strings.NewReader(in)); err != errMessageTooLong {
			t.Errorf("%s: ended by %v, want %v", name, err, errMessageTooLong)
		}
	}
}

func TestMessageReader_SaysThatTheStreamLives(t *testing.T) {
	m := newMessageReader(io.MultiReader(strings.NewReader(": ping\n"), strings.NewReader(": ping\n"), strings.NewReader("data: a\n\n")))
	heard := 0
	m.alive = func() { heard++ }
	if _, err := m.Next(); err != nil || heard != 3 {
		t.Errorf("heard of %d times, error %v; want 3, none", heard, err)
	}
}

func FuzzMessageReader(f *testing.F) {
	f.Add([]byte("id: 7\nevent: log\ndata: {\"n\":7}\n\n"))
	f.Add([]byte("\ufeffdata: a\r\ndata\r\rretry: 5\n: c\n\nid: \x00\n\n"))
	f.Add([]byte("event: end\ndata: {}\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, retry, err := readAll(t, bytes.NewReader(in))
		slow, retrySlow, errSlow := readAll(t, iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(whole, retry, err) != fmt.Sprint(slow, retrySlow, errSlow) {
			t.Errorf("what is read depends on how it arrives: %q and %q", whole, slow)
		}
		// A stream that goes on afterwards brings its messages all the same: nothing that
		// was in it may swallow them, but for an id that it left behind.
		if err != io.EOF {
			return
		}
		again, _, _ := readAll(t, io.MultiReader(bytes.NewReader(in), strings.NewReader("\n\nid: 9\nevent: log\ndata: z\n\n")))
		if len(again) == 0 || again[len(again)-1] != "9|log|z" {
			t.Errorf("the message behind %q was lost: %q", in, again)
		}
	})
}
