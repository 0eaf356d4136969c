package notify_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/scale-mesh/fairway/internal/notify"
)

// letter is a message that the server took.
type letter struct {
	from, to, id, subject, text, raw string
}

// postOffice is a real SMTP server, which a test makes refuse things.
type postOffice struct {
	t    *testing.T
	addr *net.TCPAddr
	pool *x509.CertPool
	took chan letter // one for each message taken

	mu          sync.Mutex
	connections int
	letters     []letter
	onMail      func(from string) error // under mu, like all that follow
	onRcpt      func(to string) error
	onData      func(n int) error
	onReset     func(*smtp.Conn)
}

// openPostOffice starts a server: in clear text, with STARTTLS, or in TLS.
func openPostOffice(t *testing.T, how notify.Encryption, login bool) *postOffice {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	o := &postOffice{t: t, pool: x509.NewCertPool(), took: make(chan letter, 1000)}
	o.pool.AddCert(web.Certificate())
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.connections++
		return &counter{o: o, conn: c, open: !login}, nil
	}))
	s.ErrorLog = quiet{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.addr = listener.Addr().(*net.TCPAddr)
	switch how {
	case notify.Direct:
		listener = tls.NewListener(listener, web.TLS)
	case notify.StartTLS:
		s.TLSConfig = web.TLS
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return o
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// server is how a mailer reaches the office.
func (o *postOffice) server(how notify.Encryption) notify.Server {
	return notify.Server{Host: "127.0.0.1", Port: o.addr.Port, From: mail.Address{Name: "Fäirway", Address: "no-reply@fairway.test"}, TLS: how}
}

func (o *postOffice) taken() []letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]letter(nil), o.letters...)
}

// refuse changes what the office does.
func (o *postOffice) refuse(change func(*postOffice)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

// counter is one connection.
type counter struct {
	o        *postOffice
	conn     *smtp.Conn
	open     bool
	from, to string
}

func (c *counter) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "fairway" || password != "hunter2" {
			return smtp.ErrAuthFailed
		}
		c.open = true
		return nil
	}), nil
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	if !c.open {
		return smtp.ErrAuthRequired
	}
	c.from = from
	if c.o.onMail != nil {
		return c.o.onMail(from)
	}
	return nil
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	c.to = to
	if c.o.onRcpt != nil {
		return c.o.onRcpt(to)
	}
	return nil
}

func (c *counter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l, err := read(string(raw))
	if err != nil {
		c.o.t.Error(err)
	}
	l.from, l.to = c.from, c.to
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	if c.o.onData != nil {
		if err := c.o.onData(len(c.o.letters)); err != nil {
			return err
		}
	}
	c.o.letters = append(c.o.letters, l)
	c.o.took <- l
	return nil
}

// Reset comes after each message.
func (c *counter) Reset() {
	c.o.mu.Lock()
	defer c.o.mu.Unlock()
	if c.o.onReset != nil {
		c.o.onReset(c.conn)
	}
}

func (*counter) Logout() error { return nil }

// read takes a message apart with the standard library.
func read(raw string) (letter, error) {
	msg, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return letter{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil {
		return letter{}, err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	return letter{id: msg.Header.Get("Message-ID"), subject: subject, text: strings.ReplaceAll(string(text), "\r\n", "\n"), raw: raw}, err
}
