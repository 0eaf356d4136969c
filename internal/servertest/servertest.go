// Package servertest starts the servers that tests run against: each its own, on a free port of
// the loopback interface, ended with the test.
package servertest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a server that a test can kill and start again at the same address.
type Server struct {
	Addr string // host:port

	t    testing.TB
	make func() *exec.Cmd
	cmd  *exec.Cmd
	log  *bytes.Buffer // of the process that runs; read once it ended
	up   func(addr string) bool
}

func newServer(t testing.TB, up func(addr string) bool) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: ln.Addr().String(), t: t, up: up}
	_ = ln.Close()
	t.Cleanup(s.Kill)
	return s
}

// host is where the server listens, in parts.
func (s *Server) host() (host, port string) {
	host, port, _ = net.SplitHostPort(s.Addr) // made above
	return host, port
}

// Start starts the server, if it does not run, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	if s.cmd != nil {
		return
	}
	cmd, log := s.make(), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%v: make check-tools installs what tests need", err)
	}
	s.cmd, s.log = cmd, log
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(60 * time.Second); !s.up(s.Addr); <-tick.C {
		if time.Now().After(deadline) {
			s.Kill()
			s.t.Fatalf("%s does not answer: %.2000s", cmd.Path, log.Bytes())
		}
	}
}

// Kill ends the server at once, with SIGKILL.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
}

// Pause stops the server, so that it answers nothing and its connections stay, until Continue,
// which it returns.
func (s *Server) Pause() (goOn func()) {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	return s.Continue
}

// Continue lets a server that was stopped go on.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	for _, pid := range family(s.cmd.Process.Pid) {
		_ = syscall.Kill(pid, sig) // one that has ended meanwhile
	}
}

// family is a process and its children.
func family(pid int) []int {
	all := []int{pid}
	b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children"))
	for _, f := range bytes.Fields(b) {
		if child, err := strconv.Atoi(string(f)); err == nil {
			all = append(all, child)
		}
	}
	return all
}

// Redis starts one that keeps nothing on disk.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, pong)
	dir := t.TempDir()
	s.make = func() *exec.Cmd {
		host, port := s.host()
		return exec.Command("redis-server", append([]string{"--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", dir}, args...)...)
	}
	s.Start()
	return s
}

// pong reports whether a Redis answers at all, if only that it wants a password.
func pong(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err = conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	b := make([]byte, 8)
	n, err := conn.Read(b)
	return err == nil && (bytes.HasPrefix(b[:n], []byte("+PONG")) || bytes.HasPrefix(b[:n], []byte("-NOAUTH")))
}

// The user and password of a Postgres server's database "postgres".
const (
	User     = "fairway"
	Password = "of-the-test-Vd6yTq3wNz8k"
)

// Postgres starts one with an empty database. What it acknowledges outlives its process, and with
// "-c", "fsync=on" the machine.
func Postgres(t testing.TB, args ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	owner := notRoot(t, dir)
	data := filepath.Join(dir, "data")
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(Password), 0o644); err != nil {
		t.Fatal(err)
	}
	initdb := exec.Command(postgresProgram(t, "initdb"), "-D", data, "-U", User, "-A", "scram-sha-256", "--pwfile", file, "--no-sync", "-E", "UTF8", "--locale=C")
	initdb.SysProcAttr, initdb.Dir = owner(), dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	s := newServer(t, ready)
	s.make = func() *exec.Cmd {
		host, port := s.host()
		cmd := exec.Command(postgresProgram(t, "postgres"), append([]string{
			"-D", data, "-k", dir, "-p", port, "-c", "listen_addresses=" + host, "-c", "fsync=off", "-c", "max_connections=200",
		}, args...)...)
		cmd.SysProcAttr, cmd.Dir = owner(), dir
		return cmd
	}
	s.Start()
	return s
}

// URL is the address of the database, with settings such as "pool_max=4".
func (s *Server) URL(settings string) string {
	return "postgres://" + User + ":" + Password + "@" + s.Addr + "/postgres?" + settings
}

// ready reports whether a PostgreSQL takes connections: it answers what asks for TLS with one
// letter as soon as it listens, and refuses a wrong start with 57P03 until it has started.
func ready(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	start := []byte("\x00\x00\x00\x00\x00\x03\x00\x00user\x00nobody\x00database\x00postgres\x00\x00")
	start[3] = byte(len(start))
	if _, err := conn.Write(start); err != nil {
		return false
	}
	b := make([]byte, 512)
	n, err := conn.Read(b)
	return err == nil && n > 0 && !bytes.Contains(b[:n], []byte("57P03"))
}

// postgresProgram finds a program of PostgreSQL, which Debian keeps out of PATH.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: make check-tools installs it", err)
	}
	return path
}

// notRoot says as whom PostgreSQL runs, which refuses root, and gives that user the folder.
func notRoot(t testing.TB, dir string) func() *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return func() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
	}
	uid, gid := 65534, 65534
	if u, err := user.Lookup("postgres"); err == nil {
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	// t.TempDir is in a folder that may be its owner's alone.
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}
