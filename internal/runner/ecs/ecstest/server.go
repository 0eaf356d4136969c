package ecstest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what the server knows.
type Config struct {
	Region      string           // default "eu-central-1"
	Account     string           // default "123456789012"
	AccessKeys  []string         // default AccessKey
	Clusters    []string         // default "builds"
	Definitions []TaskDefinition // the newest revision of a family last
	Dir         string           // where tasks have their folders
	// Podman is the program that runs each task as a container of its definition's image. It needs
	// root. Without it Bubblewrap is the program; without that, too, tasks are plain processes.
	Podman, Bubblewrap string
	// Network, if there is one, names the network namespace of a task, one below /run/netns.
	// Others have the server's. It may be called concurrently.
	Network func(task string) string
	// Retention is for how long a task that has stopped is known; default 1 hour.
	Retention time.Duration
	// Enter, if there is one, is called when a task enters a state, and holds it there until it
	// returns. Its context ends when the task is told to stop.
	Enter func(ctx context.Context, task, state string)
	Now   func() time.Time // time.Now unless it is set
}

// TaskDefinition has one container.
type TaskDefinition struct {
	Family      string
	Revision    int // default 1
	Container   string
	Image       string   // for podman
	User        string   // for podman: another one than the image's
	Command     []string // the whole of it; of a container with none, the image's own
	Environment []string // as NAME=value
	// Mounts are files and folders of the machine that the container sees, as /from:/to. Those that
	// end in :rw podman lets it write to.
	Mounts []string
	// Hosts are lines of /etc/hosts, for containers and for bubblewrap.
	Hosts []string
	// Folders are what a task in bubblewrap sees of the machine's disk, with no capabilities; all
	// of it, where there are none.
	Folders []string
	// RoleSecret is the secret key that the role of its tasks has, "" where they have no role.
	RoleSecret string
	// StopTimeout is how long the container is asked before it is killed; default 30 s.
	StopTimeout time.Duration
	// InitProcess puts an init process before the command.
	InitProcess bool
	// NetworkMode is "awsvpc" unless it is set.
	NetworkMode string
	// EC2 says that it cannot run on Fargate.
	EC2         bool
	CPU, Memory string // default 1024 and 2048
}

// AccessKey is the access key that is known by default.
const AccessKey = "AKIAECSTEST"

// Server is an http.Handler. Its methods may be called concurrently.
type Server struct {
	config Config

	running sync.WaitGroup  // tasks
	open    context.Context // ends with Close
	close   context.CancelFunc

	mu          sync.Mutex // guards what follows
	definitions []*TaskDefinition
	tasks       []*task // oldest first
	tokens      map[string]claim
	calls       map[string]int
	faults      map[string][]fault
	bodies      []Exchange
	closed      bool
}

// claim is a client token that was used.
type claim struct {
	request string // without what may differ
	tasks   []*task
}

// Exchange is one call, for tests that look at what was said.
type Exchange struct {
	Operation, Request, Answer string
	Status                     int
}

