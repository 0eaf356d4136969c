package argon

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// cheap costs little: what is tested is who hashes, not how well.
var cheap = Params{Memory: 64, Time: 1, Threads: 1}

// TestMain makes the test's program a worker of its own pools.
func TestMain(m *testing.M) {
	switch os.Getenv("ARGON_WORKER") {
	case "":
		os.Exit(m.Run())
	case "dies":
		os.Exit(3)
	case "lies":
		_ = gob.NewEncoder(os.Stdout).Encode(reply{[]byte("short")})
	case "hangs":
		_, _ = os.Stdin.Read(make([]byte, 1))
		time.Sleep(time.Hour) // it is killed
	}
	if err := Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// started is a pool whose workers are counted.
type started struct {
	*Pool
	mu   sync.Mutex
	cmds []*exec.Cmd
	how  string
}

func newPool(t *testing.T, how string) *started {
	s := &started{how: how}
	s.Pool = &Pool{Command: func() *exec.Cmd {
		s.mu.Lock()
		defer s.mu.Unlock()
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"ARGON_WORKER=" + s.how}
		cmd.Stderr = os.Stderr
		s.cmds = append(s.cmds, cmd)
		return cmd
	}}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *started) is(t *testing.T, password string) {
	t.Helper()
	salt := []byte("salt of " + password)
	got, err := s.Key(password, salt, cheap)
	if err != nil || !bytes.Equal(got, Key(password, salt, cheap)) {
		t.Fatalf("%q: %x, %v", password, got, err)
	}
}

func TestPool_DerivesWhatTheProcessItselfWould(t *testing.T) {
	s := newPool(t, "serves")
	for _, password := range []string{"", "a", "Пароль with\x00bytes\n", strings.Repeat("long", 1000)} {
		s.is(t, password)
	}
	if len(s.cmds) != 1 {
		t.Errorf("%d workers were started for one after the other", len(s.cmds))
	}
	for _, word := range append(s.cmds[0].Args, s.cmds[0].Env...) {
		if strings.Contains(word, "Пароль") {
			t.Errorf("the process is told a password by %q", word)
		}
	}
}

func TestPool_HashesAtOnceEachByAWorker(t *testing.T) {
	s := newPool(t, "serves")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { s.is(t, fmt.Sprint("password ", i)) })
	}
	all.Wait()
	if n := len(s.cmds); n > 8 {
		t.Errorf("%d workers for 8", n)
	}
}

func TestPool_ReplacesAWorkerThatDied(t *testing.T) {
	s := newPool(t, "serves")
	s.is(t, "one")
	_ = s.cmds[0].Process.Kill()
	s.is(t, "two")
	if len(s.cmds) != 2 {
		t.Errorf("%d workers", len(s.cmds))
	}
}

func TestPool_SaysThatItsWorkersFail(t *testing.T) {
	for _, how := range []string{"dies", "lies", "hangs"} {
		s := newPool(t, how)
		s.Patience = 200 * time.Millisecond
		if key, err := s.Key("secret password", nil, cheap); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %x, %v", how, key, err)
		} else if late := errors.Is(err, ErrLate); late != (how == "hangs") {
			t.Errorf("%s: %v", how, err)
		}
	}
	s := newPool(t, "serves")
	s.Command = func() *exec.Cmd { return exec.Command(filepath.Join(t.TempDir(), "absent")) }
	if _, err := s.Key("secret", nil, cheap); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a program: %v", err)
	}
}

func TestPool_EndsIdleWorkers(t *testing.T) {
	s := newPool(t, "serves")
	s.Idle = time.Millisecond
	s.is(t, "one")
	s.all.Wait() // for the only one
	if s.cmds[0].ProcessState == nil {
		t.Error("the worker was not waited for")
	}
	s.is(t, "two")
}

func TestPool_CloseEndsThemAll(t *testing.T) {
	s := newPool(t, "serves")
	s.is(t, "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.cmds[0].ProcessState == nil {
		t.Error("the worker was not waited for")
	}
	if _, err := s.Key("two", nil, cheap); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed pool answers %v", err)
	}
}

// A worker must not outlive a server that was killed: its stdin ends.
func TestServe_EndsWithItsInput(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{"ARGON_WORKER=serves"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestServe_RunsWhenNothingElseWants(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the class of a thread is read as Linux tells it")
	}
	s := newPool(t, "serves")
	s.is(t, "one")
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmds[0].Process.Pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			t.Fatal(err)
		}
		// Behind the name, field 41 of proc(5) is the policy; 5 is SCHED_IDLE.
		if f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); f[38] != "5" {
			t.Errorf("%s: policy %s", task, f[38])
		}
	}
}
