package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func contextThatEnded(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func TestExitCode_TellsTheKindsOfFailureApart(t *testing.T) {
	for want, errs := range map[int][]error{
		ExitDone:      {nil},
		ExitFailed:    {errors.New("x"), hosting.Errorf(hosting.CodeConflict, "x"), hosting.Errorf(hosting.CodeInternal, "x"), hosting.Errorf(hosting.CodeLimited, "x"), hosting.Errorf(hosting.CodeQuota, "x"), &net.OpError{Op: "read", Err: errors.New("reset")}},
		ExitUsage:     {hosting.Errorf(hosting.CodeInvalid, "x"), errorf(ExitUsage, "x")},
		ExitForbidden: {hosting.Errorf(hosting.CodeForbidden, "x"), fmt.Errorf("y: %w", hosting.Errorf(hosting.CodeUnauthenticated, "x")), hosting.Errorf(hosting.CodeSetup, "x")},
		ExitNotFound:  {hosting.Errorf(hosting.CodeNotFound, "x")},
		ExitUnreachable: {
			hosting.Errorf(hosting.CodeUnavailable, "x"), fmt.Errorf("y: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), &net.DNSError{Name: "x"},
		},
	} {
		for _, err := range errs {
			if got := ExitCode(err); got != want {
				t.Errorf("ExitCode(%v) = %d, want %d", err, got, want)
			}
		}
	}
}

func TestOneLine_IsOneLineForAPerson(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{errors.New("a\nb\x1b[2J\x07"), "a b"},
		{fmt.Errorf("ask: %w", hosting.Errorf(hosting.CodeNotFound, "no such project").WithHint("look again")), "no such project: look again"},
		{fmt.Errorf("ask: %w", context.Canceled), "stopped"},
		{errorf(ExitUsage, "wrong: %w", errors.New("x")).hint("do %s", "y"), "wrong: x: do y"},
	} {
		if got := oneLine(tc.err); got != tc.want {
			t.Errorf("oneLine(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestEnv_ExitIsGivenTheCode(t *testing.T) {
	p := newPerson(t, t.TempDir())
	p.run("deploy", "a", "b")
	p.run("deploy", "--wrong")
	p.run("projects")
	if want := []int{ExitUsage, ExitUsage, ExitUnreachable}; fmt.Sprint(p.exits) != fmt.Sprint(want) {
		t.Errorf("exits %v, want %v", p.exits, want)
	}
}

func TestAgo_IsAsCoarseAsAPerson(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "just now", 4 * time.Second: "just now", 5 * time.Second: "5 s ago", 59 * time.Second: "59 s ago",
		time.Minute: "1 min ago", 59 * time.Minute: "59 min ago", 2 * time.Hour: "2 h ago", 25 * time.Hour: "yesterday",
		50 * time.Hour: "2 days ago", 40 * 24 * time.Hour: "2026-02-02",
	} {
		if got := ago(noon.Add(-d), noon); got != want {
			t.Errorf("ago %s = %q, want %q", d, got, want)
		}
	}
	if got := ago(time.Time{}, noon); got != "" {
		t.Errorf("the zero time is %q", got)
	}
}

func TestWords_OfSizesCountsAndDurations(t *testing.T) {
	for got, want := range map[string]string{
		size(0): "0 bytes", size(1): "1 byte", size(1023): "1,023 bytes", size(1536): "1.5 KiB", size(20 << 20): "20 MiB", size(3 << 40): "3.0 TiB",
		count(1, "file"): "1 file", count(1234567, "file"): "1,234,567 files",
		took(0): "0 s", took(1240 * time.Millisecond): "1.2 s", took(59500 * time.Millisecond): "60 s", took(61 * time.Second): "1 min 1 s", took(90 * time.Minute): "1 h 30 min",
		shorten("überlang", 5): "über…", shorten("kurz", 4): "kurz",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestClean_KeepsColourAndNothingElse(t *testing.T) {
	for in, want := range map[string][2]string{ // without and with colour
		"plain text ü":             {"plain text ü", "plain text ü"},
		"\x1b[31mred\x1b[0m":       {"red", "\x1b[31mred\x1b[0m"},
		"\x1b[2J\x1b[Hhome":        {"home", "home"},
		"\x1b]52;c;ZXZpbA==\x07ok": {"ok", "ok"},
		"\x1b]0;title\x1b\\ok":     {"ok", "ok"},
		"\x1b]0;never ends":        {"", ""},
		"\x1b[31":                  {"", ""},
		"10%\r20%":                 {"10% 20%", "10% 20%"},
		"a\tb\x00\x7f\u009b31mc":   {"a\tb31mc", "a\tb31mc"},
		"user\u202egpj.exe":        {"usergpj.exe", "usergpj.exe"},
		"\x1b[?25lx\x1b[>4;2mx":    {"xx", "xx"},
	} {
		if got := [2]string{clean(in, false), clean(in, true)}; got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean_LeavesNothingThatControlsATerminal(f *testing.F) {
	f.Add("\x1b[31mred\x1b]0;x\x07\r\n\x9b2J", true)
	f.Add("\x1b\x1b[m\x1b[0", false)
	f.Fuzz(func(t *testing.T, s string, colour bool) {
		got := clean(s, colour)
		if colour {
			for { // take the colours out; nothing of an escape may be left
				i := strings.Index(got, "\x1b[")
				if i < 0 {
					break
				}
				n := strings.IndexByte(got[i:], 'm')
				if n < 0 || strings.Trim(got[i+2:i+n], "0123456789;:") != "" {
					t.Fatalf("an escape is left in %q of %q", got, s)
				}
				got = got[:i] + "·" + got[i+n+1:]
			}
		}
		for _, r := range got {
			if r != '\t' && unicode.IsControl(r) && utf8.ValidString(s) {
				t.Fatalf("%q is left in %q of %q", r, got, s)
			}
		}
	})
}

func TestTable_FitsTheTerminalByItsFlexibleColumn(t *testing.T) {
	tab := &table{heads: []string{"A", "EMPTY", "B"}, flexible: 0}
	tab.row(cell{text: "a text that is longer than the terminal"}, cell{}, cell{text: "dpl_x"})
	tab.row(cell{text: "ü"}, cell{}, cell{})
	var b bytes.Buffer
	if err := tab.write(&b, style{}, 30); err != nil {
		t.Fatal(err)
	}
	want := "A                        B\na text that is longer t…  dpl_x\nü\n"
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 30 || strings.HasSuffix(line, " \n") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if strings.Contains(b.String(), "EMPTY") {
		t.Errorf("got\n%swant about\n%s", b.String(), want)
	}
}

func TestStatus_MovesOnATerminalAndLeavesNothingBehind(t *testing.T) {
	var b bytes.Buffer
	quiet := newStatus(output{err: &b})
	quiet.set("Uploading")
	quiet.stop()
	quiet.stop()
	if b.Len() != 0 {
		t.Errorf("printed %q where nobody watches", b.String())
	}
	st := newStatus(output{err: &b, watched: true})
	st.set("Uploading")
	st.mu.Lock()
	st.draw()
	st.mu.Unlock()
	if err := st.print(func() error { b.WriteString("a line\n"); return nil }); err != nil {
		t.Fatal(err)
	}
	st.stop()
	got := b.String()
	if !strings.Contains(got, "Uploading") || !strings.Contains(got, "\r\x1b[Ka line\n") {
		t.Errorf("printed %q", got)
	}
}
