package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// unlimited is the environment of a server whose rate limits are not what is tried.
const unlimited = "FAIRWAY_LIMITS=api=1000000 auth=1000000 deploys=1000000 logs=1000000 sensitive=1000000"

// sessionCookie is the name of the cookie that holds a session.
const sessionCookie = "__Host-fairway"

// Person is somebody with a browser of their own: a cookie jar, and an address below
// 127.0.0.0/8 that nobody else has, so that limits by address see people apart.
type Person struct {
	s        *Server
	Email    string
	Name     string
	Password string
	Addr     string
	User     hosting.User
	Team     hosting.Team // their own
	Link     string       // the secret by which they signed up
	http     *http.Client
}

// Control is the address of the control host, over HTTPS: there alone the cookie is sent.
func (s *Server) Control() string { return fmt.Sprintf("https://%s:%d", s.controlHost(), s.HTTPS) }

func (s *Server) controlHost() string {
	for _, name := range []string{"FAIRWAY_CONTROL_HOST", "FAIRWAY_DOMAIN"} {
		if v := s.setting(name); v != "" {
			return v
		}
	}
	return "localhost"
}

// setting is what the server's environment says beyond its defaults.
func (s *Server) setting(name string) (value string) {
	for _, e := range s.env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// addresses counts the loopback addresses that were given out as somebody's.
var addresses atomic.Uint32

// freshAddress is an address of 127.0.0.0/8 that nobody had before, and not 127.0.0.1.
func freshAddress() string {
	n := addresses.Add(1) + 256
	return fmt.Sprintf("127.%d.%d.%d", 1+n>>16&0x7f, n>>8&0xff, n&0xff)
}

// visitorFrom is Visitor with connections that come from the address.
func (s *Server) visitorFrom(addr string, n int) *http.Client {
	v := s.Visitor(n)
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	v.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, to string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(to)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	}
	return v
}

// NewPerson is somebody who has no account yet.
func (s *Server) NewPerson(name string) *Person {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &Person{s: s, Name: name, Email: strings.ToLower(name) + "@people.test", Addr: freshAddress()}
	p.Password = "the long password of " + name
	p.http = s.visitorFrom(p.Addr, 4)
	p.http.Jar = jar
	s.t.Cleanup(p.http.CloseIdleConnections)
	return p
}

// Owner makes the first person, by the link that the operator has.
func (s *Server) Owner() *Person {
	s.t.Helper()
	p := s.NewPerson("Ann")
	p.signUp(s.linkOf(s.Operate("POST", "/operator/owner-link", nil)))
	return p
}

// SignUp makes a person, where sign-up is open.
func (s *Server) SignUp(name string) *Person {
	s.t.Helper()
	p := s.NewPerson(name)
	p.signUp("")
	return p
}

// Joined makes a person with an invitation into the inviter's own team.
func (p *Person) Joined(name string, role hosting.Role) *Person {
	p.s.t.Helper()
	q := p.s.NewPerson(name)
	var inv hosting.Invitation
	p.Do("POST", p.teamPath("invitations"), map[string]any{"email": q.Email, "role": role}).OK().Into(&inv)
	if inv.Link != "" && !p.User.Operator {
		p.s.t.Errorf("the invitation's link is told to %s, who is not the operator", p.Name)
	}
	q.signUp(p.s.linkOf(p.s.Operate("POST", "/operator/invitations/"+string(inv.ID)+"/link", nil)))
	return q
}

func (p *Person) teamPath(more string) string { return "/teams/" + string(p.Team.ID) + "/" + more }

// linkOf returns the secret of a link that the operator was told.
func (s *Server) linkOf(a Answer) string {
	s.t.Helper()
	var link struct{ URL string }
	a.OK().Into(&link)
	u, err := url.Parse(link.URL)
	if err != nil || u.Query().Get("link") == "" {
		s.t.Fatalf("%s answered the link %q", a.what, link.URL)
	}
	if got := u.Scheme + "://" + u.Host; got != s.Control() {
		s.t.Errorf("the link is for %s, not for the control host %s", got, s.Control())
	}
	return u.Query().Get("link")
}

func (p *Person) signUp(link string) {
	p.s.t.Helper()
	in := map[string]any{"email": p.Email, "name": p.Name, "password": p.Password}
	if p.Link = link; link != "" {
		in["link"] = link
	}
	p.Do("POST", "/user/signup", in).OK()
	p.Identify()
}

// Identify reads who the person is, as the API tells them.
func (p *Person) Identify() hosting.Identity {
	p.s.t.Helper()
	var id hosting.Identity
	p.Do("GET", "/user", nil).Is(200).Into(&id)
	if id.User == nil || id.Team == nil || id.Via != hosting.ViaSession || id.User.Email != p.Email {
		p.s.t.Fatalf("%s is known as %+v", p.Name, id)
	}
	p.User = *id.User
	for _, t := range id.Teams {
		if t.ID == id.User.Team {
			p.Team = t.Team
		}
	}
	return id
}

// Again is the same person with another browser, signed in by their password.
func (p *Person) Again() *Person {
	p.s.t.Helper()
	q := p.s.NewPerson(p.Name)
	q.Email, q.Password, q.User, q.Team = p.Email, p.Password, p.User, p.Team
	q.LogIn(p.Password).OK()
	return q
}

