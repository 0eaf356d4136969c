package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// fuzz sends malformed input to every operation of the document, as the owner, and wants an
// answer below 500 to each. A proxy that makes one answer a 500 must be found out.
func (c *C) fuzz(s *Server, ann *Person) {
	c.Helper()
	ann.Deploy("steady", map[string]string{"index.html": "<h1>steady</h1>"})
	f := newFuzzer(c, s, ann)
	began := time.Now()
	f.run(c.Size)
	took := time.Since(began)
	for i, bad := range f.bad {
		if i < 10 {
			c.Errorf("%s", bad)
		}
	}
	s.Get(fmt.Sprintf("http://localhost:%d/api/health", s.HTTP)).Is(200, "ok")
	s.Get(s.Site("steady")).Is(200, "steady")
	out := s.out.String()
	for _, word := range []string{"panic", "a request failed", "goroutine "} {
		if i := strings.Index(out, word); i >= 0 {
			c.Errorf("the server says %.2000s", out[i:])
		}
	}
	c.Logf("by status: %v", f.told)
	var statuses []string
	for class := 2; class <= 5; class++ {
		statuses = append(statuses, fmt.Sprintf("%dxx %d", class, f.classes[class]))
	}
	for _, op := range f.ops {
		if f.asked[op.OperationID] == 0 {
			c.Errorf("void: %s was never asked", op.OperationID)
		}
	}
	c.Figure("%d malformed requests to %d operations in %.0f s: %s, %d without an answer, server at %d MB",
		c.Size, len(f.ops), took.Seconds(), strings.Join(statuses, ", "), f.silent, s.resident())
	c.planted500IsFound(s, ann)
}

// planted500IsFound is the control.
func (c *C) planted500IsFound(s *Server, ann *Person) {
	c.Helper()
	const requests = 1000
	target := &url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", s.HTTPS)}
	n, at := 0, 1+c.Rand.IntN(requests/2)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			ServerName: s.controlHost(), InsecureSkipVerify: true, //nolint:gosec // of the control's own way
		}},
		ErrorLog: log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if n++; n == at {
				_ = r.Body.Close()
				r.StatusCode, r.Body, r.ContentLength = 500, io.NopCloser(strings.NewReader("planted")), 7
				r.Header = http.Header{}
			}
			return nil
		},
	}
	srv := httptest.NewUnstartedServer(proxy)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	f := newFuzzer(c, s, ann)
	f.addr = srv.Listener.Addr().String()
	f.run(requests)
	for _, bad := range f.bad {
		if strings.Contains(bad, "planted") {
			return
		}
	}
	c.Errorf("one 500 in %d answers was not found: the check proves nothing", requests)
}

// fuzzer sends one request after the other on one connection, which it opens anew when the
// server has closed it.
type fuzzer struct {
	*C
	*maker
	s    *Server
	ann  *Person
	addr string
	// spare is signed out and has their password guessed in the owner's stead: whose would
	// be shut for a minute, and leave the rest without a credential.
	spare *Person
	ops   []*operation

	token, attempt, operator, edge string // bearer tokens
	own                            []string

	conn    *tls.Conn
	in      *bufio.Reader
	asked   map[string]int
	told    map[int]int // status -> how often
	classes map[int]int
	silent  int
	bad     []string
}

func newFuzzer(c *C, s *Server, ann *Person) *fuzzer {
	c.Helper()
	var doc openapi
	ann.Do("GET", "/openapi.json", nil).Is(http.StatusOK).Into(&doc)
	file, err := os.ReadFile(filepath.Join(s.Data, "token"))
	if err != nil {
		c.Fatal(err)
	}
	return &fuzzer{
		C: c, maker: &maker{rand: c.Rand, schemas: doc.Components.Schemas}, s: s, ann: ann,
		addr: fmt.Sprintf("127.0.0.1:%d", s.HTTPS), ops: doc.Operations(), operator: strings.TrimSpace(string(file)),
		asked: map[string]int{}, told: map[int]int{}, classes: map[int]int{},
	}
}

