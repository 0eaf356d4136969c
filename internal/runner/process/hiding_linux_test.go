package process

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/runnertest"
)

// headlessVar makes this program one whose first thread ends while another goes on; its
// value is the socket on which it says that it is ready.
const headlessVar = "PROCESS_TEST_HEADLESS"

// headless looks like a zombie to whoever reads only its state.
func headless() int {
	conn, err := net.Dial("unix", os.Getenv(headlessVar))
	if err != nil {
		return 1
	}
	// The main goroutine waits without a thread, so that one of these gets the first one.
	for range 64 {
		go func() {
			runtime.LockOSThread()
			if syscall.Gettid() == os.Getpid() {
				_, _, _ = syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
			}
			select {}
		}()
	}
	_, _ = conn.Read(make([]byte, 1))
	return 0
}

func TestStop_EndsAProcessWhoseFirstThreadHasEnded(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	self, _ := os.Executable()
	cmd := exec.Command(self)
	cmd.Env = []string{headlessVar + "=" + listener.Addr().String(), markName + "=dpl_headless-1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill(); <-ended }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	runnertest.WaitFor(t, "the end of the first thread", func() bool {
		p, ok := readProc(cmd.Process.Pid)
		return ok && p.state == 'Z' && p.threads > 1
	})
	found, err := newFamily(identity{name: "dpl_headless-1"}).find()
	if err != nil || len(found) != 1 || found[0].pid != cmd.Process.Pid {
		t.Fatalf("found %v, %v", found, err)
	}
	if err := openWith(t, t.TempDir()).Stop(t.Context(), "dpl_headless-1|0|-"); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestStop_EndsADaemonThatShedItsMark(t *testing.T) {
	b := runnertest.NewBench(t, func(t *testing.T, dir string) runner.Runner { return openWith(t, dir, adopting) })
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "hidden")
	daemon := b.Await(t, "daemon")
	p, ok := readProc(daemon.PID)
	if !ok || p.session == job.PID || p.carries(markName+"="+b.Name("dpl_a-1")) {
		t.Fatalf("the daemon does not hide: %+v, %v", p, ok)
	}
	b.StopNow(t, ref, "dpl_a-1", job, daemon)
}

// A process that forks and ends all the time is never the one that was just seen.
func TestStop_EndsAProcessThatHops(t *testing.T) {
	b := runnertest.NewBench(t, func(t *testing.T, dir string) runner.Runner { return openWith(t, dir, adopting) })
	ref, job := b.Launch(t, "dpl_a-1")
	// Without the mark, in a session of its own. It ends by itself when its stack is full.
	fifo := filepath.Join(b.Dir, b.Name("dpl_a-1"), "tmp", "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	open, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	job.Tell(t, `do exec 3>`+fifo+`; env -i setsid /bin/sh -c 'trap "" TERM HUP; hop() { (hop) & exit 0; }; echo up >&3; hop' </dev/null >/dev/null 2>&1 &`)
	job.Expect(t, "done")
	buf := make([]byte, 8)
	if n, err := open.Read(buf); n == 0 || err != nil {
		t.Fatalf("the process did not begin: %v", err)
	}
	b.StopNow(t, ref, "dpl_a-1", job)
	// The fifo ends when the last process that could write to it has.
	if n, err := open.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the process still hops: read %d bytes, %v", n, err)
	}
}

