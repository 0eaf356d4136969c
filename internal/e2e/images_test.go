package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// image builds one of the images, and returns its name.
func (c *C) image(which string) string {
	c.Helper()
	build := exec.Command(filepath.Join(root(c), "internal/e2e/images/build.sh"), which)
	if out, err := build.CombinedOutput(); err != nil {
		c.Fatalf("%s: %v\n%s", build, err, tail(string(out), 4000))
	}
	return "localhost/fairway-e2e/" + which
}

// serverImage starts a server as the examples do: a read-only root, no capabilities, the image's own
// user. The control of the health check is a container in which no server runs.
func (c *C) serverImage(image string) {
	c.Helper()
	port := freePort(c)
	well := func(name string) bool { return exec.Command("podman", "healthcheck", "run", name).Run() == nil }
	server, idle := c.container(port, image), c.container(freePort(c), "--entrypoint", "sleep", image, "600")
	s := &Server{t: c, HTTP: port, out: new(output)}
	s.eventually(time.Minute, "the container is well", func() bool { return well(server) })
	if well(idle) {
		c.Error("void: a container without a server is well")
	}
	if resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/.fairway/health", port)); err != nil || resp.StatusCode != http.StatusOK {
		c.Errorf("the server in the container: %v, %v", resp, err)
	}
	inside := func(line string) (string, error) {
		out, err := exec.Command("podman", "exec", server, "sh", "-c", line).Output()
		return strings.TrimSpace(string(out)), err
	}
	if uid, err := inside("id -u; grep CapEff /proc/1/status | cut -f2"); uid != "10001\n0000000000000000" {
		c.Errorf("its user and capabilities: %q, %v", uid, err)
	}
	if _, err := inside("touch /etc/x || touch /usr/local/bin/x || touch /x"); err == nil {
		c.Error("its root can be written to")
	}
	if _, err := inside("touch /data/x && test -s /data/key"); err != nil {
		c.Errorf("its data folder: %v", err)
	}
	if err := command("", "podman", "stop", server); err != nil {
		c.Error(err)
	}
	code, err := exec.Command("podman", "inspect", "--format", "{{.State.ExitCode}}", server).Output()
	if strings.TrimSpace(string(code)) != "0" {
		c.Errorf("it ended with %s, %v", code, err)
	}
	c.Figure("the server's image with a read-only root, user 10001, no capabilities: healthy, writes to its data folder alone, ends with 0")
}

// container starts one that ends with the claim.
func (c *C) container(port int, args ...string) (name string) {
	c.Helper()
	name = fmt.Sprintf("fairway-e2e-%d-%d", os.Getpid(), time.Now().UnixNano())
	c.Cleanup(func() { _ = command("", "podman", "rm", "--force", "--volumes", name) }) // it may never have begun
	run := exec.Command("podman", append([]string{
		"--runtime", "runc", "--cgroup-manager", "cgroupfs", "--log-level", "fatal", "run", "--detach", "--name", name, "--network", "host",
		"--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges",
		"--ulimit", "nofile=8192:8192", "--ulimit", "nproc=4096:4096", "--timeout", "600",
		"--env", fmt.Sprintf("FAIRWAY_HTTP_PORT=%d", port), "--env", fmt.Sprintf("FAIRWAY_HTTPS_PORT=%d", freePort(c)),
	}, args...)...)
	if out, err := run.CombinedOutput(); err != nil {
		c.Fatalf("%s: %v: %s", run, err, out)
	}
	return name
}
