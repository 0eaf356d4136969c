package runnertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience ends a test whose event does not come.
const patience = 30 * time.Second

var noDeadline = context.Background()

// Message is what a process of a job says. The first has the event "up".
type Message struct {
	Event      string // up, token, term, environment
	Role       string // the job's name, or what it started: "daemon"
	PID        int
	Deployment string
	Text       string
	Lines      []string
}

// Stage is what the jobs of a test report to.
type Stage struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	came  chan struct{}
	new   []*Actor
	conns []net.Conn
	ups   int
}

// Actor is one process that reported.
type Actor struct {
	Message
	conn  net.Conn
	lines *bufio.Reader
}

// NewStage listens until the test ends. Then all processes that still hold a connection see
// its end, and end themselves.
func NewStage(t *testing.T) *Stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "stage") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Stage{listener: listener, came: make(chan struct{})}
	s.serving.Go(s.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return s
}

// API is what a Spec needs for its job to report here.
func (s *Stage) API() string { return "unix://" + s.listener.Addr().String() }

func (s *Stage) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.serving.Go(func() { s.enter(conn) })
	}
}

func (s *Stage) enter(conn net.Conn) {
	a := &Actor{conn: conn, lines: bufio.NewReader(conn)}
	if a.Message, _ = a.next(); a.Event != "up" {
		return
	}
	a.PID = pidOf(conn, a.PID) // in a container it has another number than here
	s.mu.Lock()
	defer s.mu.Unlock()
	s.new, s.ups = append(s.new, a), s.ups+1
	close(s.came)
	s.came = make(chan struct{})
}

// Await returns the next process of a role that reported.
func (s *Stage) Await(t *testing.T, role string) *Actor {
	t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		for i, a := range s.new {
			if a.Role == role {
				s.new = append(s.new[:i:i], s.new[i+1:]...)
				s.mu.Unlock()
				return a
			}
		}
		came := s.came
		s.mu.Unlock()
		select {
		case <-came:
		case <-timeout:
			t.Fatalf("no %s reported", role)
		}
	}
}

// ExpectUps checks how many processes ever reported. It is sure only once they all had
// their chance: after Stop.
func (s *Stage) ExpectUps(t *testing.T, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ups != want {
		t.Errorf("%d processes were started, want %d", s.ups, want)
	}
}

// Tell gives the process an order; see Job.
func (a *Actor) Tell(t *testing.T, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(a.conn, order); err != nil {
		t.Fatalf("tell %s to %s: %v", a.Role, order, err)
	}
}

// Expect waits for the process to say something.
func (a *Actor) Expect(t *testing.T, event string) Message {
	t.Helper()
	m, err := a.next()
	if err != nil || m.Event != event {
		t.Fatalf("%s said %q, %v; want %q", a.Role, m.Event, err, event)
	}
	return m
}

// Gone waits for the end of the process, and returns what it said before.
func (a *Actor) Gone(t *testing.T) []Message {
	t.Helper()
	var said []Message
	for {
		m, err := a.next()
		switch {
		case err == nil:
			said = append(said, m)
		case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
			return said
		default:
			t.Fatalf("%s (pid %d) is not gone: %v", a.Role, a.PID, err)
		}
	}
}

func (a *Actor) next() (Message, error) {
	_ = a.conn.SetReadDeadline(time.Now().Add(patience))
	line, err := a.lines.ReadBytes('\n')
	if err != nil {
		return Message{}, err
	}
	var m Message
	err = json.Unmarshal(line, &m)
	return m, err
}

// WaitFor asks again and again until is is true: for what nothing announces.
func WaitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	timeout := time.After(patience)
	for !is() {
		select {
		case <-again.C:
		case <-timeout:
			t.Fatalf("%s did not come", what)
		}
	}
}

// alive reports whether any of the process runs: a zombie does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	var id int
	var comm, state string
	n, _ := fmt.Sscanf(string(stat), "%d %s %s", &id, &comm, &state)
	return err != nil || n < 3 || state != "Z"
}
