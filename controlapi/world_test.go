package controlapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	bell "github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	logs "github.com/scale-mesh/fairway/internal/logs/file"
	object "github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/routes"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

const ownerToken = "owner-token"

// world is a whole control plane on the test's own disk: every part is the real one, but
// for the runner, whose jobs the test does itself.
type world struct {
	t        *testing.T
	api      *controlapi.API
	parts    parts
	people   *account.Service
	jobs     chan runner.Spec
	log      *bytes.Buffer // what the API logged; read it when no request runs
	stopping chan struct{}
	public   *httptest.Server
	dir      string
}

// liveRate is how many lines a second of a log are shown to who follows it.
const liveRate = 1000

// newWorld makes a world; change, where there is any, has the last word on its API.
func newWorld(t *testing.T, change ...func(*controlapi.Config)) *world {
	t.Helper()
	w := &world{t: t, jobs: make(chan runner.Spec, 16), log: &bytes.Buffer{}, stopping: make(chan struct{}), dir: t.TempDir()}
	w.run()
	cfg := controlapi.Config{
		Deploy: w.parts.service, Account: w.people, DB: w.parts.db, Ring: w.parts.ring, Token: ownerToken,
		Hosts: []string{"localhost", "fairway.example"}, ControlURL: "https://localhost", Domain: "localhost", Version: "test",
		Explain: explainFor("prj_nobodys"),
		Limits:  controlapi.Limits{API: -1, Auth: -1, Deploys: -1, Logs: -1, Sensitive: -1},
		Log:     slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelWarn})), Stopping: w.stopping,
	}
	for _, c := range change {
		c(&cfg)
	}
	w.api = controlapi.New(cfg)
	w.public = httptest.NewServer(w.api.Public())
	t.Cleanup(w.public.Close)
	return w
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// run opens the parts, whose loops run until the test ends, and has somebody own the place.
func (w *world) run() {
	w.t.Helper()
	w.parts = openParts(w.t, w.dir, w.jobs)
	w.people = w.parts.people(nil)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = w.parts.table.Follow(ctx, state.Feed{DB: w.parts.db}, w.parts.rings) })
	running.Go(func() { _ = w.parts.service.Run(ctx) })
	w.t.Cleanup(func() { cancel(); running.Wait() })
	w.signUpOwner()
}

// signUpOwner makes the first person by the owner link.
func (w *world) signUpOwner() {
	w.t.Helper()
	l := must[account.Link](w.t)(w.people.OwnerLink(w.t.Context()))
	_, secret, _ := strings.Cut(l.URL, "link=")
	must[account.SignedIn](w.t)(w.people.SignUp(w.t.Context(), account.SignUp{
		Email: "ann@example.com", Name: "Ann", Password: "correct horse battery", Link: secret,
	}, account.From{}))
}

type parts struct {
	db      state.DB
	rings   *bell.Bell
	table   *routes.Table
	service *deploy.Service
	ring    seal.Ring
}

// people is a service of accounts over the parts, with the clock where there is one.
func (p parts) people(now func() time.Time) *account.Service {
	return account.New(account.Config{
		DB: p.db, Ring: p.ring, Signup: account.SignupOpen, Now: now, URL: func(path string) string { return "https://localhost" + path },
	})
}

// openParts opens a service's parts in dir; nothing of it runs by itself.
func openParts(t *testing.T, dir string, jobs chan runner.Spec) parts {
	t.Helper()
	key := must[seal.Key](t)(seal.OpenFile(filepath.Join(dir, "key")))
	store := must[*bolt.Store](t)(bolt.Open(filepath.Join(dir, "state.db")))
	t.Cleanup(func() { _ = store.Close() })
	objects := must[*object.Store](t)(object.Open(filepath.Join(dir, "objects")))
	t.Cleanup(func() { _ = objects.Close() })
	lines := must[*logs.Store](t)(logs.Open(filepath.Join(dir, "logs")))
	t.Cleanup(func() { _ = lines.Close() })
	table := must[*routes.Table](t)(routes.Open(routes.Config{Path: filepath.Join(dir, "routes.db"), Domain: "localhost"}))
	t.Cleanup(func() { _ = table.Close() })
	p := parts{db: state.DB{Store: store}, rings: bell.New(), table: table, ring: seal.NewRing(key)}
	p.service = deploy.New(deploy.Config{
		DB: p.db, Objects: objects, Blobs: blob.New(objects), Logs: lines, Bell: p.rings, Runner: recorder{jobs}, Routes: table, Key: key, Ring: p.ring, Unsandboxed: true,
		LogRate: liveRate,
		JobAPI:  "unix://" + filepath.Join(dir, "job.sock"), Limits: hosting.Limits{SourceBytes: 4 << 20},
		HashPassword: func(context.Context, string) (string, error) { return "a hash", nil },
		URL: func(label, site string) string {
			if label != "" {
				site = label + "--" + site
			}
			return "https://" + site + ".localhost"
		},
	})
	return p
}

// recorder is a runner whose jobs are whoever reads its channel.
type recorder struct{ jobs chan runner.Spec }

