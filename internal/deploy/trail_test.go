package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// shipWith publishes a page and its script, whose name changes with it.
func (w *world) shipWith(p hosting.Project, script string) hosting.Deployment {
	w.t.Helper()
	d := w.push(p)
	w.admit()
	d, err := publish(w.t.Context(), w.job(d), map[string]string{"index.html": "page", "assets/" + script: script})
	w.ok(err)
	return d
}

// trailOf lists the files that the site's production still answers for, of what it showed.
func (w *world) trailOf(host string) (files []string) {
	w.t.Helper()
	r, ok := w.table.Lookup(host)
	if !ok {
		w.t.Fatalf("%s shows nothing", host)
	}
	if r.Pointer.Trail.IsZero() {
		return nil
	}
	b, err := blob.New(w.objects).GetManifest(w.t.Context(), r.Pointer.Project, r.Pointer.Trail)
	w.ok(err)
	t, err := manifest.OpenTrail(b)
	w.ok(err)
	for f := range t.All() {
		files = append(files, strings.TrimPrefix(f.Path(), "assets/"))
	}
	return files
}

func TestTrail_FollowsWhatThePointerShowed(t *testing.T) {
	w := open(t)
	p := w.project("site")
	is := func(what string, want ...string) {
		t.Helper()
		if got := w.trailOf("site.localhost"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the trail has %v, want %v", what, got, want)
		}
	}
	one := w.shipWith(p, "a.js")
	is("the first")
	two := w.shipWith(p, "b.js")
	is("the second", "a.js")
	_, err := w.Promote(t.Context(), ann, one.ID)
	w.ok(err)
	is("a roll back", "b.js")
	_, err = w.Promote(t.Context(), ann, one.ID)
	w.ok(err)
	is("the same again", "b.js")
	_, err = w.Promote(t.Context(), ann, two.ID)
	w.ok(err)
	is("forward", "a.js")
	w.clock.pass(8 * 24 * time.Hour)
	w.shipWith(p, "c.js")
	is("a week later", "b.js")
	_, err = w.Redeploy(t.Context(), ann, two.ID)
	w.ok(err)
}

func TestTrail_ARollBackNeedsNone(t *testing.T) {
	w := open(t)
	p := w.project("site")
	one := w.shipWith(p, "a.js")
	w.shipWith(p, "b.js")
	w.objects.onGet(func(string) error { return errors.New("the store is down") })
	_, err := w.Promote(t.Context(), ann, one.ID)
	w.ok(err)
	if got := w.shows("site.localhost"); got != one.ID {
		t.Errorf("the site shows %s", got)
	}
}

func TestTrail_ManyAtOnceLoseNone(t *testing.T) {
	w := open(t)
	p := w.project("site")
	const many = 4 // as run at once
	var ds []hosting.Deployment
	for range many {
		ds = append(ds, w.push(p))
	}
	var all sync.WaitGroup
	for i := range ds {
		w.admit()
		all.Go(func() {
			name := fmt.Sprintf("%d.js", i)
			if _, err := publish(t.Context(), w.job(ds[i]), map[string]string{"index.html": "page", "assets/" + name: name}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// Whatever the order was: what was shown before the last is in the trail, or was not live.
	shown := w.shows("site.localhost")
	if shown != ds[many-1].ID {
		t.Errorf("the site shows %s, not the newest", shown)
	}
	w.shipWith(p, "last.js")
	if got := w.trailOf("site.localhost"); len(got) == 0 || got[len(got)-1] != fmt.Sprintf("%d.js", many-1) {
		t.Errorf("the trail has %v", got)
	}
}