// Killed one by one, such a process has made its successor, of another session and without
// the mark, before its turn comes.
func TestKill_CatchesAProcessThatHopsFromSessionToSession(t *testing.T) {
	b := runnertest.NewBench(t, func(t *testing.T, dir string) runner.Runner { return openWith(t, dir, adopting) })
	ref, job := b.Launch(t, "dpl_a-1")
	tmp := filepath.Join(b.Dir, b.Name("dpl_a-1"), "tmp")
	script := filepath.Join(tmp, "hop")
	const hop = `[ "$1" -gt 0 ] || exit; [ "$1" -ne 19900 ] || echo up >&3; setsid /bin/sh "$0" $(($1-1)) & exit`
	if err := os.WriteFile(script, []byte(hop), 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(tmp, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	job.Tell(t, "do exec 3>"+fifo+"; env -i PATH=$PATH setsid /bin/sh "+script+" 20000 </dev/null >/dev/null 2>&1 &")
	job.Expect(t, "done")
	buf := make([]byte, 8)
	if n, err := end.Read(buf); n == 0 || err != nil {
		t.Fatalf("the process did not begin: %v", err)
	}
	id, _ := parseRef(ref)
	if err := newFamily(id).kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = end.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := end.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the process still hops: read %d bytes, %v", n, err)
	}
}

func TestStart_OffersTheJobToTheOOMKillerFirst(t *testing.T) {
	b := runnertest.NewBench(t, open)
	_, job := b.Launch(t, "dpl_a-1")
	got, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", job.PID))
	if err != nil || strings.TrimSpace(string(got)) != "500" {
		t.Errorf("oom_score_adj is %q, %v", got, err)
	}
}

func TestFamily_LeavesTheShellOfWhoTypedTheMark(t *testing.T) {
	// The session's leader has no mark, a process in it does.
	shell := exec.Command("/bin/sh", "-c", markName+"=dpl_typed-1 sleep 60 & echo $!; read line")
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, _ := shell.StdinPipe()
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	var marked int
	if _, err := fmt.Fscan(out, &marked); err != nil {
		t.Fatal(err)
	}
	runnertest.WaitFor(t, "the marked process", func() bool {
		p, ok := readProc(marked)
		return ok && p.carries(markName+"=dpl_typed-1")
	})
	if err := openWith(t, t.TempDir()).Stop(t.Context(), "dpl_typed-1|0|-"); err != nil {
		t.Fatal(err)
	}
	runnertest.WaitFor(t, "the end of the marked process", func() bool {
		_, alive := startOf(marked)
		return !alive
	})
	_ = in.Close()
	if err := shell.Wait(); err != nil && !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("the shell did not end by itself: %v", err)
	}
}

func TestParseStat_ReadsNamesThatLookLikeFields(t *testing.T) {
	line := "42 (a) R 7 (b) S 3 40 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1 2"
	p, ok := parseStat(42, line)
	want := proc{pid: 42, parent: 3, session: 41, state: 'S', threads: 9, start: "12345@" + bootID()}
	if !ok || p != want {
		t.Errorf("parseStat = %+v, %v; want %+v", p, ok, want)
	}
	for _, bad := range []string{"", "42", "42 (a)", "42 (a) S 1 2"} {
		if _, ok := parseStat(42, bad); ok {
			t.Errorf("parseStat(%q) was read", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("42 (a) R 7 (b) S 3 40 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 12345 1 2")
	f.Fuzz(func(t *testing.T, line string) {
		if p, ok := parseStat(1, line); ok && p.start == "" {
			t.Errorf("parseStat(%q) has no start", line)
		}
	})
}

func TestStop_RemovesFoldersWithoutWritePermission(t *testing.T) {
	dir := folder(filepath.Join(shortDir(t), "dpl_a-1"))
	if err := dir.create(); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o500); err != nil {
		t.Fatal(err)
	}
	deep := dir.path("work/a/b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"work/a/b/file", "work/a/file"} {
		if err := os.WriteFile(dir.path(path), nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, dir.path("work/link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{deep, dir.path("work/a")} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(t, string(dir), func() {
		if err := dir.remove(); err != nil {
			t.Error(err)
		}
	})
	if dir.exists() {
		t.Error("the folder is still there")
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("what a link pointed to was touched: %v, %v", info, err)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// asNobody runs f on a thread whose file accesses are those of a user without privileges,
// to whom the folder is given first.
func asNobody(t *testing.T, dir string, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f() // without privileges already
		return
	}
	const nobody = 65534
	if out, err := exec.Command("chown", "-hR", strconv.Itoa(nobody), dir, filepath.Dir(dir)).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v: %s", err, out)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, err := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); err != 0 {
			t.Errorf("setfsuid: %v", err)
			return
		}
		f()
	}()
	<-done
}
