package controlapi_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func isCode(t *testing.T, err error, want hosting.Code) {
	t.Helper()
	if hosting.CodeOf(err) != want {
		t.Errorf("got %v, want the code %s", err, want)
	}
}

func TestProjects_LiveFromCreationToDeletion(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.owner(), t.Context()
	p, err := c.CreateProject(ctx, hosting.NewProject{Name: "My Blog", GitURL: "https://git.example/me/blog.git"})
	if err != nil || p.Slug != "my-blog" || p.URL != "https://my-blog.localhost" {
		t.Fatalf("made %+v, %v", p, err)
	}
	_, err = c.CreateProject(ctx, hosting.NewProject{Name: "Other", Slug: "my-blog"})
	isCode(t, err, hosting.CodeConflict)
	_, err = c.CreateProject(ctx, hosting.NewProject{Name: "Other", Slug: "No Slug"})
	isCode(t, err, hosting.CodeInvalid)
	for _, name := range []string{string(p.ID), "my-blog"} {
		if got, err := c.FindProject(ctx, name); err != nil || got.ID != p.ID {
			t.Errorf("%s: found %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"nobody", "..", "a/b", "prj_aaaaaaaa"} {
		_, err = c.FindProject(ctx, name)
		isCode(t, err, hosting.CodeNotFound)
	}
	command := "make site"
	if got, err := c.UpdateProject(ctx, "my-blog", hosting.ProjectUpdate{BuildCommand: &command}); err != nil ||
		got.BuildCommand != command || got.Name != "My Blog" {
		t.Errorf("changed to %+v, %v", got, err)
	}
	dir := "../up"
	_, err = c.UpdateProject(ctx, "my-blog", hosting.ProjectUpdate{RootDir: &dir})
	isCode(t, err, hosting.CodeInvalid)
	if _, err := c.DeleteProject(ctx, "my-blog"); err != nil {
		t.Error(err)
	}
	_, err = c.DeleteProject(ctx, "my-blog")
	isCode(t, err, hosting.CodeNotFound)
}

func TestProjects_AreListedInPages(t *testing.T) {
	w := newWorld(t)
	if l, err := w.owner().ListProjects(t.Context(), client.Page{}); err != nil || l.Items == nil || len(l.Items) != 0 {
		t.Errorf("an empty list is %+v, %v", l, err)
	}
	want := map[string]bool{}
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		want[w.project(name).Slug] = true
	}
	pages, page := 0, client.Page{Limit: 2}
	for {
		l, err := w.owner().ListProjects(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, p := range l.Items {
			if !want[p.Slug] {
				t.Errorf("%s is listed twice", p.Slug)
			}
			delete(want, p.Slug)
		}
		if page.After = l.Next; l.Next == "" {
			break
		}
	}
	if pages != 3 || len(want) != 0 {
		t.Errorf("%d pages, without %v", pages, want)
	}
	_, err := w.owner().ListProjects(t.Context(), client.Page{Limit: 101})
	isCode(t, err, hosting.CodeInvalid)
}

func TestDeploy_PublishesAFolder(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.owner(), t.Context()
	p := w.project("folder")
	a, err := c.Deploy(ctx, hosting.NewDeployment{Project: p.Slug, Source: hosting.SourceFiles})
	if err != nil || a.Status != hosting.StatusNotStarted || a.ID != a.Deployment.ID || a.Upload == nil || a.URL != "https://folder.localhost" {
		t.Fatalf("began %+v, %v", a, err)
	}
	j := c.Job(a.ID, a.Upload.Token)
	inventory, ref := site("hello")
	_, err = j.Finish(ctx, hosting.Finish{Inventory: &inventory})
	isCode(t, err, hosting.CodeIncomplete)
	isCode(t, j.PutBlob(ctx, hosting.BlobUpload{Digest: ref.Digest}, []byte("jello")), hosting.CodeMismatch)
	isCode(t, j.PutBlob(ctx, hosting.BlobUpload{Digest: ref.Digest}, make([]byte, hosting.MaxBlob+1)), hosting.CodeTooLarge)
	first := w.publish(j, "hello")
	if first.Status != hosting.StatusReady || !first.Production {
		t.Fatalf("became %+v", first)
	}
	if again, err := j.Finish(ctx, hosting.Finish{Inventory: &inventory}); err != nil || again.ID != first.ID {
		t.Errorf("repeated, it answered %+v, %v", again, err)
	}
	isCode(t, j.Heartbeat(ctx, hosting.Heartbeat{}), hosting.CodeGone)

	a, err = c.Deploy(ctx, hosting.NewDeployment{Project: p.Slug, Source: hosting.SourceFiles})
	if err != nil {
		t.Fatal(err)
	}
	second := w.publish(c.Job(a.ID, a.Upload.Token), "hello again")
	if d, err := c.FindDeployment(ctx, first.ID); err != nil || d.Production || !second.Production {
		t.Errorf("the second is not live: %+v, %v", d, err)
	}
	if d, err := c.Promote(ctx, first.ID); err != nil || !d.Production {
		t.Errorf("rolled back to %+v, %v", d, err)
	}
	_, err = c.Cancel(ctx, first.ID)
	isCode(t, err, hosting.CodeConflict)
	l, err := c.ListDeployments(ctx, "folder", client.Page{Limit: 1})
	if err != nil || len(l.Items) != 1 || l.Items[0].ID != second.ID || l.Next == "" {
		t.Errorf("listed %+v, %v", l, err)
	}
}

func TestDeploy_BuildsAnArchive(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.owner(), t.Context()
	w.project("archive")
	a, err := c.Deploy(ctx, hosting.NewDeployment{Project: "archive", Source: hosting.SourceArchive})
	if err != nil {
		t.Fatal(err)
	}
	packed := archive(t, 3<<20)
	d, err := c.PutSource(ctx, a.ID, bytes.NewReader(packed), int64(len(packed)))
	if err != nil || d.Source.Digest != hosting.DigestOf(packed) {
		t.Fatalf("stored %+v, %v", d, err)
	}
	_, err = c.PutSource(ctx, a.ID, bytes.NewReader(packed), int64(len(packed)))
	isCode(t, err, hosting.CodeConflict)

	spec := <-w.jobs
	j := w.client(client.Options{Socket: w.serve("job.sock", w.api.Jobs()), Base: "/api"}).Job(a.ID, spec.Token)
	job, err := j.Job(ctx)
	if err != nil || job.Deployment != a.ID || job.Source.Kind != hosting.SourceArchive || job.LogNext != 1 {
		t.Fatalf("the job is %+v, %v", job, err)
	}
	body, err := j.Source(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	_ = body.Close()
	if err != nil || !bytes.Equal(got, packed) {
		t.Errorf("fetched %d bytes, %v; want those that were put", len(got), err)
	}
	if err := j.Heartbeat(ctx, hosting.Heartbeat{Phase: hosting.PhaseBuilding}); err != nil {
		t.Error(err)
	}
	isCode(t, j.Heartbeat(ctx, hosting.Heartbeat{Phase: "idling"}), hosting.CodeInvalid)
	if ack, err := j.AppendLog(ctx, lines(1, "one", "two")); err != nil || ack.Next != 3 {
		t.Errorf("acknowledged %+v, %v", ack, err)
	}
	if ack, err := j.AppendLog(ctx, lines(5, "a gap")); err != nil || ack.Next != 3 {
		t.Errorf("acknowledged %+v, %v", ack, err)
	}
	if got, err := c.ReadLog(ctx, a.ID, 1, 10); err != nil || len(got) != 1 || got[0].Text != "two" {
		t.Errorf("read %+v, %v", got, err)
	}
	if d := w.publish(j, "built"); d.Status != hosting.StatusReady {
		t.Errorf("became %+v", d)
	}
	again, err := c.Redeploy(ctx, a.ID)
	if err != nil || again.ID == a.ID || again.Status != hosting.StatusQueued {
		t.Errorf("deployed again as %+v, %v", again, err)
	}
	spec = <-w.jobs
	if d, err := c.Cancel(ctx, again.ID); err != nil || d.Status != hosting.StatusCanceled {
		t.Errorf("canceled %+v, %v", d, err)
	}
	_, err = c.Job(again.ID, spec.Token).Job(ctx)
	isCode(t, err, hosting.CodeGone)
}

func TestJob_WithoutAnArchiveHasNoSource(t *testing.T) {
	w := newWorld(t)
	w.project("files")
	a := must[client.DeployAnswer](t)(w.owner().Deploy(t.Context(), hosting.NewDeployment{Project: "files", Source: hosting.SourceFiles}))
	_, err := w.owner().Job(a.ID, a.Upload.Token).Source(t.Context())
	isCode(t, err, hosting.CodeNotFound)
}

func TestDeploy_FailsWithTheJob(t *testing.T) {
	w := newWorld(t)
	w.project("broken")
	id, j := w.build("broken")
	d, err := j.Finish(t.Context(), hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailBuild, Reason: "exit status 1"}})
	if err != nil || d.Status != hosting.StatusFail || d.Code != hosting.FailBuild {
		t.Errorf("became %+v, %v", d, err)
	}
	_, err = w.owner().Promote(t.Context(), id)
	isCode(t, err, hosting.CodeConflict)
}

func TestDeploy_SaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	for _, n := range []hosting.NewDeployment{{}, {Project: "nobody"}, {GitURL: "ext::sh -c id"}, {Source: hosting.SourceFiles}} {
		_, err := w.owner().Deploy(t.Context(), n)
		if code := hosting.CodeOf(err); code != hosting.CodeInvalid && code != hosting.CodeNotFound {
			t.Errorf("%+v: %v", n, err)
		}
	}
}