// run sends so many requests, and every few hundred makes whole what they broke.
func (f *fuzzer) run(n int) {
	f.Helper()
	defer f.hangUp()
	f.newSpare()
	for i := range n {
		if i%300 == 0 {
			f.mend()
		}
		op := f.ops[i%len(f.ops)]
		f.asked[op.OperationID]++
		request := f.request(op)
		status, body, err := f.send(op.Method, request)
		if err != nil { // maybe the connection had ended before
			status, body, err = f.send(op.Method, request)
		}
		switch {
		case err != nil:
			f.silent++
			f.bad = append(f.bad, fmt.Sprintf("%s %s: no answer: %v\n%.600q", op.Method, op.Path, err, request))
		case status >= 500:
			f.bad = append(f.bad, fmt.Sprintf("%s %s: %d %s\n%.600q", op.Method, op.Path, status, body, request))
		}
		f.classes[status/100]++
		f.told[status]++
		if op.OperationID == "logOut" {
			f.newSpare()
		}
	}
	f.mend()
}

// mend signs in again, lifts what holds the team up, and learns what there is now.
func (f *fuzzer) mend() {
	f.Helper()
	f.s.Operate("PATCH", "/operator/teams/"+string(f.ann.Team.ID), map[string]any{"suspended": false, "quotas": map[string]any{}}).OK()
	f.s.Operate("PATCH", "/operator/users/"+string(f.ann.User.ID), map[string]any{"suspended": false}).OK()
	f.signedIn()
	f.ann.Do("POST", "/projects", map[string]any{"name": "Fuzzed"})                       // there may be no room
	for _, id := range ids(f.ann.Do("GET", f.ann.teamPath("tokens")+"?limit=100", nil)) { // a person may have 100
		f.ann.Do("DELETE", f.ann.teamPath("tokens/"+id), nil)
	}
	f.token = f.ann.Token(f.ann.Team.ID, hosting.ScopeAdmin)
	var begun struct {
		ID     string
		Upload struct{ Token string }
	}
	f.ann.Do("POST", "/deploy", map[string]any{"project": f.project(), "source": "files"}).OK().Into(&begun)
	f.attempt = begun.Upload.Token
	f.s.Operate("DELETE", "/edges/fuzzed", nil) // of the last time, if there was one
	var edge hosting.EdgeSecret
	f.s.Operate("POST", "/edges", hosting.NewEdge{Name: "fuzzed"}).OK().Into(&edge)
	f.edge = edge.Secret
	f.own = []string{string(f.ann.Team.ID), string(f.ann.User.ID)}
	var steady hosting.Project
	f.ann.Do("GET", "/projects/steady", nil).OK().Into(&steady)
	f.known = map[string][]string{"name": {"API_KEY"}, "id": {begun.ID}, "digest": {"sha256:" + strings.Repeat("a", 64)}}
	for name, path := range map[string]string{
		"project": "/projects", "team": "/teams", "user": "/operator/users", "token": f.ann.teamPath("tokens"),
		"invitation": f.ann.teamPath("invitations"), "session": "/user/sessions",
	} {
		for _, id := range ids(f.ann.Do("GET", path, nil)) {
			if id != string(f.ann.User.ID) && id != string(steady.ID) && name != "session" {
				f.known[name] = append(f.known[name], id)
			}
		}
	}
	f.known["id"] = append(f.known["id"], ids(f.ann.Do("GET", "/projects/steady/deployments", nil))...)
}

// signedIn signs the owner in again, if the session has ended.
func (f *fuzzer) signedIn() {
	f.Helper()
	if f.ann.Do("GET", "/user", nil).Status != http.StatusOK {
		f.ann.LogIn(f.ann.Password).OK()
	}
}

