package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	logfile "github.com/scale-mesh/fairway/internal/logs/file"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/routes"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

var ann = hosting.Caller{Via: hosting.ViaSession, Name: "ann", Role: hosting.RoleOwner, Team: hosting.Team{ID: hosting.DefaultTeam}}

// world is a service over real stores in a folder; only the runner and the clock belong to
// the test.
type world struct {
	*deploy.Service
	t       *testing.T
	dir     string
	key     seal.Key
	limits  hosting.Limits
	builds  int
	logRate int
	runner  *script
	clock   *clock
	db      state.DB
	ring    seal.Ring     // of the key, unless an option or the test says otherwise
	config  deploy.Config // fields that options set; start fills in the rest
	broken  *atomic.Bool  // while set, no transaction commits
	mute    *atomic.Bool  // while set, no audit entry can be written
	objects *faulty
	signing *signing // what the service sees objects by, if an option set it
	logs    *logfile.Store
	table   *routes.Table
	close   func()
}

func open(t *testing.T, options ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), builds: 4, runner: newScript(), clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	key, err := seal.OpenFile(filepath.Join(w.dir, "key"))
	w.ok(err)
	w.key, w.ring = key, seal.NewRing(key)
	for _, o := range options {
		o(w)
	}
	w.start()
	t.Cleanup(func() { w.close() })
	return w
}

// start opens the stores of the folder and a service over them.
func (w *world) start() {
	w.t.Helper()
	store, err := bolt.Open(filepath.Join(w.dir, "state.db"))
	w.ok(err)
	objects, err := file.Open(filepath.Join(w.dir, "objects"))
	w.ok(err)
	w.logs, err = logfile.Open(filepath.Join(w.dir, "logs"))
	w.ok(err)
	w.table, err = routes.Open(routes.Config{Path: filepath.Join(w.dir, "routes.db"), Domain: "localhost"})
	w.ok(err)
	w.broken, w.mute = new(atomic.Bool), new(atomic.Bool)
	w.db, w.objects = state.DB{Store: breakable{store, w.broken, w.mute}}, &faulty{Store: objects}
	var seen object.Store = w.objects
	if w.signing != nil {
		w.signing.faulty, seen = w.objects, w.signing
	}
	bells := local.New()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.table.Follow(ctx, state.Feed{DB: w.db}, bells) })
	c := w.config
	c.DB, c.Objects, c.Blobs, c.Logs, c.Bell, c.Runner = w.db, seen, blob.New(seen), w.logs, bells, w.runner
	c.Routes, c.Key, c.JobAPI, c.Limits, c.MaxBuilds, c.Now, c.Ring = w.table, w.key, "unix:///job.sock", w.limits, w.builds, w.clock.Now, w.ring
	c.LogRate = w.logRate
	if w.config.Logs != nil {
		c.Logs = w.config.Logs
	}
	c.URL = func(label, site string) string { return "https://" + hosting.SiteHost(label, site, "localhost") }
	c.HashPassword = func(_ context.Context, password string) (string, error) { return "hash of " + password, nil }
	w.Service = deploy.New(c)
	w.close = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		w.ok(errors.Join(w.table.Close(), w.logs.Close(), store.Close()))
	})
}

