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

// launch starts a task's container in a folder of its own. Its output goes to a file there.
func (t *task) launch() (*process, error) {
	c, d, dir := t.server.config, t.definition, t.server.folder(t.arn)
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
	cmd := &exec.Cmd{Dir: work, Env: t.environment(), Stdout: output, Stderr: output}
	network := ""
	if c.Network != nil {
		network = c.Network(t.arn)
	}
	switch {
	case c.Podman != "":
		err = p.contain(c.Podman, d, cmd, network)
	case c.Bubblewrap != "":
		err = p.wrap(c.Bubblewrap, d, cmd, network)
	default:
		if cmd.Path, err = exec.LookPath(d.Command[0]); err != nil {
			return nil, err
		}
		p.mark = taskVar + "=" + filepath.Base(dir)
		cmd.Args, cmd.Env, cmd.SysProcAttr = d.Command, append(cmd.Env, p.mark), &syscall.SysProcAttr{Setsid: true}
		if err = cmd.Start(); err == nil {
			p.main = cmd.Process.Pid
			go p.wait(cmd)
		}
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// wrap starts the program as the first process of namespaces of its own: it sees no other
// processes, writes to its folder alone, and all it starts ends with it.
func (p *process) wrap(program string, d *TaskDefinition, cmd *exec.Cmd, network string) error {
	info, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer info.Close()
	args := []string{program, "--info-fd", "3", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session"}
	if len(d.Folders) == 0 {
		args = append(args, "--ro-bind", "/", "/")
	} else {
		args = append(args, "--cap-drop", "ALL", "--tmpfs", "/tmp")
	}
	for _, folder := range d.Folders {
		args = append(args, "--ro-bind", folder, folder)
	}
	for _, m := range d.Mounts {
		from, to, _ := strings.Cut(m, ":")
		args = append(args, "--ro-bind", from, to)
	}
	if len(d.Hosts) > 0 {
		hosts := filepath.Join(filepath.Dir(cmd.Dir), "hosts")
		if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"+strings.Join(d.Hosts, "\n")+"\n"), 0o644); err != nil {
			return err
		}
		args = append(args, "--ro-bind", hosts, "/etc/hosts")
	}
	args = append(args, "--dev", "/dev", "--proc", "/proc", "--bind", cmd.Dir, cmd.Dir, "--chdir", cmd.Dir)
	if !d.InitProcess {
		args = append(args, "--as-pid-1")
	}
	p.init = d.InitProcess
	cmd.Path, cmd.Args = program, append(append(args, "--"), d.Command...)
	cmd.ExtraFiles = []*os.File{w}
	err = InNetwork(network, cmd.Start)
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
	go p.wait(cmd)
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
