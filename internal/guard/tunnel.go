package guard

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// tunnel answers one CONNECT and returns when the tunnel has ended.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		p.fail(w, refuse("%q is none that can be reached", clip(r.Host)).with("write it as host:port"))
		return
	}
	// A tunnel carries any protocol: on other ports it could send mail.
	if policy := p.dialer.policy; port != "443" && !policy.Open && !policy.listsHost(host, port) {
		p.fail(w, refuse("port %s of %q is not admitted", clip(port), clip(host)).with("use port 443, or ask the operator to admit this origin"))
		return
	}
	out, err := p.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		p.fail(w, err)
		return
	}
	defer out.Close()
	in, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // HTTP/2 or a dead connection; this server speaks only HTTP/1
	}
	defer in.Close()
	if _, err := io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	// Only what is buffered already: read on through it, the server would take the client's
	// end of sending for its departure, and cancel the request's context.
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	relay(r.Context(), client{in, io.MultiReader(bytes.NewReader(early), in)}, out)
}

// client is the near end of a tunnel: what it sent right behind its CONNECT comes first.
type client struct {
	net.Conn
	reads io.Reader
}

func (c client) Read(b []byte) (int, error) { return c.reads.Read(b) }

// relay copies both ways. It lasts as long as the far end sends: a near end that has
// finished sending may still wait for the answer, a far end that has finished will answer
// nothing more.
func relay(ctx context.Context, near, far net.Conn) {
	end := func() { _, _ = near.Close(), far.Close() }
	stop := context.AfterFunc(ctx, end)
	defer stop()
	var up sync.WaitGroup
	up.Go(func() {
		if _, err := io.Copy(far, near); err != nil {
			end()
			return
		}
		if half, ok := far.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
	_, _ = io.Copy(near, far)
	end()
	up.Wait()
}

// watched is a connection that closes itself once nothing has moved on it for a while, so
// that a peer that went silent does not hold it for ever.
type watched struct {
	net.Conn
	idle  time.Duration
	timer *time.Timer
}

func watch(conn net.Conn, idle time.Duration) *watched {
	return &watched{conn, idle, time.AfterFunc(idle, func() { _ = conn.Close() })}
}

// Read reads, and counts as movement if anything came.
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.moved(n)
	return n, err
}

// Write writes, and counts as movement.
func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.moved(n)
	return n, err
}

// CloseWrite tells the peer that nothing more will be sent.
func (w *watched) CloseWrite() error {
	if c, ok := w.Conn.(*net.TCPConn); ok {
		return c.CloseWrite()
	}
	return nil
}

// Close closes the connection.
func (w *watched) Close() error {
	w.timer.Stop()
	return w.Conn.Close()
}

// moved starts the wait anew, unless it is over: then the connection is closed already.
func (w *watched) moved(n int) {
	if n > 0 && w.timer.Stop() {
		w.timer.Reset(w.idle)
	}
}
