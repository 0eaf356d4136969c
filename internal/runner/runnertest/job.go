package runnertest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// What the processes of a job are told by their environment. The first two are a runner's.
const (
	nameVar  = "FAIRWAY_JOB"
	stageVar = "FAIRWAY_JOB_API"
	roleVar  = "RUNNERTEST_ROLE"
)

// IsJob reports whether this process is one that the suite started.
func IsJob() bool { return os.Getenv(nameVar) != "" || os.Getenv(roleVar) != "" }

// Job is main for such a process; readToken gets the token the way the runner brings it. A
// job reports before it reads its token and, without one, ends with status 7. It obeys:
//
//	exit N       ends with the status N
//	kill         kills itself
//	daemon       starts a daemon: an orphan in a session of its own that ignores SIGTERM
//	hidden       the same, without the environment that a runner gave the job
//	environment  says its environment and working folder
//	do COMMAND   has a shell do it, and says "done"
func Job(readToken func() (string, error)) int {
	switch role := os.Getenv(roleVar); role {
	case "":
		return job(readToken)
	case "daemon":
		return daemon()
	default: // the process between the job and its daemon, which makes the latter an orphan
		if err := spawn("daemon", os.Environ()); err != nil {
			return 1
		}
		return 0
	}
}

// actor is the job's end of the connection.
type actor struct {
	mu   sync.Mutex // one message at a time
	conn net.Conn
}

func report(role string) (*actor, error) {
	conn, err := net.Dial("unix", strings.TrimPrefix(os.Getenv(stageVar), "unix://"))
	if err != nil {
		return nil, err
	}
	a := &actor{conn: conn}
	a.say(Message{Event: "up", Role: role, PID: os.Getpid(), Deployment: os.Getenv("FAIRWAY_JOB_ID")})
	return a, nil
}

func (a *actor) say(m Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = json.NewEncoder(a.conn).Encode(m)
}

func job(readToken func() (string, error)) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	a, err := report(os.Getenv(nameVar))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		<-term
		a.say(Message{Event: "term"})
		os.Exit(0)
	}()
	token, err := readToken()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 7
	}
	a.say(Message{Event: "token", Text: token})
	for orders := bufio.NewScanner(a.conn); orders.Scan(); {
		if status, over := a.obey(orders.Text()); over {
			return status
		}
	}
	return 0
}

func (a *actor) obey(order string) (status int, over bool) {
	verb, rest, _ := strings.Cut(order, " ")
	switch verb {
	case "exit":
		status, _ = strconv.Atoi(rest)
		return status, true
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		// The first process of a container cannot do that to itself. This is how a container ends
		// whose first process is killed from outside.
		return 128 + int(syscall.SIGKILL), true
	case "daemon":
		_ = spawn("between", os.Environ())
	case "hidden":
		_ = spawn("between", []string{stageVar + "=" + os.Getenv(stageVar)})
	case "environment":
		dir, _ := os.Getwd()
		a.say(Message{Event: "environment", Text: dir, Lines: os.Environ()})
	case "do":
		if err := exec.Command("/bin/sh", "-c", rest).Run(); err != nil {
			a.say(Message{Event: "failed", Text: err.Error()})
			return 0, false
		}
		a.say(Message{Event: "done"})
	}
	return 0, false
}

// spawn starts this program again in a session of its own and does not wait for it.
func spawn(role string, env []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(env, roleVar+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

func daemon() int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	a, err := report("daemon")
	if err != nil {
		return 1
	}
	// The test's end is the daemon's, should Stop have failed.
	for orders := bufio.NewScanner(a.conn); orders.Scan(); {
		_, _ = a.obey(orders.Text())
	}
	return 0
}
