package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// network is the name under which a Caddyfile asks for these listeners: "bind fairway/".
const network = "fairway"

// sockets are TCP sockets that configurations pass on to each other.
//
// Caddy opens another socket for each configuration (SO_REUSEPORT) and closes the old one.
// The kernel has spread new connections over both by then and resets those that wait at the
// old one, so a reload under load would drop a few. Here every configuration has a duplicate
// of one socket with one queue, of which closing any but the last takes nothing.
type sockets struct {
	mu   sync.Mutex
	open map[string]*socket // by address
}

// socket is one address that is listened on. Its listener only serves to make duplicates:
// nobody accepts from it.
type socket struct {
	listener *net.TCPListener
	users    []*passed // the newest last
}

// listen implements caddy.ListenerFunc.
func (s *sockets) listen(ctx context.Context, _, host, portRange string, offset uint, config net.ListenConfig) (any, error) {
	first, _, _ := strings.Cut(portRange, "-")
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen on %s/%s:%s: no port", network, host, portRange)
	}
	addr := net.JoinHostPort(host, strconv.FormatUint(port+uint64(offset), 10))
	s.mu.Lock()
	defer s.mu.Unlock()
	so, ok := s.open[addr]
	if !ok {
		ln, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		so = &socket{listener: ln.(*net.TCPListener)}
		s.open[addr] = so
	}
	dup, err := so.duplicate()
	if err != nil {
		return nil, fmt.Errorf("pass %s on: %w", addr, s.release(addr, so, err))
	}
	p := &passed{TCPListener: dup, closed: make(chan struct{})}
	p.release = func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		so.users = slices.DeleteFunc(so.users, func(o *passed) bool { return o == p })
		return s.release(addr, so, nil)
	}
	so.users = append(so.users, p)
	return p, nil
}

// settle is how long a configuration that is being replaced may take to read the first
// request of the connections that it has just accepted.
const settle = 300 * time.Millisecond

// passOn makes all configurations but the newest accept no more, and gives them time to read
// what they were sent: net/http closes a connection without an answer if its first request
// is read only after the shutdown has begun.
func (s *sockets) passOn() {
	old := 0
	s.mu.Lock()
	for _, so := range s.open {
		for _, p := range so.users[:len(so.users)-1] {
			p.rest()
			old++
		}
	}
	s.mu.Unlock()
	if old > 0 {
		<-time.After(settle)
	}
}

// release closes a socket that nobody uses any more. It returns cause if that is not nil.
func (s *sockets) release(addr string, so *socket, cause error) error {
	if len(so.users) > 0 {
		return cause
	}
	delete(s.open, addr)
	if err := so.listener.Close(); cause == nil {
		return err
	}
	return cause
}

func (so *socket) duplicate() (*net.TCPListener, error) {
	f, err := so.listener.File()
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // FileListener has a duplicate of its own
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// passed is one configuration's duplicate.
type passed struct {
	*net.TCPListener
	closed  chan struct{}
	once    sync.Once
	release func() error
}

// rest makes Accept wait for Close. A deadline is of this duplicate alone.
func (p *passed) rest() { _ = p.SetDeadline(time.Unix(1, 0)) }

// Accept implements net.Listener.
func (p *passed) Accept() (net.Conn, error) {
	conn, err := p.TCPListener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		<-p.closed
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close ends the configuration's accepting; connections that wait are left to the others.
func (p *passed) Close() error {
	err := p.TCPListener.Close()
	p.once.Do(func() {
		close(p.closed)
		if e := p.release(); err == nil {
			err = e
		}
	})
	return err
}
