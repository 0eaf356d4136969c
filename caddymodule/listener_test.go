package caddymodule

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
)

func TestSockets_PassConnectionsOn(t *testing.T) {
	s := &sockets{open: map[string]*socket{}}
	listen := func(port string) net.Listener {
		t.Helper()
		ln, err := s.listen(context.Background(), network, "127.0.0.1", port, 0, net.ListenConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return ln.(net.Listener)
	}
	// Port 0 is an address of its own in the table, so the second asks for it the same way.
	old := listen("0")
	addr := old.Addr().String()
	conns := make([]net.Conn, 20)
	for i := range conns { // nobody accepts: they wait in the queue
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		conns[i] = c
	}
	next := listen("0")
	if next.Addr().String() != addr {
		t.Fatalf("the next configuration listens on %s, not on %s", next.Addr(), addr)
	}
	s.passOn()
	accepted := make(chan error, 1)
	go func() {
		_, err := old.Accept()
		accepted <- err
	}()
	for range 2 { // http.Server closes a listener more than once
		_ = old.Close()
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a listener that was passed on accepts: %v", err)
	}
	for range conns {
		c, err := next.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	for i, c := range conns {
		if n, err := c.Read(make([]byte, 1)); n != 1 {
			t.Errorf("connection %d, which waited while the old listener closed: %v", i, err)
		}
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	if len(s.open) != 0 {
		t.Errorf("still open: %v", s.open)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := strconv.Atoi(port); n == 0 {
		t.Fatal("no port")
	}
	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port was not given back: %v", err)
	}
	_ = again.Close()
}
