package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// control is a control plane with known ids and times, so that what a person reads can be
// held by golden files. It speaks the routes of the API on an admin socket.
type control struct {
	t   *testing.T
	dir string // holds data/admin.sock

	mu          sync.Mutex
	projects    []*hosting.Project
	deployments []*hosting.Deployment // oldest first
	logs        map[hosting.DeploymentID][]hosting.LogLine
	blobs       map[hosting.Digest]int
	inventory   *hosting.Inventory
	source      []byte
	settings    hosting.BuildSettings // of jobs
	asked       []string              // "METHOD path"
	ends        hosting.Status
	reason      string
	pinned      bool
	taken       bool // every slug is another team's
	finishFails *hosting.Error
	people
	// hold keeps a followed log open after its lines until it is closed.
	hold    chan struct{}
	holding chan struct{}
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func newControl(t *testing.T) *control {
	t.Helper()
	// Not t.TempDir: a socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "fw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &control{
		t: t, dir: dir, logs: map[hosting.DeploymentID][]hosting.LogLine{}, blobs: map[hosting.Digest]int{},
		ends: hosting.StatusReady, holding: make(chan struct{}),
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "data", "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.StripPrefix("/fairway", c.record(c.routes()))}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	return c
}

func (c *control) record(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.asked = append(c.asked, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// handler is a route: it answers a value or an error, under the lock.
type handler func(r *http.Request) (any, error)

func (c *control) handle(mux *http.ServeMux, pattern string, h handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		v, err := h(r)
		c.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			writeProblem(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(v)
	})
}

func writeProblem(w http.ResponseWriter, err error) {
	status := map[hosting.Code]int{
		hosting.CodeNotFound: 404, hosting.CodeInvalid: 422, hosting.CodeConflict: 409, hosting.CodeForbidden: 403,
		hosting.CodeUnauthenticated: 401, hosting.CodeLimited: 429, hosting.CodeIncomplete: 409, hosting.CodeStorageFull: 507,
	}
	var e *hosting.Error
	if !errors.As(err, &e) {
		e = hosting.Errorf(hosting.CodeInternal, "internal error")
	}
	code := status[e.Code]
	if code == 0 {
		code = 500
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": e.Message, "hint": e.Hint, "code": string(e.Code)})
}

func (c *control) routes() http.Handler {
	mux := http.NewServeMux()
	c.handle(mux, "GET /projects", func(*http.Request) (any, error) {
		items := []hosting.Project{}
		for i := len(c.projects) - 1; i >= 0; i-- {
			items = append(items, *c.projects[i])
		}
		return client.List[hosting.Project]{Items: items}, nil
	})
	c.handle(mux, "POST /projects", c.createProject)
	c.handle(mux, "GET /projects/{p}", c.findProject)
	c.handle(mux, "DELETE /projects/{p}", c.deleteProject)
	c.peopleRoutes(mux)
	c.handle(mux, "GET /projects/{p}/deployments", c.listDeployments)
	c.handle(mux, "POST /deploy", c.deploy)
	c.handle(mux, "PUT /deployments/{d}/source", c.putSource)
	c.handle(mux, "GET /deployments/{d}", func(r *http.Request) (any, error) { return c.deployment(r) })
	c.handle(mux, "POST /deployments/{d}/promote", c.promote)
	c.handle(mux, "POST /deployments/{d}/cancel", func(r *http.Request) (any, error) {
		d, err := c.deployment(r)
		if err == nil {
			err = d.Advance(hosting.StatusCanceled, noon)
		}
		return d, err
	})
	c.handle(mux, "POST /deployments/{d}/redeploy", func(r *http.Request) (any, error) {
		d, err := c.deployment(r)
		if err != nil {
			return nil, err
		}
		return c.add(hosting.Deployment{Project: d.Project, Status: hosting.StatusQueued, Target: d.Target, Source: d.Source}), nil
	})
	mux.HandleFunc("GET /deployments/{d}/logs", c.readLog)
	c.handle(mux, "GET /projects/{p}/logs", c.searchLogs)
	mux.HandleFunc("GET /jobs/{d}", c.job)
	mux.HandleFunc("GET /jobs/{d}/source", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, _ = w.Write(c.source)
	})
	c.handle(mux, "POST /jobs/{d}/heartbeat", func(*http.Request) (any, error) { return struct{}{}, nil })
	c.handle(mux, "POST /jobs/{d}/logs", c.appendLog)
	c.handle(mux, "POST /jobs/{d}/missing", c.missing)
	c.handle(mux, "PUT /jobs/{d}/blobs/{digest}", c.putBlob)
	c.handle(mux, "POST /jobs/{d}/finish", c.finish)
	return mux
}

func (c *control) createProject(r *http.Request) (any, error) {
	var in hosting.NewProject
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	if in.Slug == "" {
		in.Slug = hosting.SiteNameFrom(in.Name)
	}
	if _, err := c.project(in.Slug); err == nil || c.taken {
		return nil, hosting.Errorf(hosting.CodeConflict, "the slug %q is taken", in.Slug).WithHint("choose another")
	}
	return c.addProject(in), nil
}

func (c *control) findProject(r *http.Request) (any, error) {
	who, _, err := c.caller(r)
	if err != nil {
		return nil, err
	}
	p, err := c.project(r.PathValue("p"))
	if err == nil && who.Via == hosting.ViaSocket && p.Team != who.Team.ID {
		return nil, hosting.Errorf(hosting.CodeNotFound, "no such project")
	}
	return p, err
}

func (c *control) deleteProject(r *http.Request) (any, error) {
	p, err := c.project(r.PathValue("p"))
	if err != nil {
		return nil, err
	}
	c.projects = slices.DeleteFunc(c.projects, func(other *hosting.Project) bool { return other == p })
	return hosting.Deletion{
		What: "project " + p.Slug, At: noon, Gone: []string{"its site, " + p.URL, "3 deployments"}, Later: []string{"its files, within an hour"},
	}, nil
}

func (c *control) addProject(in hosting.NewProject) *hosting.Project {
	p := &hosting.Project{
		ID: hosting.ProjectID(fmt.Sprintf("prj_%c", 'a'+len(c.projects))), Team: hosting.DefaultTeam, Name: in.Name, Slug: in.Slug,
		GitURL: in.GitURL, URL: "https://" + in.Slug + ".localhost", CustomDomains: []string{}, CreatedBy: "ann", CreatedAt: noon, UpdatedAt: noon,
	}
	c.projects = append(c.projects, p)
	return p
}

func (c *control) project(idOrSlug string) (*hosting.Project, error) {
	for _, p := range c.projects {
		if p.Slug == idOrSlug || string(p.ID) == idOrSlug {
			return p, nil
		}
	}
	return nil, hosting.Errorf(hosting.CodeNotFound, "no such project")
}

// add numbers and stores a deployment; its id and label tell its number.
func (c *control) add(d hosting.Deployment) *hosting.Deployment {
	n := len(c.deployments)
	letter := string(rune('a' + n))
	d.ID = hosting.DeploymentID("dpl_" + strings.Repeat(letter, 26))
	d.Label = "d" + strings.Repeat(letter, 15)
	d.Order = uint64(n + 1)
	d.Team = hosting.DefaultTeam
	if d.CreatedBy == "" {
		d.CreatedBy = "ann"
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = noon
	}
	if p, err := c.project(string(d.Project)); err == nil {
		d.SiteURL = p.URL
	}
	if d.Status == hosting.StatusReady {
		d.URL = ownURL(&d)
	}
	c.deployments = append(c.deployments, &d)
	return &d
}

// ownURL is a deployment's own address, which it has once it is READY.
func ownURL(d *hosting.Deployment) string {
	return strings.Replace(d.SiteURL, "https://", "https://"+d.Label+"--", 1)
}

func (c *control) deployment(r *http.Request) (*hosting.Deployment, error) {
	for _, d := range c.deployments {
		if string(d.ID) == r.PathValue("d") {
			return d, nil
		}
	}
	return nil, hosting.Errorf(hosting.CodeNotFound, "no such deployment")
}

func (c *control) listDeployments(r *http.Request) (any, error) {
	p, err := c.project(r.PathValue("p"))
	if err != nil {
		return nil, err
	}
	// Two at a time, so that every command has to ask for the pages that follow.
	after, l := r.URL.Query().Get("after"), client.List[hosting.Deployment]{Items: []hosting.Deployment{}}
	for i := len(c.deployments) - 1; i >= 0; i-- {
		d := c.deployments[i]
		if d.Project != p.ID || (after != "" && string(d.ID) >= after) {
			continue
		}
		if len(l.Items) == 2 && r.URL.Query().Get("limit") != "20" {
			l.Next = string(l.Items[1].ID)
			break
		}
		l.Items = append(l.Items, *d)
	}
	return l, nil
}

func (c *control) deploy(r *http.Request) (any, error) {
	var in hosting.NewDeployment
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	if in.Project == "" {
		in.Project = string(c.addProject(hosting.NewProject{Name: "shop", Slug: "shop", GitURL: in.GitURL}).ID)
	}
	p, err := c.project(in.Project)
	if err != nil {
		return nil, err
	}
	d := c.add(hosting.Deployment{
		Project: p.ID, Target: in.Target, Status: hosting.StatusQueued, Source: hosting.Source{Kind: in.Source, URL: in.GitURL, Ref: in.Ref},
	})
	answer := client.DeployAnswer{ID: d.ID, Status: d.Status, URL: d.URL, Deployment: *d}
	if in.Source != hosting.SourceGit {
		d.Status = hosting.StatusNotStarted
		answer.Upload = &hosting.Upload{Token: "upload-token"}
	}
	return answer, nil
}

func (c *control) putSource(r *http.Request) (any, error) {
	d, err := c.deployment(r)
	if err != nil {
		return nil, err
	}
	if c.source, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	return d, d.Advance(hosting.StatusQueued, noon)
}

func (c *control) promote(r *http.Request) (any, error) {
	d, err := c.deployment(r)
	if err != nil {
		return nil, err
	}
	for _, other := range c.deployments {
		other.Production = other.Production && other.Project != d.Project
	}
	d.Production = true
	return d, nil
}

func (c *control) missing(r *http.Request) (any, error) {
	if r.Header.Get("Authorization") != "Bearer upload-token" {
		return nil, hosting.Errorf(hosting.CodeUnauthenticated, "no token")
	}
	var in hosting.MissingRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	answer := hosting.MissingAnswer{Missing: []hosting.BlobUpload{}}
	for _, b := range in.Blobs {
		if c.blobs[b.Digest] == 0 {
			answer.Missing = append(answer.Missing, hosting.BlobUpload{Digest: b.Digest})
		}
	}
	return answer, nil
}

func (c *control) putBlob(r *http.Request) (any, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if hosting.DigestOf(b).String() != r.PathValue("digest") {
		return nil, hosting.Errorf(hosting.CodeMismatch, "other bytes")
	}
	c.blobs[hosting.DigestOf(b)]++
	return struct{}{}, nil
}

func (c *control) finish(r *http.Request) (any, error) {
	d, err := c.deployment(r)
	if err != nil {
		return nil, err
	}
	var in hosting.Finish
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	if in.Failure != nil {
		d.Code, d.Reason = in.Failure.Code, in.Failure.Reason
		return d, d.Advance(hosting.StatusFail, noon)
	}
	if c.finishFails != nil {
		return nil, c.finishFails
	}
	c.inventory = in.Inventory
	for _, f := range in.Inventory.Files {
		d.Files++
		d.Bytes += f.Size
	}
	return d, c.end(d)
}

// end takes a deployment through its states to the one that the test asks for.
func (c *control) end(d *hosting.Deployment) error {
	if !d.Status.Terminal() {
		if err := d.Advance(hosting.StatusInProgress, noon); err != nil {
			return err
		}
		if err := d.Advance(c.ends, noon); err != nil {
			return err
		}
	}
	if d.Files == 0 && c.ends == hosting.StatusReady {
		d.Files, d.Bytes = 1200, 3<<20
	}
	if c.ends == hosting.StatusReady {
		d.URL = ownURL(d)
	}
	d.Reason, d.Pinned = c.reason, c.pinned
	d.Production = c.ends == hosting.StatusReady && d.Target == hosting.TargetProduction && !c.pinned
	return nil
}

func (c *control) readLog(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	d, err := c.deployment(r)
	c.mu.Unlock()
	if err != nil {
		writeProblem(w, err)
		return
	}
	var after int64
	_, _ = fmt.Sscan(r.URL.Query().Get("after"), &after)
	lines := []hosting.LogLine{}
	for _, l := range c.logs[d.ID] {
		if l.N > after {
			lines = append(lines, l)
		}
	}
	if r.URL.Query().Get("follow") == "" {
		// Two at a time are looked at, of which those that were asked for are answered.
		page := client.LogPage{Lines: []hosting.LogLine{}, Next: after, Expired: !d.LogDeletedAt.IsZero()}
		for _, l := range lines[:min(2, len(lines))] {
			if page.Next = l.N; asksFor(r, l) {
				page.Lines = append(page.Lines, l)
			}
		}
		_ = json.NewEncoder(w).Encode(page)
		return
	}
	c.stream(w, r, d, lines)
}

// asksFor reports whether a request wants the line.
func asksFor(r *http.Request, l hosting.LogLine) bool {
	q := r.URL.Query()
	return (q.Get("stream") == "" || q.Get("stream") == l.Stream) && (q.Get("step") == "" || q.Get("step") == string(l.Step)) &&
		strings.Contains(strings.ToLower(l.Text), strings.ToLower(q.Get("q")))
}

// searchLogs looks at one log at a time; the cursor is the id of the last one.
func (c *control) searchLogs(r *http.Request) (any, error) {
	p, err := c.project(r.PathValue("p"))
	if err != nil {
		return nil, err
	}
	since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
	after, l := r.URL.Query().Get("after"), client.List[hosting.LogMatch]{Items: []hosting.LogMatch{}}
	for _, d := range slices.Backward(c.deployments) {
		if d.Project != p.ID || after != "" && string(d.ID) >= after || d.CreatedAt.Before(since) {
			continue
		}
		for _, line := range c.logs[d.ID] {
			if asksFor(r, line) {
				l.Items = append(l.Items, hosting.LogMatch{Deployment: d.ID, Line: line})
			}
		}
		l.Next = string(d.ID)
		break
	}
	return l, nil
}

// unseen is the text of lines that are shown to nobody who follows the log.
const unseen = "(hidden)"

func (c *control) stream(w http.ResponseWriter, r *http.Request, d *hosting.Deployment, lines []hosting.LogLine) {
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(kind string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			c.t.Error(err)
		}
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, b)
	}
	send("state", *d)
	for _, l := range lines {
		if l.Text == unseen {
			send("gap", hosting.LogGap{First: l.N, Last: l.N})
		} else {
			send("log", l)
		}
	}
	if c.hold != nil {
		_ = http.NewResponseController(w).Flush()
		close(c.holding)
		select {
		case <-c.hold:
		case <-r.Context().Done():
			return
		}
	}
	c.mu.Lock()
	if err := c.end(d); err != nil {
		c.t.Error(err)
	}
	c.mu.Unlock()
	send("state", *d)
	send("end", struct{}{})
}

// job answers what the source that was packed last asks for.
func (c *control) job(w http.ResponseWriter, r *http.Request) {
	if c.hold != nil {
		close(c.holding)
		<-r.Context().Done()
		return
	}
	if r.Header.Get("Authorization") != "Bearer upload-token" {
		writeProblem(w, hosting.Errorf(hosting.CodeUnauthenticated, "no token"))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(hosting.Job{
		Deployment: hosting.DeploymentID(r.PathValue("d")), Project: "prj_a", Attempt: 1, LogNext: 1,
		Source:   hosting.Source{Kind: hosting.SourceArchive, Digest: hosting.DigestOf(c.source), Size: int64(len(c.source))},
		Settings: c.settings, Deadline: time.Now().Add(time.Minute),
	})
}

func (c *control) appendLog(r *http.Request) (any, error) {
	var in hosting.LogBatch
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	id := hosting.DeploymentID(r.PathValue("d"))
	if next := int64(len(c.logs[id])) + 1; in.First != next {
		return hosting.LogAck{Next: next}, nil
	}
	c.logs[id] = append(c.logs[id], in.Lines...)
	return hosting.LogAck{Next: int64(len(c.logs[id])) + 1}, nil
}
