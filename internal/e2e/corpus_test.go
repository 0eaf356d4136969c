package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/routes"
)

const (
	corpusPage   = "<!doctype html><title>corpus</title>the one page"
	corpusSecret = "a file beside the site that nobody may see"
	// smuggled is a request that a server must not take from another's body.
	smuggled = "GET /smuggled HTTP/1.1\r\nHost: corpus.localhost\r\n\r\n"
)

// corpus are requests as no client should send them, each with the name of what it tries.
func corpus() map[string]string {
	get := func(target string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n"
	}
	with := func(headers, body string) string {
		return "POST / HTTP/1.1\r\nHost: corpus.localhost\r\n" + headers + "\r\n" + body
	}
	length := fmt.Sprint(len(smuggled))
	all := map[string]string{
		"length in a GET":             "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nContent-Length: " + length + "\r\n\r\n" + smuggled,
		"length, then chunked":        with("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled),
		"chunked, then length":        with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n"+smuggled+"\r\n0\r\n\r\n"),
		"chunked twice":               with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+smuggled),
		"xchunked":                    with("Transfer-Encoding: xchunked\r\nContent-Length: "+length+"\r\n", smuggled),
		"chunked after a tab":         with("Transfer-Encoding:\tchunked\r\nContent-Length: "+length+"\r\n", "0\r\n\r\n"+smuggled),
		"chunked, a space before":     with("Transfer-Encoding : chunked\r\nContent-Length: "+length+"\r\n", "0\r\n\r\n"+smuggled),
		"chunked on another line":     with("Transfer-Encoding:\r\n chunked\r\nContent-Length: "+length+"\r\n", "0\r\n\r\n"+smuggled),
		"chunked, quoted":             with("Transfer-Encoding: \"chunked\"\r\nContent-Length: "+length+"\r\n", "0\r\n\r\n"+smuggled),
		"chunked with a vertical tab": with("Transfer-Encoding: \x0bchunked\r\nContent-Length: "+length+"\r\n", "0\r\n\r\n"+smuggled),
		"a list of codings":           with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"+smuggled),
		"two lengths":                 with("Content-Length: 0\r\nContent-Length: "+length+"\r\n", smuggled),
		"a list of lengths":           with("Content-Length: 0, "+length+"\r\n", smuggled),
		"a length with a plus":        with("Content-Length: +"+length+"\r\n", smuggled),
		"a negative length":           with("Content-Length: -1\r\n", smuggled),
		"a length in hex":             with("Content-Length: 0x10\r\n", smuggled),
		"a length with an underscore": with("Content-Length: 1_0\r\n", smuggled),
		"a length beyond 64 bits":     with("Content-Length: 18446744073709551617\r\n", smuggled),
		"a chunk beyond 64 bits":      with("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"+smuggled),
		"a chunk size with a sign":    with("Transfer-Encoding: chunked\r\n", "+0\r\n\r\n"+smuggled),
		"a chunk size in 0x":          with("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"+smuggled),
		"a chunk ended by LF":         with("Transfer-Encoding: chunked\r\n", "5\r\nhello\n0\r\n\r\n"+smuggled),
		"a chunk without an end":      with("Transfer-Encoding: chunked\r\n", "5\r\nhelloX0\r\n\r\n"+smuggled),
		"an extension with LF":        with("Transfer-Encoding: chunked\r\n", "2;\nxx\r\n"+smuggled),
		"a body for HTTP/1.0":         "POST / HTTP/1.0\r\nHost: corpus.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"a line folded":               "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nX-A: b\r\n c\r\nConnection: close\r\n\r\n",
		"a bare CR in a header":       "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nX-A: b\rX-C: d\r\nConnection: close\r\n\r\n",
		"NUL in a header":             "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nX-A: b\x00c\r\nConnection: close\r\n\r\n",
		"a header without a name":     "GET / HTTP/1.1\r\nHost: corpus.localhost\r\n: b\r\nConnection: close\r\n\r\n",
		"a header without a colon":    "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nnothing\r\nConnection: close\r\n\r\n",
		"no host":                     "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
		"two hosts":                   "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nHost: other.localhost\r\nConnection: close\r\n\r\n",
		"an empty host":               "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n",
		"a host with a path":          "GET / HTTP/1.1\r\nHost: corpus.localhost/../other\r\nConnection: close\r\n\r\n",
		"a host with a user":          "GET / HTTP/1.1\r\nHost: other.localhost@corpus.localhost\r\nConnection: close\r\n\r\n",
		"a host with two ports":       "GET / HTTP/1.1\r\nHost: corpus.localhost:80:80\r\nConnection: close\r\n\r\n",
		"a host in brackets":          "GET / HTTP/1.1\r\nHost: [corpus.localhost]\r\nConnection: close\r\n\r\n",
		"a host with a NUL":           "GET / HTTP/1.1\r\nHost: corpus.localhost\x00.evil\r\nConnection: close\r\n\r\n",
		"another host in the target":  "GET http://other.localhost/ HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n",
		"CONNECT":                     "CONNECT corpus.localhost:80 HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n",
		"the star":                    "OPTIONS * HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n",
		"a method of its own":         "G\x01T / HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n",
		"a version of its own":        "GET / HTTP/9.9\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n",
		"HTTP/0.9":                    "GET /" + strings.Repeat("a", 30) + "\r\n\r\n",
		"a space too many":            "GET  /  HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: close\r\n\r\n",
		"an upgrade":                  "GET / HTTP/1.1\r\nHost: corpus.localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
		"a very long target":          get("/" + strings.Repeat("a", 100_000)),
		"very many headers":           "GET / HTTP/1.1\r\nHost: corpus.localhost\r\n" + strings.Repeat("X-A: b\r\n", 200_000) + "Connection: close\r\n\r\n",
	}
	for _, target := range []string{
		"/../secret", "/../../../../etc/passwd", "/f/../../secret", "/%2e%2e/secret", "/%2E%2E%2Fsecret", "/..%2fsecret", "/..%5csecret", `/..\secret`,
		"/%252e%252e/secret", "/%c0%ae%c0%ae/secret", "/%e0%80%ae/secret", "/.%00./secret", "/%00", "//secret", "///../secret", "/.//../secret", "/..;/secret",
		"/f/..;x=y/../secret", "/%u002e%u002e/secret", "/../../objects", "/%2e%2e/%2e%2e/state.db", "/.%2e/secret", "/secret%20", "/secret.", "/secret::$DATA",
		"/?../secret", "/#/../secret", "/%", "/%zz", "/%2", "/f%0d%0aSet-Cookie:%20a=b", "/f\tg", "/\x7f", "/~root", "file:///etc/passwd", "../secret", "secret",
	} {
		all[fmt.Sprintf("the target %.40q", target)] = get(target)
	}
	return all
}