func TestProject_HasItsDeprecatedAlias(t *testing.T) {
	w := newWorld(t)
	resp := w.ask("POST", "/api/project", `{"name":"By the alias"}`)
	if _, err := w.owner().FindProject(t.Context(), "by-the-alias"); resp.StatusCode != http.StatusCreated || err != nil {
		t.Errorf("answered %d, %v", resp.StatusCode, err)
	}
}

func TestHealth_AnswersAnybody(t *testing.T) {
	w := newWorld(t, func(c *controlapi.Config) { c.Token = "another" })
	h, err := w.client(client.Options{Base: at(w.public)}).Health(t.Context())
	if err != nil || h.Status != "ok" || h.Version != "test" {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestHealth_SaysWhichPartIsDown(t *testing.T) {
	parts := map[string]string{"state": "ok", "objects": "the disk is full"}
	w := newWorld(t, func(c *controlapi.Config) { c.Ready = partsOf(parts) })
	h, err := w.owner().Health(t.Context())
	if err != nil || h.Status != "degraded" || h.Checks["objects"] != "the disk is full" {
		t.Errorf("got %+v, %v", h, err)
	}
	if resp := w.ask("GET", "/api/health", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

func TestTrusted_AsksForNoToken(t *testing.T) {
	w := newWorld(t)
	socket := w.serve("admin.sock", rebased(w.api.Trusted()))
	c := w.client(client.Options{Socket: socket, Base: "/fairway"})
	p, err := c.CreateProject(t.Context(), hosting.NewProject{Name: "By the socket"})
	if err != nil || p.CreatedBy == "" {
		t.Fatalf("made %+v, %v", p, err)
	}
	a := must[client.DeployAnswer](t)(c.Deploy(t.Context(), hosting.NewDeployment{Project: p.Slug, Source: hosting.SourceFiles}))
	if d := w.publish(c.Job(a.ID, a.Upload.Token), "x"); d.Status != hosting.StatusReady {
		t.Errorf("became %+v", d)
	}
	_, err = c.Job(a.ID, "no token of it").Job(t.Context())
	isCode(t, err, hosting.CodeUnauthenticated)
	_, err = c.FindProject(t.Context(), "..")
	isCode(t, err, hosting.CodeNotFound)
}

func TestJobs_KnowsNothingButJobs(t *testing.T) {
	w := newWorld(t)
	socket := w.serve("job.sock", w.api.Jobs())
	c := w.client(client.Options{Socket: socket, Base: "/api", Token: ownerToken})
	_, err := c.ListProjects(t.Context(), client.Page{})
	isCode(t, err, hosting.CodeNotFound)
	_, err = c.Health(t.Context())
	isCode(t, err, hosting.CodeNotFound)
	_, err = c.Job("dpl_aaaaaaaa", "token").Job(t.Context())
	isCode(t, err, hosting.CodeUnauthenticated)
	if err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("it says %v", err)
	}
}
