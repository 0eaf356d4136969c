package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
)

// enclosure is the network around the tasks: each has a namespace of its own, as a task of ECS has
// an interface of its own. In it are the two addresses at which clouds tell a machine of itself,
// and the way to one address that stands for the platform's own network. There the control plane
// listens, and canaries where platforms have their stores.
//
// With its walls up, a namespace's firewall is what the security group and the network's list of
// examples/aws are. The addresses of the cloud are in the namespace itself.
type enclosure struct {
	*C
	platform string       // address of the platform
	control  int          // port at which jobs reach the control plane
	metadata http.Handler // of 169.254.170.2
	instance string       // what 169.254.169.254 answers

	serving sync.WaitGroup
	mu      sync.Mutex // guards what follows
	walls   bool
	names   []string
	open    []io.Closer
	knocks  map[string]int // by what was knocked at
}

// newEnclosure has the platform's address, and nothing else yet. It needs root.
func newEnclosure(c *C, control int) *enclosure {
	c.Helper()
	e := &enclosure{C: c, platform: fmt.Sprintf("10.213.%d.254", os.Getpid()%250), control: control, knocks: map[string]int{}}
	c.Cleanup(e.end)
	if err := ip("addr", "add", e.platform+"/32", "dev", "lo"); err != nil {
		c.Fatal(err)
	}
	return e
}

func (e *enclosure) end() {
	e.mu.Lock()
	for _, o := range e.open {
		_ = o.Close()
	}
	names := e.names
	e.mu.Unlock()
	e.serving.Wait()
	for _, name := range names {
		if err := ip("netns", "del", name); err != nil {
			e.Error(err)
		}
	}
	_ = ip("addr", "del", e.platform+"/32", "dev", "lo") // it may not have come so far
}

func ip(args ...string) error { return command("", "ip", args...) }

// command runs a program with an input.
func command(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// raise puts the walls of the next namespaces up, or leaves them out.
func (e *enclosure) raise(walls bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.walls = walls
}

// network makes the namespace of a task. What fails there fails the task's start.
func (e *enclosure) network(string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	name := fmt.Sprintf("fwe%d-%d", os.Getpid(), len(e.names))
	if err := e.namespace(name, len(e.names)); err != nil {
		e.Error(err)
	}
	return name
}

func (e *enclosure) namespace(name string, n int) error {
	if err := ip("netns", "add", name); err != nil {
		return err
	}
	e.names = append(e.names, name)
	part := strings.TrimSuffix(e.platform, "254")
	host, own := fmt.Sprintf("%s%d", part, 4*n+1), fmt.Sprintf("%s%d", part, 4*n+2)
	device := fmt.Sprintf("fwe%d-%d", os.Getpid()%100000, n)
	for _, line := range []string{
		"link add " + device + " type veth peer name eth0 netns " + name,
		"addr add " + host + "/30 dev " + device, "link set " + device + " up",
		"-n " + name + " link set lo up", "-n " + name + " addr add " + own + "/30 dev eth0", "-n " + name + " link set eth0 up",
		"-n " + name + " route add default via " + host,
		"-n " + name + " addr add 169.254.170.2/32 dev lo", "-n " + name + " addr add 169.254.169.254/32 dev lo",
	} {
		if err := ip(strings.Fields(line)...); err != nil {
			return err
		}
	}
	instance := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, e.instance) })
	for addr, h := range map[string]http.Handler{"169.254.170.2:80": e.metadata, "169.254.169.254:80": instance} {
		if err := ecstest.InNetwork(name, func() error { return e.listen(addr, e.counted(addr, h)) }); err != nil {
			return err
		}
	}
	if !e.walls {
		return nil
	}
	return command(e.rules(), "ip", "netns", "exec", name, "nft", "-f", "-")
}

// rules are those of the security group and the list of examples/aws: out over HTTP and HTTPS, and
// to nothing inside but the control plane, which is reached there by its load balancer. What no
// group holds back are the task's own addresses; an instance's are forbidden by its agent
// (ECS_AWSVPC_BLOCK_IMDS), and a task of Fargate has none.
func (e *enclosure) rules() string {
	return fmt.Sprintf(`table inet wall {
	chain out {
		type filter hook output priority 0; policy drop;
		ip daddr 169.254.169.254 drop
		ip daddr 169.254.170.2 accept
		ip saddr 169.254.170.2 accept
		ip daddr 127.0.0.0/8 accept
		ip daddr %s tcp dport %d accept
		ip daddr %s0/24 drop
		tcp dport { 80, 443 } accept
	}
}
`, e.platform, e.control, strings.TrimSuffix(e.platform, "254"))
}

// listen serves HTTP at an address until the end. The mutex is held.
func (e *enclosure) listen(addr string, h http.Handler) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	e.open = append(e.open, server)
	e.serving.Go(func() { _ = server.Serve(ln) }) // ends with Close
	return nil
}

// counted counts who comes.
func (e *enclosure) counted(what string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.knocks[what]++
		e.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// canary has something that answers with a text at one of the platform's ports.
func (e *enclosure) canary(port int, answer string) {
	e.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	if err := e.listen(fmt.Sprintf("%s:%d", e.platform, port), e.counted("the platform's ports", h)); err != nil {
		e.Fatal(err)
	}
}

// door is a way from one of the platform's ports to a server of the test.
func (e *enclosure) door(port int, to string) {
	e.Helper()
	ln, err := net.Listen("tcp", fmt.Sprintf("%s:%d", e.platform, port))
	if err != nil {
		e.Fatal(err)
	}
	e.mu.Lock()
	e.open = append(e.open, ln)
	e.mu.Unlock()
	e.serving.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.knocks["the platform's ports"]++
			e.mu.Unlock()
			e.serving.Go(func() { pass(in, to) })
		}
	})
}

// pass connects two ends until one of them has gone, or nothing has come for a while.
func pass(in net.Conn, to string) {
	defer func() { _ = in.Close() }()
	on, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	for _, c := range []net.Conn{in, on} {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, on)
		_ = in.Close()
	})
	_, _ = io.Copy(on, in)
	_ = on.Close()
	back.Wait()
}

// knocked returns how often each was knocked at since it was last asked.
func (e *enclosure) knocked() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := e.knocks
	e.knocks = map[string]int{}
	return k
}
