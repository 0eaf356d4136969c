package ecstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// longest is for how long a container may run, in seconds, where nobody is left to end it.
const longest = "3600"

// contain runs the image of the definition with podman, as the example for AWS has its tasks
// run: the root read-only, no capabilities, the image's own user. It needs root, and no systemd.
func (p *process) contain(program string, d *TaskDefinition, cmd *exec.Cmd, network string) error {
	dir := filepath.Dir(cmd.Dir)
	pidFile, name := filepath.Join(dir, "pid"), "ecstest-"+filepath.Base(dir)
	// The environment has a token in it: not for a command line.
	envFile := filepath.Join(dir, "environment")
	if err := os.WriteFile(envFile, []byte(strings.Join(cmd.Env, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	// Nobody else can say when the container runs: podman tells it to a socket, as to systemd.
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@" + name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer told.Close()
	cmd.Args = append(podmanArgs(program, d, network), "--name", name, "--env-file", envFile, "--pidfile", pidFile)
	if len(d.Command) > 0 {
		entry, err := json.Marshal(d.Command)
		if err != nil {
			return err
		}
		cmd.Args = append(cmd.Args, "--entrypoint", string(entry))
	}
	cmd.Args = append(cmd.Args, d.Image)
	cmd.Path, cmd.Env = program, append(os.Environ(), "NOTIFY_SOCKET=@"+name)
	if err := cmd.Start(); err != nil {
		return err
	}
	go p.wait(cmd)
	go func() {
		<-p.done
		_ = told.Close()
	}()
	_, _ = told.Read(make([]byte, 1024)) // or podman has ended, and there is no file
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return fmt.Errorf("podman started nothing, and says why in the task's output: %w", err)
	}
	p.main, err = strconv.Atoi(string(bytes.TrimSpace(b)))
	return err
}

// podmanArgs is the command without what differs from task to task.
func podmanArgs(program string, d *TaskDefinition, network string) []string {
	args := []string{
		program, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--log-level", "fatal", "run", "--rm", "--sdnotify", "conmon",
		"--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges",
		"--ulimit", "nofile=16384:16384", "--ulimit", "nproc=4096:4096", "--timeout", longest,
	}
	if network == "" {
		args = append(args, "--network", "host")
	} else {
		args = append(args, "--network", "ns:/run/netns/"+network)
	}
	if d.InitProcess {
		args = append(args, "--init")
	}
	if d.User != "" {
		args = append(args, "--user", d.User)
	}
	for _, m := range d.Mounts {
		if !strings.HasSuffix(m, ":rw") {
			m += ":ro"
		}
		args = append(args, "--volume", m)
	}
	for _, h := range d.Hosts {
		if f := strings.Fields(h); len(f) == 2 {
			args = append(args, "--add-host", f[1]+":"+f[0])
		}
	}
	return args
}
