package edge_test

import (
	"strings"
	"testing"
)

func TestServer_ChoosesTheFormByAcceptEncoding(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"a.txt", "hello hello hello", true}, upload{"b.txt", "plain", false})
	compressed := string(compress("hello hello hello"))
	for accept, coding := range map[string]string{
		"br":                             "br",
		"gzip, deflate, br, zstd":        "br",
		"BR;q=0.1":                       "br",
		"br;q=0":                         "",
		"br;q=0.000":                     "",
		"br; q=0.5, identity; q=0.9":     "",
		"br;q=0.5, identity;q=0.5":       "br",
		"*":                              "br",
		"*;q=0":                          "", // nothing is acceptable: identity, rather than nothing
		"*;q=0, br":                      "br",
		"br;q=0, *":                      "zstd",
		"gzip, *;q=0.5":                  "gzip",
		"br;q=0.2, *;q=0.5":              "zstd",
		"identity":                       "",
		"identity;q=0":                   "",
		"identity;q=0, br;q=0.001":       "br",
		"gzip":                           "gzip",
		"":                               "",
		"br;q=1.5":                       "",
		"br;q=x":                         "",
		"br;q=0.1234":                    "",
		"br;level=4;q=0.3":               "br",
		"sbr, brr":                       "",
		",, br ,":                        "br",
		"gzip\r\nAccept-Encoding: br":    "br",
		"br;q=1.000, identity;q=0.999":   "br",
		"identity;q=1, *;q=0":            "",
		"identity;q=1, br;q=1, gzip;q=0": "br",
	} {
		a := r.get("/a.txt", "Accept-Encoding: "+accept)
		etag := etagOf("hello hello hello")
		switch coding {
		case "br":
			a.is(t, accept, 200, compressed)
			etag = etagBrOf("hello hello hello")
		case "":
			a.is(t, accept, 200, "hello hello hello")
		default:
			etag = strings.TrimSuffix(etag, `"`) + "." + coding + `1"`
			if got := a.unpack(t); got != "hello hello hello" {
				t.Errorf("%s: %q", accept, got)
			}
		}
		a.has(t, accept, "Content-Encoding: "+coding, "Etag: "+etag, "Vary: Accept-Encoding", "Content-Type: text/plain; charset=utf-8")
		r.get("/b.txt", "Accept-Encoding: "+accept).is(t, "one form, "+accept, 200, "plain")
	}
	r.get("/a.txt").is(t, "without the header", 200, "hello hello hello")
}

func TestServer_AppliesConditionsToTheChosenForm(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"a.txt", "hello hello hello", true})
	plain, br := etagOf("hello hello hello"), etagBrOf("hello hello hello")
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"the same", []string{"If-None-Match: " + plain}, 304},
		{"weak", []string{"If-None-Match: W/" + plain}, 304},
		{"in a list", []string{`If-None-Match: "x", W/"y,z" ,` + plain + `, "w"`}, 304},
		{"on a second line", []string{`If-None-Match: "x"`, "If-None-Match: " + plain}, 304},
		{"any", []string{"If-None-Match: *"}, 304},
		{"another", []string{`If-None-Match: "x"`}, 200},
		{"of the other form", []string{"If-None-Match: " + br}, 200},
		{"of the chosen form", []string{"If-None-Match: " + br, "Accept-Encoding: br"}, 304},
		{"identity's, but br is chosen", []string{"If-None-Match: " + plain, "Accept-Encoding: br"}, 200},
		{"not quoted", []string{"If-None-Match: " + plain[1:65]}, 200},
		{"not closed", []string{"If-None-Match: " + plain[:65]}, 200},
		{"a part of it", []string{"If-None-Match: " + plain[:10] + `"`}, 200},
		{"empty", []string{"If-None-Match: "}, 200},
		{"a date alone says nothing", []string{"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"}, 200},
		{"must be the same, is", []string{"If-Match: " + plain}, 200},
		{"must be any", []string{"If-Match: *"}, 200},
		{"must be another", []string{`If-Match: "x"`}, 412},
		{"must be the same, weakly", []string{"If-Match: W/" + plain}, 412},
		{"If-Match goes first", []string{`If-Match: "x"`, "If-None-Match: *"}, 412},
		{"before a range", []string{"If-None-Match: " + plain, "Range: bytes=0-1"}, 304},
	} {
		before := r.faults.reads.Load()
		a := r.get("/a.txt", c.headers...)
		if a.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, a.StatusCode, c.status)
		}
		a.has(t, c.name, "Vary: Accept-Encoding", revalidate, "X-Fairway-Deployment: dpl_one")
		if c.status == 200 {
			continue
		}
		if a.body != "" || r.faults.reads.Load() != before {
			t.Errorf("%s: body %q, %d blobs read", c.name, a.body, r.faults.reads.Load()-before)
		}
		if e := a.Header.Get("Etag"); e != plain && e != br {
			t.Errorf("%s: Etag %q", c.name, e)
		}
	}
}
