package edge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

func (r *rig) openManifest(d hosting.Digest) *manifest.Manifest {
	r.t.Helper()
	b, err := r.blobs.GetManifest(r.t.Context(), project, d)
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := manifest.Open(b)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func TestTrail_PagesOfAnEarlierDeploymentFindTheirFiles(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	r := newRig(t, func(c *edge.Config) { c.Now = func() time.Time { return now } })
	script := strings.Repeat("the first script ", 100)
	first := r.store(hosting.FallbackSPA, upload{path: "index.html", text: "one"}, upload{path: "assets/a.1.js", text: script, br: true}, upload{path: "plain.js", text: "plain"})
	second := r.store(hosting.FallbackSPA, upload{path: "index.html", text: "two"}, upload{path: "assets/a.2.js", text: "second"})
	b, err := manifest.BuildTrail(nil, r.openManifest(first), r.openManifest(second), now)
	if err != nil {
		t.Fatal(err)
	}
	trail, err := r.blobs.PutManifest(t.Context(), project, b)
	if err != nil {
		t.Fatal(err)
	}
	shown := production(second, "dpl_two")
	r.router.hosts.Store(siteHost, shown)
	r.get("/assets/a.1.js").is(t, "control: without a trail", 404, r.get("/nope.js").body)

	with := *shown
	with.Pointer.Trail = trail
	r.router.hosts.Store(siteHost, &with)
	a := r.get("/assets/a.1.js")
	a.is(t, "of the earlier deployment", 200, script)
	a.has(t, "of the earlier deployment", "Cache-Control: public, max-age=31536000, immutable", "Etag: "+etagOf(script), "X-Fairway-Deployment: dpl_two")
	r.get("/assets/a.1.js", "Accept-Encoding: br").has(t, "in br", "Content-Encoding: br")
	r.get("/assets/a.1.js", "Range: bytes=4-8").is(t, "a range", 206, "first")
	r.get("/assets/a.1.js", "If-None-Match: "+etagOf(script)).is(t, "not modified", 304, "")
	r.get("/assets/a.2.js").is(t, "of the newest", 200, "second")
	r.get("/plain.js").is(t, "whose name does not change", 404, r.get("/nope.js").body)
	r.get("/").is(t, "the page", 200, "two")
	r.get("/some/route").is(t, "a route", 200, "two")

	now = now.Add(8 * 24 * time.Hour)
	r.get("/assets/a.1.js").is(t, "a week later", 404, r.get("/nope.js").body)
}

func TestTrail_OneThatCannotBeReadIsNo404(t *testing.T) {
	r := newRig(t)
	d := r.store("", upload{path: "index.html", text: "one"})
	shown := production(d, "dpl_one")
	shown.Pointer.Trail = hosting.DigestOf([]byte("a trail that is nowhere"))
	r.router.hosts.Store(siteHost, shown)
	r.get("/").is(t, "the page", 200, "one")
	if a := r.get("/assets/a.js"); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d", a.StatusCode)
	}
}
