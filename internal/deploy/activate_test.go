package deploy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// TestPromote_PinsWhatIsNotTheNewest plays stories: "ship" makes the next deployment (0, 1,
// ...) READY, "start" begins one, "end n" finishes it, "preview" ships one for preview,
// "promote n" promotes it. At the end the site shows a deployment, pinned or not.
func TestPromote_PinsWhatIsNotTheNewest(t *testing.T) {
	for story, want := range map[string]struct {
		shows  int
		pinned bool
		waits  []int // deployments that say they wait for a promotion
	}{
		"ship, ship":                                         {shows: 1},
		"ship, ship, promote 0":                              {shows: 0, pinned: true},
		"ship, ship, promote 1":                              {shows: 1},
		"ship, ship, promote 0, promote 0":                   {shows: 0, pinned: true},
		"ship, ship, promote 0, ship":                        {shows: 0, pinned: true, waits: []int{2}},
		"ship, ship, promote 0, ship, ship":                  {shows: 0, pinned: true, waits: []int{2, 3}},
		"ship, ship, promote 0, ship, promote 2":             {shows: 2},
		"ship, ship, promote 0, ship, promote 2, ship":       {shows: 3},
		"ship, ship, promote 0, ship, promote 1":             {shows: 1, pinned: true, waits: []int{2}},
		"ship, ship, promote 0, promote 1, ship":             {shows: 2},
		"ship, preview":                                      {shows: 0},
		"ship, preview, promote 1":                           {shows: 1, pinned: true},
		"ship, preview, promote 1, ship":                     {shows: 1, pinned: true, waits: []int{2}},
		"start, start, end 1, end 0":                         {shows: 1},
		"start, start, end 1, end 0, promote 0":              {shows: 0, pinned: true},
		"start, start, start, end 1, promote 1, end 2":       {shows: 2},
		"ship, start, start, end 2, promote 0, end 1":        {shows: 0, pinned: true, waits: []int{1}},
		"ship, ship, promote 0, redeploy 1":                  {shows: 0, pinned: true, waits: []int{2}},
		"ship, ship, promote 0, redeploy 1, promote 2, ship": {shows: 3},
	} {
		t.Run(story, func(t *testing.T) {
			w := open(t)
			p := w.project("site")
			var ds []hosting.Deployment
			for step := range strings.SplitSeq(story, ", ") {
				var do string
				var n int
				_, _ = fmt.Sscan(step, &do, &n)
				switch do {
				case "start", "ship", "preview":
					target := map[string]hosting.Target{"preview": hosting.TargetPreview}[do]
					d, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: string(p.ID), Target: target})
					w.ok(err)
					w.admit()
					if ds = append(ds, d); do != "start" {
						w.build(d, fmt.Sprint(len(ds)))
					}
				case "redeploy":
					d, err := w.Redeploy(t.Context(), ann, ds[n].ID)
					w.ok(err)
					w.admit()
					ds = append(ds, w.build(d, "again"))
				case "end":
					w.build(ds[n], fmt.Sprint(n))
				case "promote":
					d, err := w.Promote(t.Context(), ann, ds[n].ID)
					w.ok(err)
					if !d.Production || w.shows("site.localhost") != d.ID {
						t.Errorf("%s: the answer came before the site showed it", step)
					}
				}
			}
			if got := w.shows("site.localhost"); got != ds[want.shows].ID {
				t.Errorf("the site shows %q", got)
			}
			if got := w.pointer(p, hosting.PointerProduction); got.Pinned != want.pinned {
				t.Errorf("pinned: %v", got.Pinned)
			}
			var waits []int
			for i, d := range ds {
				if w.find(d).Pinned {
					waits = append(waits, i)
				}
			}
			if fmt.Sprint(waits) != fmt.Sprint(want.waits) {
				t.Errorf("waiting for a promotion: %v, want %v", waits, want.waits)
			}
		})
	}
}

func (w *world) pointer(p hosting.Project, name string) (ptr hosting.Pointer) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx state.Tx) (err error) {
		ptr, _, err = w.db.System().Pointers.Find(tx, state.K(string(p.ID), name))
		return err
	}))
	return ptr
}

func TestActivation_SaysInTheLogWhyItDidNotGoLive(t *testing.T) {
	w := open(t)
	p := w.project("site")
	old := w.ship(p, "1")
	w.ship(p, "2")
	_, err := w.Promote(t.Context(), ann, old.ID)
	w.ok(err)
	d := w.push(p)
	w.admit()
	watch, err := w.Watch(t.Context(), ann, d.ID, 0)
	w.ok(err)
	defer watch.Close()
	w.build(d, "3")
	var lines []string
	for {
		e, err := watch.Next(t.Context())
		w.ok(err)
		for _, l := range e.Lines {
			lines = append(lines, l.Stream+": "+l.Text)
		}
		if e.End {
			break
		}
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "sys: Production was rolled back") {
		t.Errorf("the watcher was told %q", lines)
	}
}

func TestPreview_MovesItsBranchOnly(t *testing.T) {
	w := open(t)
	p := w.project("site")
	live := w.ship(p, "live")
	var ds []hosting.Deployment
	for range 2 {
		d, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Ref: "Feature/X", Target: hosting.TargetPreview})
		w.ok(err)
		ds = append(ds, d)
	}
	commit, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Ref: strings.Repeat("a", 40), Target: hosting.TargetPreview})
	w.ok(err)
	w.admit()
	w.build(ds[1], "newer")
	w.build(ds[0], "older")
	w.build(commit, "commit")
	branch := hosting.BranchSlug("Feature/X") + "--site.localhost"
	if got := w.shows(branch); got != ds[1].ID {
		t.Errorf("%s shows %q", branch, got)
	}
	if w.shows("site.localhost") != live.ID || w.find(commit).URL == "" {
		t.Error("a preview moved production, or has no address")
	}
}

func TestPromote_RefusesWhatIsNotReady(t *testing.T) {
	w := open(t)
	_, err := w.Promote(t.Context(), ann, w.push(w.project("site")).ID)
	w.refused(err, hosting.CodeConflict)
}

func TestPromote_BesideFinishesLosesNeither(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 8 })
	p := w.project("site")
	old := w.ship(p, "old")
	w.ship(p, "new")
	var ds []hosting.Deployment
	for range 8 {
		ds = append(ds, w.push(p))
	}
	w.admit()
	var wg sync.WaitGroup
	for i, d := range ds {
		a := w.job(d)
		wg.Go(func() {
			if _, err := publish(t.Context(), a, map[string]string{"i": string(d.ID)}); err != nil {
				t.Error(err)
			}
		})
		if i == 3 {
			wg.Go(func() {
				if d, err := w.Promote(t.Context(), ann, old.ID); err != nil || !d.Production {
					t.Errorf("production: %v (%v)", d.Production, err)
				}
			})
		}
	}
	wg.Wait()
	if got := w.shows("site.localhost"); got != old.ID {
		t.Errorf("after the roll back the site shows %q, want %q", got, old.ID)
	}
	if ptr := w.pointer(p, hosting.PointerProduction); !ptr.Pinned {
		t.Error("the roll back is not pinned")
	}
	for _, d := range ds {
		if w.is(d, hosting.StatusReady); w.shows(d.Label+"--site.localhost") != d.ID {
			t.Errorf("%s has no address of its own", d.ID)
		}
	}
}
