package cli

import (
	"cmp"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/scale-mesh/fairway/internal/client"
)

const (
	adminSocket = "admin.sock"
	dataFolder  = "data"
	// localRoot is where Caddy keeps the root of its internal issuer, in a data folder.
	localRoot = "caddy/pki/authorities/local/root.crt"
)

// address says which Fairway is meant: a flag before the environment; where neither names
// one, the data folder here or in a folder above; and at last where the user signed in.
func (s *session) address() (client.Options, error) {
	getenv := s.env.Getenv
	switch {
	case s.g.url != "" && s.g.data != "":
		return client.Options{}, errorf(ExitUsage, "--url and --data name two places").hint("give one of them")
	case s.g.url != "":
		return s.remote(s.g.url)
	case s.g.data != "":
		return socketIn(s.absolute(s.g.data))
	case getenv("FAIRWAY_URL") != "":
		return s.remote(getenv("FAIRWAY_URL"))
	case getenv("FAIRWAY_DATA") != "":
		return socketIn(s.absolute(getenv("FAIRWAY_DATA")))
	}
	if socket := s.nearest(adminSocket); socket != "" {
		return onSocket(socket), nil
	}
	known, err := s.logins()
	if err != nil {
		return client.Options{}, err
	}
	if known.Default != "" {
		return s.remote(known.Default)
	}
	return client.Options{}, errorf(ExitUnreachable, "no Fairway runs here").
		hint("start one with fairway run, say where it is with --data DIR, or sign in to one with fairway login --url URL")
}

func (s *session) absolute(dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(s.env.Dir, dir)
}

func socketIn(dir string) (client.Options, error) {
	socket := filepath.Join(dir, adminSocket)
	if _, err := os.Stat(socket); err != nil {
		return client.Options{}, errorf(ExitUnreachable, "no Fairway runs in %s", dir).
			hint("start it with fairway run, or name its folder with --data")
	}
	return onSocket(socket), nil
}

func onSocket(socket string) client.Options {
	return client.Options{Socket: socket, Base: "/fairway"}
}

// nearest looks for a file of a data folder here and in every folder above, as Git looks for
// .git: so a command works anywhere below the folder in which Fairway was started. It is ""
// where there is none.
func (s *session) nearest(name string) string {
	for dir := filepath.Clean(s.env.Dir); ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, dataFolder, filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// remote is a Fairway that is asked over the network, with a token: one that is given, else
// the one of its login.
func (s *session) remote(address string) (client.Options, error) {
	o, err := s.place(address)
	if err != nil {
		return o, err
	}
	at := siteOf(o)
	o.Token = strings.TrimSpace(cmp.Or(s.g.token, s.env.Getenv("FAIRWAY_TOKEN")))
	if o.Token == "" {
		known, err := s.logins()
		if err != nil {
			return o, err
		}
		o.Token = known.At[at].Token
	}
	if o.Token == "" {
		return o, errorf(ExitForbidden, "no token for %s", at).
			hint("sign in with fairway login --url %s, or put a token into FAIRWAY_TOKEN", at)
	}
	return o, nil
}

// place reads an address and how its certificate is known. It knows no token.
func (s *session) place(address string) (client.Options, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return client.Options{}, errorf(ExitUsage, "that is not the address of a Fairway").
			hint("write it as https://fairway.example.com")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		s.say("fairway: the token travels unencrypted to %s: use https", u.Host)
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api")
	base := url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: strings.TrimSuffix(path, "/") + "/api"}
	return client.Options{Base: base.String(), RootCA: s.rootFor(u)}, nil
}

// siteOf is the address of a Fairway itself, as logins are kept by.
func siteOf(o client.Options) string { return strings.TrimSuffix(o.Base, "/api") }

// rootFor returns a further root certificate to trust: one that is named, or for a Fairway of
// this machine the one that Caddy made in the data folder that is near.
func (s *session) rootFor(u *url.URL) string {
	named := cmp.Or(s.g.ca, s.env.Getenv("FAIRWAY_CA"))
	if named != "" || u.Scheme != "https" || !loopback(u.Hostname()) {
		return named
	}
	if dir := s.env.Getenv("FAIRWAY_DATA"); dir != "" {
		path := filepath.Join(s.absolute(dir), filepath.FromSlash(localRoot))
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return s.nearest(localRoot)
}

func loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
