package guard

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestCheckURL_ByPolicy(t *testing.T) {
	listed := Policy{AllowPrivate: []string{
		"https://git.intranet:8443", "http://10.0.0.5:3000", "http://Plain.Intranet", "https://[fd00::1]",
		"ftp://files.intranet", "nonsense", "https://user@with.credentials",
	}}
	const public, list, open = 1, 2, 4 // who admits
	for raw, who := range map[string]int{
		"https://github.com/a/b.git":            public | list | open,
		"https://github.com:443/a/b.git":        public | list | open,
		"HTTPS://GitHub.com/a/b.git":            public | list | open,
		"https://8.8.8.8/":                      public | list | open,
		"https://[2606:4700::1111]/":            public | list | open,
		"https://10.example.com/":               public | list | open,
		"https://example.com./":                 public | list | open,
		"http://github.com/a/b.git":             open,
		"https://github.com:8443/":              open,
		"https://github.com:22/":                open,
		"https://127.0.0.1/":                    open,
		"https://10.0.0.5/":                     open,
		"https://[::1]/":                        open,
		"https://[::ffff:127.0.0.1]/":           open,
		"https://[fe80::1]/":                    open,
		"https://localhost/":                    open,
		"https://a.LOCALHOST/":                  open,
		"https://localhost./":                   open,
		"https://2130706433/":                   open,
		"https://0x7f000001/":                   open,
		"https://0x7F.1/":                       open,
		"https://127.1/":                        open,
		"https://0177.0.0.1/":                   open,
		"https://127.0.0.1./":                   open,
		"https://0/":                            open,
		"https://169.254.169.254/latest/":       open,
		"https://git.intranet:8443/a.git":       list | open,
		"https://GIT.intranet:8443/a.git":       list | open,
		"https://git.intranet:8444/a.git":       open,
		"http://git.intranet:8443/a.git":        open,
		"http://10.0.0.5:3000/a.git":            list | open,
		"https://10.0.0.5:3000/a.git":           open,
		"http://[::ffff:10.0.0.5]:3000/":        list | open,
		"http://10.0.0.5/":                      open,
		"http://plain.intranet/":                list | open,
		"http://plain.intranet:80/":             list | open,
		"http://plain.intranet.:80/":            open,
		"http://plain.intranet:8080/":           open,
		"https://[fd00:0::1]/":                  list | open,
		"ftp://files.intranet/":                 0,
		"file:///etc/passwd":                    0,
		"file://localhost/etc/passwd":           0,
		"ext::sh -c touch% /tmp/x":              0,
		"ext::sh":                               0,
		"ssh://git@github.com/a/b":              0,
		"git://github.com/a/b":                  0,
		"git@github.com:a/b.git":                0,
		"gopher://127.0.0.1/":                   0,
		"//github.com/a":                        0,
		"/etc/passwd":                           0,
		"":                                      0,
		"https://":                              0,
		"https:///a":                            0,
		"https:github.com":                      0,
		"https://user:pw@github.com/":           0,
		"https://github.com@127.0.0.1/":         0,
		"https://github.com\\@127.0.0.1/":       0,
		"https://127.0.0.1\\.github.com/":       0,
		"https://github.com /":                  0,
		"https://github.com\r\nHost: 127.0.0.1": 0,
		"https://github.com:0/":                 0,
		"https://github.com:/":                  0,
		"https://github.com:443443/":            0,
		"https://github.com:0443/":              0,
		"https://[fe80::1%25eth0]/":             0,
		"https://①②⑦.0.0.1/":                    0,
		"https://ⓛocalhost/":                    0,
		"https://a..b/":                         0,
		"https://.b/":                           0,
		"https://./":                            0,
		"https://-oProxyCommand=x/":             0,
		"https://%31%32%37.0.0.1/":              0,
	} {
		for _, c := range []struct {
			who    int
			policy Policy
		}{{public, Policy{}}, {list, listed}, {open, Policy{Open: true}}} {
			err := CheckURL(c.policy, raw)
			if admitted := err == nil; admitted != (who&c.who != 0) {
				t.Errorf("CheckURL(%+v, %q) = %v", c.policy, raw, err)
			}
			if err != nil && (!errors.Is(err, ErrRefused) || !hosting.Is(err, hosting.CodeForbidden)) {
				t.Errorf("CheckURL(%q) = %v, which is no refusal that can be shown", raw, err)
			}
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{
		"https://github.com/a", "http://127.0.0.1", "https://[::1]:443/", "https://0x7f.1/", "ext::sh",
		"https://a@b", "https://a\\b", "https://[fe80::1%25lo]/", "git.intranet:8443",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if err := CheckURL(Policy{}, raw); err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatalf("%q: %v is no refusal", raw, err)
			}
		} else {
			admittedIsPublic(t, raw)
		}
		if CheckURL(Policy{Open: true}, raw) == nil {
			u, err := url.Parse(raw)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
				t.Fatalf("the open policy admits %q", raw)
			}
			// What is listed is admitted, and nothing else is by that.
			if CheckURL(Policy{AllowPrivate: []string{raw}}, raw) != nil {
				t.Fatalf("%q is listed, but not admitted", raw)
			}
			if CheckURL(Policy{AllowPrivate: []string{raw}}, "http://never.listed.test/") == nil {
				t.Fatalf("listing %q admits another origin", raw)
			}
		}
	})
}

func admittedIsPublic(t *testing.T, raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" {
		t.Fatalf("admits %q", raw)
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err == nil && notPublic(a) != "" {
		t.Fatalf("admits the address of %q", raw)
	}
	if strings.ContainsAny(raw, " \\\r\n\t\x00") || strings.ContainsAny(host, "@/%:") && !strings.HasPrefix(u.Host, "[") {
		t.Fatalf("admits %q, which can be read in two ways", raw)
	}
}