// LogIn signs in with the password.
func (p *Person) LogIn(password string) Answer {
	p.s.t.Helper()
	return p.Do("POST", "/user/login", map[string]any{"email": p.Email, "password": password})
}

// Secret is what the person's session cookie holds.
func (p *Person) Secret() string {
	u, err := url.Parse(p.s.Control())
	if err != nil {
		p.s.t.Fatal(err)
	}
	for _, c := range p.http.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	return ""
}

// Token makes an API token in the team whose path is given, and returns its secret.
func (p *Person) Token(team hosting.TeamID, scope hosting.Scope) string {
	p.s.t.Helper()
	var token struct{ Secret string }
	p.Do("POST", "/teams/"+string(team)+"/tokens", map[string]any{"name": "command line", "scope": scope, "days": 1}).OK().Into(&token)
	if token.Secret == "" {
		p.s.t.Fatal("the new token has no secret")
	}
	return token.Secret
}

// Do asks the API as a page of the control host would.
func (p *Person) Do(method, path string, in any) Answer {
	p.s.t.Helper()
	return p.Ask(method, path, in, nil)
}

// Ask is Do with further headers.
func (p *Person) Ask(method, path string, in any, header http.Header) Answer {
	p.s.t.Helper()
	r := request(p.s.t, method, p.s.Control()+"/api"+path, in)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, values := range header {
		r.Header[name] = values
	}
	return do(p.s.t, p.http, r)
}

// Operate asks the API through the admin socket, as the operator.
func (s *Server) Operate(method, path string, in any) Answer {
	s.t.Helper()
	return s.onSocket(method, "/fairway"+path, in)
}

// onSocket asks Caddy's admin endpoint.
func (s *Server) onSocket(method, path string, in any) Answer {
	s.t.Helper()
	v := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.Data, "admin.sock"))
		},
	}}
	defer v.CloseIdleConnections()
	return do(s.t, v, request(s.t, method, "http://localhost"+path, in))
}

// CLIAs runs the command over the network with a token, and knows nothing of the data folder.
func (s *Server) CLIAs(token, dir string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	return s.cli(dir, []string{
		"FAIRWAY_DATA=", "FAIRWAY_URL=" + s.Control(), "FAIRWAY_TOKEN=" + token,
		"FAIRWAY_CA=" + filepath.Join(s.Data, "caddy/pki/authorities/local/root.crt"),
	}, args...)
}

func request(t testing.TB, method, url string, in any) *http.Request {
	t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// Answer is what the API said.
type Answer struct {
	t      testing.TB
	what   string
	Status int
	Header http.Header
	Body   string
}

func do(t testing.TB, v *http.Client, r *http.Request) Answer {
	t.Helper()
	what := r.Method + " " + r.URL.Path
	resp, err := v.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return Answer{t: t, what: what, Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
}

// Is fails unless the status is this one.
func (a Answer) Is(status int) Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s: status %d, want %d: %.600s", a.what, a.Status, status, a.Body)
	}
	return a
}

// OK fails unless it was done.
func (a Answer) OK() Answer {
	a.t.Helper()
	if a.Status/100 != 2 {
		a.t.Fatalf("%s: status %d: %.600s", a.what, a.Status, a.Body)
	}
	return a
}

// Code is the problem's code, "" where it is none.
func (a Answer) Code() hosting.Code {
	var p struct{ Code hosting.Code }
	if a.Header.Get("Content-Type") == "application/problem+json" {
		_ = json.Unmarshal([]byte(a.Body), &p) // what is no JSON has no code
	}
	return p.Code
}

// Into decodes the answer.
func (a Answer) Into(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		a.t.Fatalf("%s: %v: %.600s", a.what, err, a.Body)
	}
}

// Deploy packs files, has them built or published as a project's next deployment, and waits
// for its end. The project is made when there is none.
func (p *Person) Deploy(project string, files map[string]string) hosting.Deployment {
	p.s.t.Helper()
	if p.Do("GET", "/projects/"+project, nil).Status == http.StatusNotFound {
		p.Do("POST", "/projects", map[string]any{"name": project, "slug": project}).OK()
	}
	var begun struct{ ID hosting.DeploymentID }
	p.Do("POST", "/deploy", map[string]any{"project": project, "source": "archive"}).OK().Into(&begun)
	r, err := http.NewRequest("PUT", p.s.Control()+"/api/deployments/"+string(begun.ID)+"/source", bytes.NewReader(pack(p.s.t, files)))
	if err != nil {
		p.s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/gzip")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	do(p.s.t, p.http, r).OK()
	var d hosting.Deployment
	p.s.eventually(2*time.Minute, "the deployment of "+project+" ends", func() bool {
		p.Do("GET", "/deployments/"+string(begun.ID), nil).OK().Into(&d)
		return d.Status.Terminal()
	})
	if d.Status != hosting.StatusReady {
		p.s.t.Fatalf("the deployment of %s is %s: %s %s", project, d.Status, d.Code, d.Reason)
	}
	return d
}

// pack makes a tar.gz of files.
func pack(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
