package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/notify"
)

func getenv(name string) string {
	return map[string]string{"SMTP_PASSWORD": "from the environment"}[name]
}

func TestParse_ReadsServers(t *testing.T) {
	for address, want := range map[string]string{
		"smtp://ann:p%40ss@mail.example.com:2525?from=Fairway <no-reply@example.com>": `mail.example.com 2525 ann p@ss "Fairway" <no-reply@example.com> 0`,
		"smtps://ann@mail.example.com?from=a@example.com&password=env:SMTP_PASSWORD":  "mail.example.com 465 ann from the environment <a@example.com> 1",
		"smtp://mail.example.com?from=a@example.com":                                  "mail.example.com 587   <a@example.com> 0",
		"smtp://mail.example.com:25/?from=a@example.com&tls=off":                      "mail.example.com 25   <a@example.com> 2",
		"smtp://localhost:25?from=a@example.com":                                      "localhost 25   <a@example.com> 2",
		"smtp://127.0.0.1:25?from=a@example.com":                                      "127.0.0.1 25   <a@example.com> 2",
		"smtp://[::1]:25?from=a@example.com":                                          "::1 25   <a@example.com> 2",
		"smtps://localhost?from=a@example.com":                                        "localhost 465   <a@example.com> 1",
	} {
		s, err := notify.Parse(address, getenv)
		if got := fmt.Sprint(s.Host, " ", s.Port, " ", s.User, " ", s.Password, " ", s.From.String(), " ", s.TLS); err != nil || got != want {
			t.Errorf("%s: got %s, %v\nwant %s", address, got, err, want)
		}
	}
	if s, err := notify.Parse("", getenv); err != nil || s.Host != "" {
		t.Errorf("no server: got %v, %v", s, err)
	}
}

func TestParse_SaysWhatIsWrongWithoutThePassword(t *testing.T) {
	for address, want := range map[string]string{
		"mail.example.com:25":                            "begin with smtp://",
		"http://u:hunter2@x?from=a@b.c":                  "begin with smtp://",
		"smtp://u:hunter2@x":                             "needs from=",
		"smtp://u:hunter2@x?from=nobody":                 "no mail address",
		"smtp://u:hunter2@x?from=a@b.c\r\nBcc: d@e.f":    "cannot be read",
		"smtp://u:hunter2@x?from=a@b.c%0d%0aBcc: d@e.f":  "no mail address",
		"smtp://u:hunter2@x:0?from=a@b.c":                "needs a host",
		"smtp://u:hunter2@x:99999?from=a@b.c":            "needs a host",
		"smtp://u:hunter2@?from=a@b.c":                   "needs a host",
		"smtp://u:hunter2@x/path?from=a@b.c":             "no path",
		"smtp://u:hunter2@x%zz?from=a@b.c":               "cannot be read",
		"smtp://u@x?from=a@b.c":                          "both user and password",
		"smtp://x?from=a@b.c&password=env:SMTP_PASSWORD": "both user and password",
		"smtp://u@x?from=a@b.c&password=env:NOTHING":     "env:",
		"smtp://u@x?from=a@b.c&password=hunter2":         "env:",
		"smtp://u:hunter2@x?from=a@b.c&tls=maybe":        "only be off",
		"smtps://u:hunter2@x?from=a@b.c&tls=off":         "only for smtp://",
		"smtp://u:hunter2@x?from=a@b.c&colour=red":       "no setting",
		"smtp://u:hunter2@x?from=a@b.c&from=%zz":         "cannot be read",
		"smtp://u:hunter2@x?from=a@b.c;tls=off":          "cannot be read",
	} {
		_, err := notify.Parse(address, getenv)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

func TestServer_DoesNotPrintItsPassword(t *testing.T) {
	s, err := notify.Parse("smtp://ann:hunter2@mail.example.com?from=a@b.c", getenv)
	if got := fmt.Sprintf("%v %s", s, s); err != nil || got != "mail.example.com:587 mail.example.com:587" {
		t.Errorf("got %s, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"smtp://u:p@h:1?from=a@b.c", "smtps://h?from=A <a@b.c>&tls=off", "smtp://[::1]?from=a@b.c", "?", "smtp://%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		s, err := notify.Parse(address, func(string) string { return "" })
		if err == nil && s.Host != "" && (s.Port < 1 || s.Port > 65535 || strings.ContainsAny(s.From.Address, "\r\n") || (s.User == "") != (s.Password == "")) {
			t.Errorf("%q became %+v", address, s)
		}
	})
}