// restart is what a crash between two calls leaves: nothing in memory, all that was stored.
func (w *world) restart() {
	w.t.Helper()
	w.close()
	w.start()
	w.ok(w.RenewLeases(w.t.Context()))
	w.Sweep(w.t.Context())
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deleted(ctx context.Context, c hosting.Caller, project string) {
	w.t.Helper()
	_, err := w.DeleteProject(ctx, c, project)
	w.ok(err)
}

func (w *world) refused(err error, code hosting.Code) {
	w.t.Helper()
	if hosting.CodeOf(err) != code {
		w.t.Fatalf("got %q (%v), want %q", hosting.CodeOf(err), err, code)
	}
}

func (w *world) project(name string) hosting.Project {
	w.t.Helper()
	p, err := w.CreateProject(w.t.Context(), ann, hosting.NewProject{Name: name, GitURL: "https://git.test/" + name})
	w.ok(err)
	return p
}

func (w *world) push(p hosting.Project) hosting.Deployment {
	w.t.Helper()
	d, _, err := w.Deploy(w.t.Context(), ann, hosting.NewDeployment{Project: string(p.ID)})
	w.ok(err)
	return d
}

func (w *world) find(d hosting.Deployment) hosting.Deployment {
	w.t.Helper()
	d, err := w.FindDeployment(w.t.Context(), ann, d.ID)
	w.ok(err)
	return d
}

func (w *world) is(d hosting.Deployment, want hosting.Status) hosting.Deployment {
	w.t.Helper()
	d = w.find(d)
	if d.Status != want {
		w.t.Fatalf("the deployment is %s (%s: %s), want %s", d.Status, d.Code, d.Reason, want)
	}
	return d
}

func (w *world) admit() {
	w.t.Helper()
	w.ok(w.Admit(w.t.Context()))
}

func (w *world) reconcile() {
	w.t.Helper()
	w.ok(w.Reconcile(w.t.Context()))
}

// job is the newest job that was started for d.
func (w *world) job(d hosting.Deployment) *deploy.Attempt {
	w.t.Helper()
	a, err := w.Attempt(w.t.Context(), d.ID, w.runner.newest(d.ID).Token)
	w.ok(err)
	return a
}

// build has the newest job of d publish a site with one page.
func (w *world) build(d hosting.Deployment, page string) hosting.Deployment {
	w.t.Helper()
	d, err := publish(w.t.Context(), w.job(d), map[string]string{"index.html": page})
	w.ok(err)
	return d
}

// finishAgain has a job whose deployment may have ended finish again.
func (w *world) finishAgain(d hosting.Deployment, page string) hosting.Deployment {
	w.t.Helper()
	inv, _ := inventory(map[string]string{"index.html": page})
	d, err := w.job(d).Finish(w.t.Context(), hosting.Finish{Inventory: &inv})
	w.ok(err)
	return d
}

func page(after string, limit int) state.Page { return state.Page{After: after, Limit: limit} }

// ship is a push and its build.
func (w *world) ship(p hosting.Project, page string) hosting.Deployment {
	w.t.Helper()
	d := w.push(p)
	w.admit()
	return w.build(d, page)
}

// shows tells which deployment the routing table has for a host.
func (w *world) shows(host string) hosting.DeploymentID {
	r, ok := w.table.Lookup(host)
	if !ok || r.Site.State != hosting.SiteActive {
		return ""
	}
	return r.Pointer.Deployment
}

func (w *world) logText(d hosting.Deployment) (texts []string) {
	w.t.Helper()
	lines, err := w.ReadLog(w.t.Context(), ann, d.ID, 0, 0)
	w.ok(err)
	for _, l := range lines {
		texts = append(texts, l.Text)
	}
	return texts
}

// inventory describes files as a job would.
func inventory(files map[string]string) (hosting.Inventory, map[hosting.Digest]string) {
	var inv hosting.Inventory
	blobs := make(map[hosting.Digest]string)
	for path, text := range files {
		f := hosting.File{
			Path: path, Digest: hosting.DigestOf([]byte(text)), Size: int64(len(text)),
			Immutable: strings.HasPrefix(path, "assets/"), // its name changes with its content
		}
		form := hosting.Form{Encoding: hosting.EncodingIdentity, Size: f.Size}
		if text != "" {
			form.Parts = []hosting.BlobRef{{Digest: f.Digest, Size: f.Size}}
			blobs[f.Digest] = text
		}
		f.Forms = []hosting.Form{form}
		inv.Files = append(inv.Files, f)
	}
	return inv, blobs
}

func refs(blobs map[hosting.Digest]string) (r hosting.MissingRequest) {
	for d, text := range blobs {
		r.Blobs = append(r.Blobs, hosting.BlobRef{Digest: d, Size: int64(len(text))})
	}
	return r
}

func publish(ctx context.Context, a *deploy.Attempt, files map[string]string) (hosting.Deployment, error) {
	inv, blobs := inventory(files)
	answer, err := a.Missing(ctx, refs(blobs))
	if err != nil {
		return hosting.Deployment{}, err
	}
	for _, m := range answer.Missing {
		text := blobs[m.Digest]
		if err := a.PutBlob(ctx, m.Digest, int64(len(text)), bytes.NewReader([]byte(text))); err != nil {
			return hosting.Deployment{}, err
		}
	}
	return a.Finish(ctx, hosting.Finish{Inventory: &inv})
}

func batch(first int64, texts ...string) hosting.LogBatch {
	b := hosting.LogBatch{First: first}
	for i, text := range texts {
		b.Lines = append(b.Lines, hosting.LogLine{N: first + int64(i), At: 1, Stream: "out", Step: hosting.PhaseBuilding, Text: text})
	}
	return b
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// script is a runner whose jobs do nothing: the test speaks for them.
type script struct {
	mu      sync.Mutex
	started []runner.Spec
	phase   map[runner.Ref]runner.State
	refuse  error // what Start answers, if not nil
	onStart func(runner.Spec)
	hang    atomic.Bool // Start does not answer
}

func newScript() *script { return &script{phase: make(map[runner.Ref]runner.State)} }

func (r *script) Start(ctx context.Context, spec runner.Spec) (runner.Ref, error) {
	if r.hang.Load() {
		<-ctx.Done()
		return "", ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return "", r.refuse
	}
	ref := runner.Ref("ref-" + spec.Name)
	if _, ok := r.phase[ref]; !ok {
		r.started = append(r.started, spec)
		r.phase[ref] = runner.State{Phase: runner.Running}
		if r.onStart != nil {
			r.onStart(spec)
		}
	}
	return ref, nil
}

func (r *script) Inspect(_ context.Context, refs []runner.Ref) ([]runner.State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var states []runner.State
	for _, ref := range refs {
		st, ok := r.phase[ref]
		if !ok {
			st.Phase = runner.Gone
		}
		states = append(states, st)
	}
	return states, nil
}

func (r *script) Stop(_ context.Context, ref runner.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.phase, ref)
	return nil
}

func (r *script) List(context.Context) ([]runner.Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var jobs []runner.Job
	for ref := range r.phase {
		jobs = append(jobs, runner.Job{Name: string(ref[len("ref-"):]), Ref: ref})
	}
	return jobs, nil
}

func (r *script) newest(id hosting.DeploymentID) runner.Spec {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range slices.Backward(r.started) {
		if s.Deployment == id {
			return s
		}
	}
	return runner.Spec{}
}

func (r *script) running() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.started {
		if _, ok := r.phase[runner.Ref("ref-"+s.Name)]; ok {
			names = append(names, s.Name)
		}
	}
	return names
}