// newSpare makes another spare.
func (f *fuzzer) newSpare() {
	f.Helper()
	f.spare = f.s.SignUp(fmt.Sprintf("Spare%d", f.Rand.Uint32()))
}

// project is one that may be changed: not the one that is looked at in the end.
func (f *fuzzer) project() string {
	f.Helper()
	var list struct{ Items []struct{ ID, Slug string } }
	f.ann.Do("GET", "/projects", nil).OK().Into(&list)
	for _, p := range list.Items {
		if p.Slug != "steady" {
			return p.ID
		}
	}
	f.Fatal("there is no project to deploy")
	return ""
}

var idField = regexp.MustCompile(`"id":\s*"([a-z]+_[a-z0-9]+)"`)

// ids finds all identifiers in an answer.
func ids(a Answer) (found []string) {
	for _, m := range idField.FindAllStringSubmatch(a.Body, -1) {
		found = append(found, m[1])
	}
	return found
}

// request writes one for the operation, mostly with something wrong.
func (f *fuzzer) request(op *operation) []byte {
	var b bytes.Buffer
	target := f.target(op)
	body, kind := f.body(op)
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n", op.Method, target, f.s.controlHost(), f.s.HTTPS)
	f.credential(&b, op)
	if f.chance(85) {
		b.WriteString("Sec-Fetch-Site: same-origin\r\n")
	}
	for _, p := range op.Parameters {
		if p.In == "header" && f.chance(40) {
			fmt.Fprintf(&b, "%s: %s\r\n", p.Name, f.headerValue(fmt.Sprint(f.make(p.Schema, p.Name, 0))))
		}
	}
	for range f.Rand.IntN(3) {
		if f.chance(20) {
			name := pick(f.Rand, []string{"Accept", "Accept-Encoding", "If-None-Match", "Range", "Origin", "Cookie", "X-Forwarded-For", "Idempotency-Key", "Last-Event-ID", "Prefer", "Content-Encoding", "Upgrade"})
			fmt.Fprintf(&b, "%s: %s\r\n", name, f.headerValue(""))
		}
	}
	if kind != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", kind)
	}
	if body != nil || op.Method != http.MethodGet {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// headerValue is the value, or a nasty one. It may be no header at all, but it never ends the
// headers: what followed would be another request.
func (f *fuzzer) headerValue(v string) string {
	if v == "" || f.chance(50) {
		v = pick(f.Rand, nasty)
	}
	return strings.NewReplacer("\r\n", "\r", "\n", "\t").Replace(v[:min(len(v), 4000)])
}

// target fills in the path's and the query's parameters.
func (f *fuzzer) target(op *operation) string {
	path := op.Path
	query := url.Values{}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path":
			v := fmt.Sprint(f.make(p.Schema, p.Name, 0))
			switch n := f.Rand.IntN(100); {
			case len(f.known[p.Name]) > 0 && n < 60:
				v = pick(f.Rand, f.known[p.Name])
			case n < 75:
				v = pick(f.Rand, f.known[pick(f.Rand, []string{"id", "project", "team", "token"})])
			case n < 95:
				v = pick(f.Rand, nasty)
			}
			if strings.HasPrefix(op.Path, "/api/operator/") && (v == f.own[0] || v == f.own[1]) {
				v = "team_default0"
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(v[:min(len(v), 6000)]))
		case p.In == "query" && f.chance(50):
			v := fmt.Sprint(f.make(p.Schema, p.Name, 0))
			if f.chance(50) {
				v = pick(f.Rand, nasty)
			}
			query.Add(p.Name, v[:min(len(v), 6000)])
		}
	}
	if f.chance(5) {
		query.Add(pick(f.Rand, []string{"team", "after", "limit", "$where", ""}), "x")
	}
	if f.chance(3) {
		path += pick(f.Rand, []string{"/", "//", "/%2e%2e", ";x", "%00", "?", "%"})
	}
	if len(query) == 0 {
		return path
	}
	encoded := query.Encode()
	if f.chance(10) {
		encoded = strings.ReplaceAll(encoded, "%", "%%") // no URL any more
	}
	return path + "?" + encoded
}

