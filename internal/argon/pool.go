package argon

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// Pool derives keys in workers: processes that run Serve. It starts one when all others are
// busy; the caller bounds how many that may be. The zero value of all but Command is usable.
// Methods may be called concurrently.
type Pool struct {
	// Command makes the process of a worker, not yet started.
	Command func() *exec.Cmd
	// Idle is how long a worker without work is kept; default one minute.
	Idle time.Duration
	// Patience is how long a hash may take; default 10 seconds. On a machine that has no time
	// to spare, a worker gets a thousandth of a processor.
	Patience time.Duration

	mu     sync.Mutex
	free   []*worker // the one used last is the last
	closed bool
	all    sync.WaitGroup // of workers
}

// ErrLate is what Key fails with when a worker took longer than Patience.
var ErrLate = errors.New("the worker that hashes passwords got no time from the processor")

// ErrClosed is what Key fails with after Close.
var ErrClosed = errors.New("the workers that hash passwords are closed")

type worker struct {
	cmd    *exec.Cmd
	in     io.Closer
	ask    *gob.Encoder
	answer *gob.Decoder
	idle   *time.Timer
}

// Key derives a key in a worker. A worker that has died meanwhile is replaced, once.
func (p *Pool) Key(password string, salt []byte, params Params) ([]byte, error) {
	q := request{Password: password, Salt: salt, Params: params}
	if w := p.take(); w != nil {
		if key, err := p.ask(w, q); err == nil || errors.Is(err, ErrLate) {
			return key, err
		}
	}
	w, err := p.begin()
	if err != nil {
		return nil, err
	}
	return p.ask(w, q)
}

// take returns a free worker, or nil.
func (p *Pool) take() *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return nil
	}
	w := p.free[n-1]
	p.free = p.free[:n-1]
	w.idle.Stop()
	return w
}

func (p *Pool) begin() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	cmd := p.Command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	p.all.Add(1)
	return &worker{cmd: cmd, in: in, ask: gob.NewEncoder(in), answer: gob.NewDecoder(out)}, nil
}

// ask has the worker answer, and keeps it for the next, or ends it when it failed.
func (p *Pool) ask(w *worker, q request) ([]byte, error) {
	patience := p.Patience
	if patience == 0 {
		patience = 10 * time.Second
	}
	late := time.AfterFunc(patience, func() { _ = w.cmd.Process.Kill() })
	var a reply
	err := w.ask.Encode(q)
	if err == nil {
		err = w.answer.Decode(&a)
	}
	switch inTime := late.Stop(); {
	case !inTime:
		err = ErrLate // it is killed, or about to be
	case err == nil && len(a.Key) != KeySize:
		err = fmt.Errorf("a key of %d bytes", len(a.Key))
	}
	if err != nil {
		p.end(w)
		return nil, fmt.Errorf("ask a worker: %w", err)
	}
	p.keep(w)
	return a.Key, nil
}

func (p *Pool) keep(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		go p.end(w) // which Close waits for
		return
	}
	idle := p.Idle
	if idle == 0 {
		idle = time.Minute
	}
	p.free = append(p.free, w)
	w.idle = time.AfterFunc(idle, func() { p.retire(w) })
}

// retire ends a worker that nobody took meanwhile.
func (p *Pool) retire(w *worker) {
	p.mu.Lock()
	i := slices.Index(p.free, w)
	if i >= 0 {
		p.free = slices.Delete(p.free, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		p.end(w)
	}
}

// end ends the process and waits for it. The worker is nobody else's.
func (p *Pool) end(w *worker) {
	defer p.all.Done()
	_ = w.in.Close()
	_ = w.cmd.Process.Kill() // it holds nothing that could be lost
	_ = w.cmd.Wait()
}

// Close ends every worker and waits until they are gone. A hash that runs is finished first.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	free := p.free
	p.free = nil
	for _, w := range free {
		w.idle.Stop()
	}
	p.mu.Unlock()
	for _, w := range free {
		p.end(w)
	}
	p.all.Wait()
	return nil
}
