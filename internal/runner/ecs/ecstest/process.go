package ecstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// taskVar marks the processes of a task that has no namespace of its own.
const taskVar = "ECSTEST_TASK"

// process is a container: a program and all it started.
type process struct {
	mark string // of plain processes
	init bool   // main is an init process, which passes no signals on
	main int    // as the machine numbers it
	done chan struct{}
	code int // set when done is closed
}

// launch starts a container in a folder of its own. Its output goes to a file there.
func launch(c Config, d *TaskDefinition, env []string, dir string) (*process, error) {
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	output, err := os.OpenFile(filepath.Join(dir, "output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	p := &process{done: make(chan struct{})}
	cmd := exec.Command(d.Command[0], d.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = work, env, output, output
	if c.Bubblewrap == "" {
		p.mark = taskVar + "=" + filepath.Base(dir)
		cmd.Env = append(cmd.Env, p.mark)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		p.main = cmd.Process.Pid
	} else if err := p.wrap(c, d, cmd); err != nil {
		return nil, err
	}
	go p.wait(cmd)
	return p, nil
}

// wrap starts the program as the first process of namespaces of its own: it sees no other
// processes, writes to its folder alone, and all it starts ends with it.
func (p *process) wrap(c Config, d *TaskDefinition, cmd *exec.Cmd) error {
	info, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer info.Close()
	args := []string{c.Bubblewrap, "--info-fd", "3", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session",
		"--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", cmd.Dir, cmd.Dir, "--chdir", cmd.Dir}
	if !d.InitProcess {
		args = append(args, "--as-pid-1")
	}
	p.init = d.InitProcess
	cmd.Path, cmd.Args = c.Bubblewrap, append(append(args, "--"), d.Command...)
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return err
	}
	var said struct {
		Child int `json:"child-pid"`
	}
	if err := json.NewDecoder(info).Decode(&said); err != nil || said.Child == 0 {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("bubblewrap does not say what it started: %w", err)
	}
	p.main = said.Child
	return nil
}

func (p *process) wait(cmd *exec.Cmd) {
	_ = cmd.Wait() // its status is in ProcessState
	p.code = cmd.ProcessState.ExitCode()
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		p.code = 128 + int(s.Signal())
	}
	// The kernel tells nobody but a parent of a death; and a process shows no mark for a moment
	// when it becomes another program.
	for quiet := 0; p.mark != "" && quiet < 5; quiet++ {
		if p.killMarked() > 0 {
			quiet = -1
		}
		time.Sleep(2 * time.Millisecond)
	}
	close(p.done)
}

// term asks the container's program to end, as docker stop does.
func (p *process) term() {
	pid := p.main
	if p.init {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if f := strings.Fields(string(b)); len(f) > 0 {
			pid, _ = strconv.Atoi(f[0])
		}
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
}

// kill kills the container. The end of the first process of a namespace ends the others.
func (p *process) kill() {
	select {
	case <-p.done: // its number may be another's by now
		return
	default:
	}
	_ = syscall.Kill(p.main, syscall.SIGKILL)
	if p.mark != "" {
		p.killMarked()
	}
}

// killMarked kills the processes that carry the task's mark and returns how many there were.
func (p *process) killMarked() (n int) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00"+p.mark+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			n++
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return n
}