// corpusAnswer sends raw bytes and reads until the connection ends or nothing comes for a while.
func corpusAnswer(addr, raw string) (answers []*http.Response, bodies [][]byte, rest []byte, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, nil, nil, err
	}
	_, _ = io.WriteString(conn, raw) // a server may refuse before it has read all
	method, _, _ := strings.Cut(raw, " ")
	in := bufio.NewReader(conn)
	for {
		// The first answer may take its time; a second that was smuggled is there at once.
		if len(answers) > 0 {
			_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		}
		if _, err := in.Peek(1); err != nil {
			return answers, bodies, nil, nil
		}
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			rest, _ = io.ReadAll(in)
			return answers, bodies, append([]byte(err.Error()+": "), rest...), nil
		}
		body, err := io.ReadAll(resp.Body)
		answers, bodies = append(answers, resp), append(bodies, body)
		if err != nil {
			return answers, bodies, nil, err
		}
	}
}

// corpusVerdict says what is unsafe about the answers to one raw request; "" for nothing.
func corpusVerdict(addr, raw string) string {
	answers, bodies, rest, err := corpusAnswer(addr, raw)
	switch {
	case err != nil:
		return err.Error()
	case len(answers) != 1:
		return fmt.Sprintf("%d answers", len(answers))
	case len(rest) > 0:
		return fmt.Sprintf("something that is no answer: %.100q", rest)
	}
	a, body := answers[0], bodies[0]
	switch {
	case bytes.Contains(body, []byte(corpusSecret)) || bytes.Contains(body, []byte("root:x:0")):
		return "a file that nobody may see"
	case a.Header.Get("Set-Cookie") != "":
		return "a header that the request made"
	case a.StatusCode == http.StatusOK && len(body) > 0 && string(body) != corpusPage:
		return fmt.Sprintf("200 with %.100q", body)
	case a.StatusCode == http.StatusOK, a.StatusCode >= 300 && a.StatusCode < 500, a.StatusCode == http.StatusNotImplemented, a.StatusCode == http.StatusHTTPVersionNotSupported:
		return ""
	}
	return fmt.Sprintf("status %d", a.StatusCode)
}

// claimCorpus is edge.7: hostile requests get one safe answer each, and poisoned records hurt
// their own sites alone.
func claimCorpus(c *C) {
	s := NewServer(c, unlimited)
	if err := os.WriteFile(filepath.Join(s.Data, "secret"), []byte(corpusSecret), 0o600); err != nil {
		c.Fatal(err)
	}
	api := s.Client()
	defer api.Close()
	if _, err := api.CreateProject(context.Background(), hosting.NewProject{Name: "Corpus", Slug: "corpus"}); err != nil {
		c.Fatal(err)
	}
	if _, err := s.publish(context.Background(), api, "corpus", map[string]string{"index.html": corpusPage}); err != nil {
		c.Fatal(err)
	}
	s.Get(s.Site("corpus")).Is(200, corpusPage)
	addr := fmt.Sprintf("127.0.0.1:%d", s.HTTP)
	all := corpus()
	for name, raw := range all {
		if wrong := corpusVerdict(addr, raw); wrong != "" {
			c.Errorf("%s: %s", name, wrong)
		}
	}
	s.Get(s.Site("corpus")).Is(200, corpusPage)
	naive, end := naiveServer(c)
	defer end()
	var fooled []string
	for _, raw := range all {
		if wrong := corpusVerdict(naive, raw); wrong != "" {
			fooled = append(fooled, wrong)
		}
	}
	if !slices.ContainsFunc(fooled, func(w string) bool { return strings.Contains(w, "answers") }) || !slices.Contains(fooled, "a file that nobody may see") {
		c.Errorf("void: a naive server is fooled by %d only: %v", len(fooled), fooled)
	}
	c.Figure("%d raw requests of smuggling and traversal: one safe answer each; a naive server was fooled by %d", len(all), len(fooled))
	c.poison()
}