// credential is mostly the one that the operation asks for.
func (f *fuzzer) credential(b *bytes.Buffer, op *operation) {
	n := f.Rand.IntN(100)
	switch {
	case strings.HasPrefix(op.Path, "/api/jobs/") && n < 80:
		fmt.Fprintf(b, "Authorization: Bearer %s\r\n", f.attempt)
	case op.OperationID == "reportEdge" && n < 80:
		fmt.Fprintf(b, "Authorization: Bearer %s\r\n", f.edge)
	case n < 75 && slices.Contains([]string{"logOut", "changePassword", "deleteUser"}, op.OperationID):
		fmt.Fprintf(b, "Cookie: %s=%s\r\n", sessionCookie, f.spare.Secret())
	case n < 75:
		fmt.Fprintf(b, "Cookie: %s=%s\r\n", sessionCookie, f.ann.Secret())
	case n < 85:
		fmt.Fprintf(b, "Authorization: Bearer %s\r\n", f.token)
	case n < 92:
		fmt.Fprintf(b, "Authorization: Bearer %s\r\n", f.operator)
	case n < 97:
		fmt.Fprintf(b, "Authorization: %s\r\n", f.headerValue("Bearer fwy_"+strings.Repeat("a", 52)))
	}
}

// body is one that the operation takes, mostly with something wrong.
func (f *fuzzer) body(op *operation) (body []byte, kind string) {
	if op.RequestBody == nil {
		if f.chance(10) {
			return []byte(pick(f.Rand, nastyJSON)), "application/json"
		}
		return nil, ""
	}
	var s *schema
	for k, media := range op.RequestBody.Content {
		if kind == "" || k < kind {
			kind, s = k, media.Schema
		}
	}
	var b bytes.Buffer
	switch {
	case !strings.Contains(kind, "json"):
		b.WriteString(pick(f.Rand, []string{"", "x", "\x1f\x8b\x08\x00", string(pack(f, map[string]string{"index.html": "x"}))}))
	default:
		v := f.make(s, "", 0)
		if f.chance(70) {
			v = f.spoil(v)
		}
		f.render(&b, v)
	}
	body = b.Bytes()
	if f.chance(15) {
		body = f.mangle(body)
	}
	if f.chance(5) {
		kind = pick(f.Rand, []string{"", "text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data", "*/*", strings.Repeat("a/", 500)})
	}
	return body, kind
}

// send writes the request and reads the answer, or as much of it as comes within a moment: some
// answers have no end.
func (f *fuzzer) send(method string, request []byte) (status int, body string, err error) {
	if f.conn == nil {
		if f.conn, err = tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", f.addr, &tls.Config{
			ServerName: f.s.controlHost(), InsecureSkipVerify: true, //nolint:gosec // it may be the control's proxy
		}); err != nil {
			return 0, "", err
		}
		f.in = bufio.NewReader(f.conn)
	}
	conn := f.conn
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, "", err
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(request)
		written <- err
	}()
	resp, err := http.ReadResponse(f.in, &http.Request{Method: method})
	if err != nil {
		f.hangUp()
		return 0, "", errors.Join(err, <-written)
	}
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second)) // of a connection that works
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || len(b) == 64<<10 || resp.Close || resp.StatusCode == http.StatusSwitchingProtocols {
		f.hangUp()
	}
	_ = resp.Body.Close()
	if err := <-written; err != nil {
		f.hangUp()
	}
	return resp.StatusCode, string(b[:min(len(b), 300)]), nil
}

func (f *fuzzer) hangUp() {
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
}

// resident is the server's memory, in MB.
func (s *Server) resident() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	if fields := strings.Fields(rest); len(fields) > 0 {
		kb, _ := strconv.Atoi(fields[0]) // the kernel writes a number
		return kb / 1024
	}
	return 0
}
