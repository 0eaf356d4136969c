package notify

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Server is where mail is handed in, and from whom it is. The zero value means that no mail is
// sent.
type Server struct {
	Host     string
	Port     int
	User     string
	Password string
	From     mail.Address
	TLS      Encryption
}

// String returns the server's host and port, and nothing that is secret.
func (s Server) String() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Encryption says how the connection is protected.
type Encryption int

// The ways to protect a connection.
const (
	StartTLS  Encryption = iota // encrypted by STARTTLS, or nothing is sent
	Direct                      // TLS from the first byte
	Cleartext                   // not at all: the server is on this machine, or the operator said so
)

// Parse reads a server's address:
//
//	smtp://user:password@mail.example.com:587?from=Fairway <no-reply@example.com>
//	smtps://user@mail.example.com?from=no-reply@example.com&password=env:SMTP_PASSWORD
//
// smtp means STARTTLS, at port 587; smtps means TLS from the first byte, at port 465. Without
// encryption mail goes to a server on this machine, or where the address ends in tls=off. The
// empty string is the zero Server. Errors hold nothing of the password.
func Parse(address string, getenv func(string) string) (Server, error) {
	if address == "" {
		return Server{}, nil
	}
	u, err := url.Parse(strings.ReplaceAll(address, " ", "%20"))
	if err != nil {
		// The error of url.Parse quotes the address, with the password.
		return Server{}, errors.New("the mail server's address cannot be read: write smtp://user:password@host:587?from=you@example.com, with special characters percent-encoded")
	}
	s := Server{Host: u.Hostname(), User: u.User.Username()}
	s.Password, _ = u.User.Password()
	port := "587"
	switch u.Scheme {
	case "smtp":
		if hosting.IsLoopback(s.Host) {
			s.TLS = Cleartext
		}
	case "smtps":
		s.TLS, port = Direct, "465"
	default:
		return Server{}, errors.New("the mail server's address must begin with smtp:// or smtps://")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if s.Port, err = strconv.Atoi(port); err != nil || s.Host == "" || s.Port < 1 || s.Port > 65535 || strings.Trim(u.Path, "/") != "" {
		return Server{}, errors.New("the mail server's address needs a host, and a port if it has one, and no path")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Server{}, errors.New("the settings behind the ? of the mail server's address cannot be read")
	}
	return s, s.set(query, getenv)
}

func (s *Server) set(query url.Values, getenv func(string) string) error {
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "from":
			from, err := mail.ParseAddress(value)
			if err != nil {
				return fmt.Errorf("from=%q is no mail address", value)
			}
			s.From = *from
		case "password":
			variable, ok := strings.CutPrefix(value, "env:")
			if !ok || getenv(variable) == "" {
				return errors.New("the setting password must be env: and the name of a variable that holds one")
			}
			s.Password = getenv(variable)
		case "tls":
			if value != "off" || s.TLS == Direct {
				return errors.New("the setting tls can only be off, and only for smtp://")
			}
			s.TLS = Cleartext
		default:
			return fmt.Errorf("the mail server's address has no setting %q: there are from, password and tls", name)
		}
	}
	switch {
	case s.From.Address == "":
		return errors.New("the mail server's address needs from=, the address that mail comes from")
	case (s.User == "") != (s.Password == ""):
		return errors.New("the mail server's address needs both user and password, or neither")
	}
	return nil
}