// naiveServer takes whatever follows an empty line for the next request, and joins paths.
func naiveServer(c *C) (addr string, end func()) {
	c.Helper()
	dir := c.TempDir()
	site := filepath.Join(dir, "site")
	err := errors.Join(os.Mkdir(site, 0o700), os.WriteFile(filepath.Join(site, "index.html"), []byte(corpusPage), 0o600),
		os.WriteFile(filepath.Join(dir, "secret"), []byte(corpusSecret), 0o600))
	ln, err2 := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(err, err2); err != nil {
		c.Fatal(err)
	}
	answer := func(head string) string {
		_, target, _ := strings.Cut(head, " ")
		target, _, _ = strings.Cut(target, " ")
		if plain, err := url.PathUnescape(target); err == nil {
			target = plain
		}
		b, err := os.ReadFile(site + "/" + target)
		if err != nil {
			return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
		}
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
				b := make([]byte, 4<<20)
				n, _ := conn.Read(b)
				for _, head := range strings.SplitAfter(string(b[:n]), "\r\n\r\n") {
					if strings.Contains(head, "HTTP/1.1") {
						_, _ = io.WriteString(conn, answer(head))
					}
				}
			}()
		}
	}()
	return ln.Addr().String(), func() { _ = ln.Close() }
}

// poisons are ways in which a record from outside may be wrong.
func poisons() []func(*hosting.Change) {
	long := strings.Repeat("x", 300)
	var all []func(*hosting.Change)
	for _, name := range []string{"", "a", "Upper", "under_score", "two--hyphens", "-front", "end-", "1digit", "dot.ted", "nul\x00", "space d", "ünïcode", long, "../up", "x/y"} {
		all = append(all, func(ch *hosting.Change) { ch.Sites[0].Name = name })
	}
	for _, state := range []hosting.SiteState{"", "gone", "ACTIVE", "active "} {
		all = append(all, func(ch *hosting.Change) { ch.Sites[0].State = state })
	}
	for _, project := range []hosting.ProjectID{"", hosting.ProjectID(long), "prj_\x00x"} {
		all = append(all, func(ch *hosting.Change) { ch.Pointers[0].Project = project })
	}
	for _, name := range []string{"", "latest", "b/", "d/--", "pr/x", "production/", long} {
		all = append(all, func(ch *hosting.Change) { ch.Pointers[0].Name = name })
	}
	return append(all,
		func(ch *hosting.Change) { ch.Pointers[0].Deployment = "" },
		func(ch *hosting.Change) { ch.Pointers[0].Manifest = hosting.Digest{} },
	)
}

// poison changes every site of a table once, some of them by a record that is wrong: those,
// and only those, stay as they were.
func (c *C) poison() {
	c.Helper()
	sites, wrong := max(100, c.Size), poisons()
	t, err := routes.Open(routes.Config{Path: filepath.Join(c.TempDir(), "routes.db"), Domain: "localhost"})
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = t.Close() }()
	at := hosting.Mark{}
	apply := func(version int, spoil func(i int, ch *hosting.Change)) {
		var changes []hosting.Change
		for i := range sites {
			ch := crowdedChange(i, version)
			if spoil != nil {
				spoil(i, &ch)
			}
			at.Seq++
			ch.Mark = at
			changes = append(changes, ch)
		}
		if err := t.Apply(changes); err != nil {
			c.Fatal(err)
		}
	}
	apply(1, nil)
	every := sites / len(wrong)
	spoiled := map[int]bool{}
	apply(2, func(i int, ch *hosting.Change) {
		if kind := i / every; i%every == 0 && kind < len(wrong) {
			wrong[kind](ch)
			spoiled[i] = true
		}
	})
	hurt := 0
	for i := range sites {
		r, ok := t.Lookup(crowdedHost(i))
		switch {
		case !ok:
			c.Errorf("site %d is gone", i)
		case r.Pointer.Order == 2 && r.Site.State == hosting.SiteActive:
			if spoiled[i] {
				// Its other record of the change was right, and holds.
				continue
			}
		case !spoiled[i]:
			c.Errorf("site %d was hurt by another's record: %+v", i, r)
		default:
			hurt++
		}
	}
	c.Figure("%d kinds of poisoned record among %d sites: %d of their pointers stay at the last good version, all others moved", len(spoiled), sites, hurt)
	if len(spoiled) < 30 || hurt == 0 {
		c.Errorf("void: %d kinds, %d hurt", len(spoiled), hurt)
	}
}
