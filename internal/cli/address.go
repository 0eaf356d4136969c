package cli

import (
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
)

// address says which Fairway is meant: a flag before the environment, and where neither
// names one, the data folder here or in a folder above.
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
	return s.nearest()
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

// nearest looks for data/admin.sock here and in every folder above, as Git looks for .git:
// so a command works anywhere below the folder in which Fairway was started.
func (s *session) nearest() (client.Options, error) {
	for dir := filepath.Clean(s.env.Dir); ; dir = filepath.Dir(dir) {
		socket := filepath.Join(dir, dataFolder, adminSocket)
		if _, err := os.Stat(socket); err == nil {
			return onSocket(socket), nil
		}
		if dir == filepath.Dir(dir) {
			return client.Options{}, errorf(ExitUnreachable, "no Fairway runs here").
				hint("start one with fairway run, or say where it is with --data DIR or --url URL")
		}
	}
}

// remote is a Fairway that is asked over the network, with a token.
func (s *session) remote(address string) (client.Options, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return client.Options{}, errorf(ExitUsage, "%q is not the address of a Fairway", address).
			hint("write it as https://fairway.example.com")
	}
	token := s.g.token
	if token == "" {
		token = s.env.Getenv("FAIRWAY_TOKEN")
	}
	if token == "" {
		return client.Options{}, errorf(ExitForbidden, "no token for %s", u.Host).
			hint("put it into FAIRWAY_TOKEN; the file token of the data folder holds the first one")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		s.say("fairway: the token travels unencrypted to %s: use https", u.Host)
	}
	base := strings.TrimSuffix(u.String(), "/")
	if !strings.HasSuffix(u.Path, "/api") {
		base = strings.TrimSuffix(base, "/") + "/api"
	}
	ca := s.g.ca
	if ca == "" {
		ca = s.env.Getenv("FAIRWAY_CA")
	}
	return client.Options{Base: base, Token: strings.TrimSpace(token), RootCA: ca}, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