func (r recorder) Start(ctx context.Context, s runner.Spec) (runner.Ref, error) {
	select {
	case r.jobs <- s:
		return runner.Ref(s.Name), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (recorder) Inspect(_ context.Context, refs []runner.Ref) ([]runner.State, error) {
	states := make([]runner.State, len(refs))
	for i := range states {
		states[i].Phase = runner.Running
	}
	return states, nil
}

func (recorder) Stop(context.Context, runner.Ref) error { return nil }

// at returns the address of the server by a name that the API answers to.
func at(s *httptest.Server) string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return "http://localhost:" + port + "/api"
}

func (w *world) client(o client.Options) *client.Client {
	w.t.Helper()
	c := must[*client.Client](w.t)(client.New(o))
	w.t.Cleanup(c.Close)
	return c
}

// owner is a client of the public door that has the token.
func (w *world) owner() *client.Client {
	return w.client(client.Options{Base: at(w.public), Token: ownerToken})
}

// serve has the handler answer on a socket, and returns the socket's path.
func (w *world) serve(name string, h http.Handler) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	l := must[net.Listener](w.t)(net.Listen("unix", path))
	s := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	w.t.Cleanup(func() { _ = s.Close(); serving.Wait() })
	return path
}

// rebased does what the Caddy module does on the admin endpoint.
func rebased(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/api" + strings.TrimPrefix(r.URL.Path, "/fairway")
		if r.URL.RawPath != "" {
			r.URL.RawPath = "/api" + strings.TrimPrefix(r.URL.RawPath, "/fairway")
		}
		h.ServeHTTP(w, r)
	})
}

func (w *world) project(name string) hosting.Project {
	w.t.Helper()
	return must[hosting.Project](w.t)(w.owner().CreateProject(w.t.Context(), hosting.NewProject{Name: name}))
}

// build has a deployment of an archive begin, and returns the job that it became.
func (w *world) build(project string) (hosting.DeploymentID, *client.Job) {
	w.t.Helper()
	c := w.owner()
	a := must[client.DeployAnswer](w.t)(c.Deploy(w.t.Context(), hosting.NewDeployment{Project: project, Source: hosting.SourceArchive}))
	b := archive(w.t, 1000)
	must[hosting.Deployment](w.t)(c.PutSource(w.t.Context(), a.ID, bytes.NewReader(b), int64(len(b))))
	spec := <-w.jobs
	if spec.Deployment != a.ID {
		w.t.Fatalf("the job of %s began, want %s", spec.Deployment, a.ID)
	}
	return a.ID, w.owner().Job(spec.Deployment, spec.Token)
}

// archive returns a gzip of about size bytes; what is in it concerns the builder alone.
func archive(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(bytes.Repeat([]byte("fairway "), size/8))
	_ = z.Close()
	return b.Bytes()
}

func lines(first int64, texts ...string) hosting.LogBatch {
	b := hosting.LogBatch{First: first}
	for i, text := range texts {
		b.Lines = append(b.Lines, hosting.LogLine{N: first + int64(i), At: 1700000000000, Stream: "out", Text: text})
	}
	return b
}

// site is the smallest inventory: one file of one blob.
func site(content string) (hosting.Inventory, hosting.BlobRef) {
	d := hosting.DigestOf([]byte(content))
	ref := hosting.BlobRef{Digest: d, Size: int64(len(content))}
	return hosting.Inventory{Files: []hosting.File{{
		Path: "index.html", Digest: d, Size: ref.Size,
		Forms: []hosting.Form{{Encoding: hosting.EncodingIdentity, Size: ref.Size, Parts: []hosting.BlobRef{ref}}},
	}}}, ref
}

// publish brings a site by the job protocol.
func (w *world) publish(j *client.Job, content string) hosting.Deployment {
	w.t.Helper()
	ctx := w.t.Context()
	inventory, ref := site(content)
	missing := must[hosting.MissingAnswer](w.t)(j.Missing(ctx, hosting.MissingRequest{Blobs: []hosting.BlobRef{ref}}))
	for _, up := range missing.Missing {
		if err := j.PutBlob(ctx, up, []byte(content)); err != nil {
			w.t.Fatal(err)
		}
	}
	return must[hosting.Deployment](w.t)(j.Finish(ctx, hosting.Finish{Inventory: &inventory}))
}

// ask sends one request as it is, to the public door.
func (w *world) ask(method, path, body string, headers ...string) *http.Response {
	w.t.Helper()
	u := must[*url.URL](w.t)(url.Parse(w.public.URL))
	r := must[*http.Request](w.t)(http.NewRequestWithContext(w.t.Context(), method, u.String()+path, strings.NewReader(body)))
	r.Host = "localhost"
	r.Header.Set("Authorization", "Bearer "+ownerToken)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		switch name, value := headers[i], headers[i+1]; {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	resp := must[*http.Response](w.t)(http.DefaultTransport.RoundTrip(r))
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func partsOf(parts map[string]string) func(context.Context) map[string]string {
	return func(context.Context) map[string]string { return parts }
}

// slowly reads first bytes, waits until the pause has passed, and reads the rest.
type slowly struct {
	first, rest int
	pause       time.Duration
	paused      bool
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.first > 0 {
		n := min(len(b), s.first)
		s.first -= n
		return n, nil
	}
	if !s.paused {
		s.paused = true
		<-time.After(s.pause)
	}
	if s.rest == 0 {
		return 0, io.EOF
	}
	n := min(len(b), s.rest)
	s.rest -= n
	return n, nil
}