// New returns a server. The test calls Close at its end.
func New(c Config) *Server {
	c.Region, c.Account = cmp.Or(c.Region, "eu-central-1"), cmp.Or(c.Account, "123456789012")
	c.Retention = cmp.Or(c.Retention, time.Hour)
	if c.Clusters == nil {
		c.Clusters = []string{"builds"}
	}
	if c.AccessKeys == nil {
		c.AccessKeys = []string{AccessKey}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	definitions := c.Definitions
	c.Definitions = nil
	s := &Server{config: c, tokens: map[string]claim{}, calls: map[string]int{}, faults: map[string][]fault{}}
	for _, d := range definitions {
		s.Define(d)
	}
	s.open, s.close = context.WithCancel(context.Background())
	return s
}

// Define adds a definition, the newest revision of its family.
func (s *Server) Define(d TaskDefinition) {
	d.Revision, d.NetworkMode = cmp.Or(d.Revision, 1), cmp.Or(d.NetworkMode, "awsvpc")
	d.StopTimeout = cmp.Or(d.StopTimeout, 30*time.Second)
	d.CPU, d.Memory = cmp.Or(d.CPU, "1024"), cmp.Or(d.Memory, "2048")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.definitions = append(s.definitions, &d)
}

// Close kills all tasks and waits for their end.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.close()
	for _, t := range s.tasks {
		t.end("UserInitiated", "The test has ended.")
		t.kill()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Calls counts the calls of an operation, those that met a fault included.
func (s *Server) Calls(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

// Exchanges returns all calls so far.
func (s *Server) Exchanges() []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

// Interrupt takes the Spot capacity of a task back.
func (s *Server) Interrupt(arn string) {
	s.endTask(arn, "SpotInterruption", "Your Spot Task was interrupted.")
}

// Exhaust kills a task's container as the kernel does where its memory is at its end.
func (s *Server) Exhaust(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.find(arn); t != nil {
		t.reason = "OutOfMemoryError: Container killed due to memory usage"
		t.kill()
	}
}

// endTask ends a task by itself: with SIGTERM first, as StopTask does.
func (s *Server) endTask(arn, code, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.find(arn); t != nil {
		t.end(code, reason)
	}
}

// Output returns what a task's container printed.
func (s *Server) Output(arn string) string {
	b, _ := os.ReadFile(filepath.Join(s.folder(arn), "output.log"))
	return string(b)
}

// Tasks returns the ARNs of all tasks that are known, oldest first.
func (s *Server) Tasks() (arns []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	for _, t := range s.tasks {
		arns = append(arns, t.arn)
	}
	return arns
}

func (s *Server) folder(arn string) string {
	return filepath.Join(s.config.Dir, arn[strings.LastIndexByte(arn, '/')+1:])
}

// credential is the first part of a signature, version 4.
var credential = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/[0-9]{8}/([a-z0-9-]+)/ecs/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}$`)

const (
	target  = "AmazonEC2ContainerServiceV20141113."
	maxBody = 1 << 20
)

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return
	}
	f := s.begin(operation)
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	answer, failed := any(nil), s.admit(r)
	switch {
	case failed != nil:
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || !ok:
		failed = &apiError{Type: "UnknownOperationException"}
	case f.err != nil:
		failed = f.err
	default:
		answer, failed = s.do(operation, body, f)
	}
	s.reply(w, Exchange{Operation: operation, Request: string(body)}, answer, failed)
}

func (s *Server) begin(operation string) (f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[operation]++
	if next := s.faults[operation]; len(next) > 0 {
		f, s.faults[operation] = next[0], next[1:]
	}
	return f
}

// admit refuses what is not signed by a known key, for this service and region.
func (s *Server) admit(r *http.Request) *apiError {
	m := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	switch {
	case m == nil:
		return &apiError{Type: "MissingAuthenticationTokenException", Message: "Missing Authentication Token"}
	case !slices.Contains(s.config.AccessKeys, m[1]):
		return &apiError{Type: "UnrecognizedClientException", Message: "The security token included in the request is invalid."}
	case m[2] != s.config.Region:
		return &apiError{Type: "InvalidSignatureException", Message: "Credential should be scoped to a valid region. "}
	}
	for _, header := range []string{"host", "x-amz-date", "x-amz-target"} {
		if !slices.Contains(strings.Split(m[3], ";"), header) {
			return &apiError{Type: "InvalidSignatureException", Message: "'" + header + "' must be a signed header."}
		}
	}
	return nil
}

func (s *Server) do(operation string, body []byte, f fault) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &apiError{Type: "ServerException", Message: "Service Unavailable. Please try again later."}
	}
	s.forget()
	switch operation {
	case "RunTask":
		return decoded(body, func(in runTask) (any, *apiError) { return s.runTask(in, f) })
	case "DescribeTasks":
		return decoded(body, func(in describeTasks) (any, *apiError) { return s.describeTasks(in, f) })
	case "StopTask":
		return decoded(body, s.stopTask)
	case "ListTasks":
		return decoded(body, s.listTasks)
	}
	return nil, &apiError{Type: "UnknownOperationException"}
}

// decoded reads a request strictly.
func decoded[I any](body []byte, do func(I) (any, *apiError)) (any, *apiError) {
	var in I
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, &apiError{Type: "SerializationException", Message: err.Error()}
	}
	return do(in)
}

// apiError is how the service says no.
type apiError struct {
	Type        string   `json:"__type"`
	Message     string   `json:"message,omitempty"`
	ResourceIDs []string `json:"resourceIds,omitempty"`
}

func refuse(format string, args ...any) *apiError {
	return &apiError{Type: "InvalidParameterException", Message: fmt.Sprintf(format, args...)}
}

func (s *Server) reply(w http.ResponseWriter, x Exchange, answer any, failed *apiError) {
	x.Status = http.StatusOK
	if failed != nil {
		answer, x.Status = failed, http.StatusBadRequest
		if failed.Type == "ServerException" {
			x.Status = http.StatusInternalServerError
		}
	}
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err) // of types of this package
	}
	x.Answer = string(b)
	s.mu.Lock()
	s.bodies = append(s.bodies, x)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("x-amzn-RequestId", fmt.Sprintf("00000000-0000-4000-8000-%012d", s.config.Now().UnixNano()%1e12))
	w.WriteHeader(x.Status)
	_, _ = w.Write(b)
}

// forget drops tasks that stopped a while ago, and the client tokens that began them.
func (s *Server) forget() {
	before := s.config.Now().Add(-s.config.Retention)
	s.tasks = slices.DeleteFunc(s.tasks, func(t *task) bool {
		return t.state == stopped && t.stoppedAt.Before(before)
	})
	for token, c := range s.tokens {
		if !slices.ContainsFunc(c.tasks, func(t *task) bool { return slices.Contains(s.tasks, t) }) {
			delete(s.tokens, token)
		}
	}
}

func (s *Server) find(arn string) *task {
	for _, t := range s.tasks {
		if t.arn == arn {
			return t
		}
	}
	return nil
}
