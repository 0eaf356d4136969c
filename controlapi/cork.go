package controlapi

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"
)

// corker hands out a hijacked connection that can be corked: the messages of a web socket are
// written one by one, each with a system call, and those of a log come by the hundred.
type corker struct {
	http.ResponseWriter
	conn *corkedConn // once it was hijacked
}

// Hijack implements http.Hijacker.
func (c *corker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.conn = &corkedConn{Conn: conn}
	return c.conn, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(c.conn)), nil
}

// maxCorked is how many bytes are held back at most.
const maxCorked = 32 << 10

// corkedConn holds back what is written while it is corked. Its methods may be called
// concurrently: who reads answers pings.
type corkedConn struct {
	net.Conn
	mu     sync.Mutex // guards what follows, and orders the writes
	corked bool
	held   []byte
}

func (c *corkedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.corked {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	if len(c.held) < maxCorked {
		return len(b), nil
	}
	return len(b), c.flush()
}

// cork holds back what is written from now on.
func (c *corkedConn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = true
}

// uncork writes what was held back, which may take so long.
func (c *corkedConn) uncork(limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	_ = c.SetWriteDeadline(time.Now().Add(limit)) // a connection that is closed says so below
	defer func() { _ = c.SetWriteDeadline(time.Time{}) }()
	return c.flush()
}

// flush is for who holds mu.
func (c *corkedConn) flush() error {
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held)
	c.held = c.held[:0]
	return err
}
