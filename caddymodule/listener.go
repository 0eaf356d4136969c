package caddymodule

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
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
	users    int
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
	so.users++
	return &passed{Listener: dup, release: func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		so.users--
		return s.release(addr, so, nil)
	}}, nil
}

// release closes a socket that nobody uses any more. It returns cause if that is not nil.
func (s *sockets) release(addr string, so *socket, cause error) error {
	if so.users > 0 {
		return cause
	}
	delete(s.open, addr)
	if err := so.listener.Close(); cause == nil {
		return err
	}
	return cause
}

func (so *socket) duplicate() (net.Listener, error) {
	f, err := so.listener.File()
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // FileListener has a duplicate of its own
	return net.FileListener(f)
}

// passed is one configuration's duplicate.
type passed struct {
	net.Listener
	once    sync.Once
	release func() error
}

// Close ends the configuration's accepting; connections that wait are left to the others.
func (p *passed) Close() error {
	err := p.Listener.Close()
	p.once.Do(func() {
		if e := p.release(); err == nil {
			err = e
		}
	})
	return err
}
