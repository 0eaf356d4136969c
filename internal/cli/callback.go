package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// callback waits on this machine for a browser to bring the code of a login back (RFC 8252,
// section 7.3).
type callback struct {
	state    string // what the browser has to bring, too: other pages can send it here as well
	listener net.Listener
	server   *http.Server
	serving  sync.WaitGroup
	code     chan string
}

// listenForCode begins to listen; close ends it.
func listenForCode() (*callback, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	b := &callback{state: rand.Text(), listener: l, code: make(chan string, 1)}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	b.serving.Go(func() { _ = b.server.Serve(l) }) // it ends by close alone
	return b, nil
}

func (b *callback) port() int { return b.listener.Addr().(*net.TCPAddr).Port }

// close lets the page that is being answered arrive, and ends.
func (b *callback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if b.server.Shutdown(ctx) != nil {
		_ = b.server.Close()
	}
	b.serving.Wait()
}

// wait returns the code once a browser has brought it.
func (b *callback) wait(ctx context.Context, patience time.Duration) (string, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case code := <-b.code:
		return code, nil
	case <-timer.C:
		return "", errorf(ExitFailed, "nothing was approved in the browser within %s", took(patience)).hint("run fairway login again")
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// ServeHTTP takes the first code that comes with the right state.
func (b *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet || r.URL.Path != "/callback":
		answerBrowser(w, http.StatusNotFound, "There is nothing here.")
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(b.state)) != 1 || q.Get("code") == "":
		answerBrowser(w, http.StatusBadRequest, "This is not the sign-in that waits here. Run fairway login again.")
	default:
		select {
		case b.code <- q.Get("code"):
		default: // the same page once more
		}
		answerBrowser(w, http.StatusOK, "Go on in the terminal. You can close this window.")
	}
}

func answerBrowser(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>Fairway</title><p>`+text+"\n")
}