// exit has the newest job of a deployment end by itself.
func (r *script) exit(id hosting.DeploymentID, reason string) {
	r.say(id, runner.State{Phase: runner.Exited, Reason: reason})
}

func (r *script) say(id hosting.DeploymentID, st runner.State) {
	name := r.newest(id).Name
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase[runner.Ref("ref-"+name)] = st
}

func (r *script) setRefuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = err
}

// breakable is a state store that dies with its process when the test says so.
type breakable struct {
	state.Store
	broken, mute *atomic.Bool
}

var (
	errBroken = errors.New("the process died")
	errMute   = errors.New("the audit log cannot be written")
)

func (b breakable) Update(ctx context.Context, fn func(state.Tx) error) error {
	if b.broken.Load() {
		return errBroken
	}
	return b.Store.Update(ctx, func(tx state.Tx) error { return fn(muted{tx, b.mute}) })
}

// muted is a transaction that refuses audit entries when the test says so.
type muted struct {
	state.Tx
	mute *atomic.Bool
}

func (m muted) Put(key, value []byte) error {
	if m.mute.Load() && bytes.Contains(key, []byte("\x00audit\x00")) {
		return errMute
	}
	return m.Tx.Put(key, value)
}

// faulty is an object store that fails where the test wants it to.
type faulty struct {
	object.Store
	mu  sync.Mutex
	put func(key string) error
	get func(key string) error
}

func (f *faulty) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	f.mu.Lock()
	get := f.get
	f.mu.Unlock()
	if get != nil {
		if err := get(key); err != nil {
			return nil, object.Info{}, err
		}
	}
	return f.Store.Get(ctx, key)
}

func (f *faulty) onGet(fn func(key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.get = fn
}

func (f *faulty) Put(ctx context.Context, key string, body io.Reader, check object.Check) error {
	f.mu.Lock()
	put := f.put
	f.mu.Unlock()
	if put != nil {
		if err := put(key); err != nil {
			return err
		}
	}
	return f.Store.Put(ctx, key, body, check)
}

func (f *faulty) Flush(ctx context.Context) error { return object.Flush(ctx, f.Store) }

func (f *faulty) onPut(fn func(key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put = fn
}

func (f *faulty) keys(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	infos, err := f.List(t.Context(), prefix, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		keys = append(keys, i.Key)
	}
	return keys
}
