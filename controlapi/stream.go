package controlapi

import (
	"io"
	"net/http"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// paceTime is the longest that a peer may take over one piece of a streamed body. It is
// counted anew for each, so that a body may be as long as it needs while it flows.
const paceTime = 30 * time.Second

// paceStep is how often the deadline is moved at most: doing so is a system call.
const paceStep = time.Second

// declaredLength returns the body's length, which streamed uploads have to announce.
func declaredLength(r *http.Request) (int64, error) {
	if r.ContentLength < 0 || len(r.TransferEncoding) > 0 {
		return 0, &Problem{
			Status: http.StatusLengthRequired, Code: hosting.CodeInvalid,
			Detail: "the upload does not say how long it is", Hint: "send Content-Length",
		}
	}
	return r.ContentLength, nil
}

// pacedReader reads a body under a deadline that moves with it. It also lifts the one of
// the server, which on Caddy's admin endpoint is 10 s for the whole body.
type pacedReader struct {
	r     io.Reader
	rc    *http.ResponseController
	moved time.Time
}

func newPacedReader(w http.ResponseWriter, body io.Reader) *pacedReader {
	return &pacedReader{r: body, rc: http.NewResponseController(w)}
}

func (p *pacedReader) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.moved) >= paceStep {
		p.moved = now
		_ = p.rc.SetReadDeadline(now.Add(paceTime)) // not every writer has one, as in tests
	}
	return p.r.Read(b)
}

// done takes the deadline away, which would otherwise end what the handler does next.
func (p *pacedReader) done() { _ = p.rc.SetReadDeadline(time.Time{}) }

// pacedWriter writes an answer under a deadline that moves with it.
type pacedWriter struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	pace time.Duration
}

func newPacedWriter(w http.ResponseWriter, pace time.Duration) *pacedWriter {
	return &pacedWriter{w: w, rc: http.NewResponseController(w), pace: pace}
}

func (p *pacedWriter) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(p.pace)) // not every writer has one, as in tests
	return p.w.Write(b)
}

// send writes b and pushes it out.
func (p *pacedWriter) send(b []byte) error {
	if _, err := p.Write(b); err != nil {
		return err
	}
	return p.rc.Flush()
}

// done takes the deadline away: it belongs to the connection, which may carry on.
func (p *pacedWriter) done() { _ = p.rc.SetWriteDeadline(time.Time{}) }
