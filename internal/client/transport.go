package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// The longest silence between a request's last byte and the answer's first: finishing a
// large site flushes each of its files to disk first.
const answerTimeout = 5 * time.Minute

func newTransport(o Options) (*http.Transport, error) {
	d := dialer{socket: o.Socket, net: net.Dialer{Timeout: 10 * time.Second}}
	t := &http.Transport{
		DialContext:           d.DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: answerTimeout,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}, //nolint:gosec // whoever sets Insecure asks for it by name
	}
	if o.RootCA == "" {
		return t, nil
	}
	pool, err := loadRoots(o.RootCA)
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}

func loadRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the root certificate: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without roots still has ours
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the root certificate: %s holds none", path)
	}
	return pool, nil
}

type dialer struct {
	socket string
	net    net.Dialer
}

// DialContext dials the socket, or loopback for localhost and the names below it: browsers
// resolve those (RFC 6761, section 6.3), the resolvers of Go and glibc do not.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.socket != "" {
		return d.net.DialContext(ctx, "unix", d.socket)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host != "localhost" && !strings.HasSuffix(host, ".localhost") {
		return d.net.DialContext(ctx, network, addr)
	}
	conn, err := d.net.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err == nil || ctx.Err() != nil {
		return conn, err
	}
	conn, err6 := d.net.DialContext(ctx, network, net.JoinHostPort("::1", port))
	if err6 != nil {
		return nil, errors.Join(err, err6)
	}
	return conn, nil
}
