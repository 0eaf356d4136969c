package deploy_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestFinish_ListsWhatIsAbsentAndCanBeRepeated(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	d := w.push(w.project("site"))
	w.admit()
	a := w.job(d)
	files := map[string]string{}
	for i := range 25 {
		files[strings.Repeat("f", i+1)] = strings.Repeat("x", i+1)
	}
	inv, blobs := inventory(files)
	_, err := a.Finish(ctx, hosting.Finish{Inventory: &inv})
	w.refused(err, hosting.CodeIncomplete)
	if n := strings.Count(err.Error(), ", ") + 1; n != 20 || !strings.Contains(err.Error(), "25 blobs") {
		t.Errorf("%d digests are listed: %v", n, err)
	}
	w.is(d, hosting.StatusInProgress)
	for digest, text := range blobs {
		w.ok(a.PutBlob(ctx, digest, int64(len(text)), strings.NewReader(text)))
	}
	first, err := a.Finish(ctx, hosting.Finish{Inventory: &inv})
	w.ok(err)
	again, err := a.Finish(ctx, hosting.Finish{Inventory: &inv})
	w.ok(err)
	failed, err := w.job(d).Finish(ctx, hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailBuild}})
	w.ok(err) // too late: it answers how the deployment ended
	if first.Status != hosting.StatusReady || again.Revision != first.Revision || failed.Revision != first.Revision {
		t.Errorf("revisions %d, %d, %d", first.Revision, again.Revision, failed.Revision)
	}
}

func TestFinish_RefusesABlobOfAnotherSizeThanClaimed(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	w.ship(p, "hello") // so that the digest is known, with its true size
	d := w.push(p)
	w.admit()
	inv, _ := inventory(map[string]string{"index.html": "hello"})
	inv.Files[0].Size, inv.Files[0].Forms[0].Size, inv.Files[0].Forms[0].Parts[0].Size = 9, 9, 9
	_, err := w.job(d).Finish(ctx, hosting.Finish{Inventory: &inv})
	w.refused(err, hosting.CodeIncomplete)
}

func TestFinish_RefusesInventories(t *testing.T) {
	w := open(t, func(w *world) { w.limits = hosting.Limits{Files: 3, FileBytes: 100, SiteBytes: 150} })
	ctx := t.Context()
	d := w.push(w.project("site"))
	w.admit()
	a := w.job(d)
	big := strings.Repeat("b", 90)
	edit := func(fn func(*hosting.Inventory)) hosting.Inventory {
		inv, _ := inventory(map[string]string{"a": "hello"})
		fn(&inv)
		return inv
	}
	only := func(files map[string]string) hosting.Inventory { inv, _ := inventory(files); return inv }
	for name, c := range map[string]struct {
		inv  hosting.Inventory
		code hosting.Code
	}{
		"no files":        {hosting.Inventory{}, hosting.CodeInvalid},
		"too many files":  {only(map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}), hosting.CodeTooLarge},
		"a large file":    {only(map[string]string{"a": strings.Repeat("x", 101)}), hosting.CodeTooLarge},
		"a large site":    {only(map[string]string{"a": big, "b": big}), hosting.CodeTooLarge},
		"a path upwards":  {only(map[string]string{"../a": "x"}), hosting.CodeInvalid},
		"a negative size": {edit(func(i *hosting.Inventory) { i.Files[0].Size = -1 }), hosting.CodeInvalid},
		"no forms":        {edit(func(i *hosting.Inventory) { i.Files[0].Forms = nil }), hosting.CodeInvalid},
		"br first":        {edit(func(i *hosting.Inventory) { i.Files[0].Forms[0].Encoding = "br" }), hosting.CodeInvalid},
		"sizes disagree":  {edit(func(i *hosting.Inventory) { i.Files[0].Size = 6 }), hosting.CodeInvalid},
		"one file twice":  {edit(func(i *hosting.Inventory) { i.Files = append(i.Files, i.Files[0]) }), hosting.CodeInvalid},
		"a foreign digest": {edit(func(i *hosting.Inventory) { i.Files[0].Digest = hosting.DigestOf(nil) }),
			hosting.CodeInvalid},
		"an unknown fallback": {edit(func(i *hosting.Inventory) { i.Fallback = "x" }), hosting.CodeInvalid},
		"a br form larger than the file": {edit(func(i *hosting.Inventory) {
			form := hosting.Form{Encoding: "br", Size: 6, Parts: []hosting.BlobRef{{Digest: hosting.DigestOf([]byte("z")), Size: 6}}}
			i.Files[0].Forms = append(i.Files[0].Forms, form)
		}), hosting.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.Finish(ctx, hosting.Finish{Inventory: &c.inv})
			w.refused(err, c.code)
		})
	}
	both := hosting.Inventory{}
	for name, f := range map[string]hosting.Finish{
		"neither": {}, "both": {Inventory: &both, Failure: &hosting.Failure{Code: hosting.FailBuild}},
		"an unknown code": {Failure: &hosting.Failure{Code: "tired"}},
	} {
		if _, err := a.Finish(ctx, f); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.is(d, hosting.StatusInProgress)
	if keys := w.objects.keys(t, "manifests/"); len(keys) != 0 {
		t.Errorf("refused inventories left manifests: %v", keys)
	}
}

func TestFinish_WithAFailureLeavesTheSiteAsItWas(t *testing.T) {
	w := open(t)
	p := w.project("site")
	live := w.ship(p, "live")
	d := w.push(p)
	w.admit()
	d, err := w.job(d).Finish(t.Context(), hosting.Finish{Failure: &hosting.Failure{
		Code: hosting.FailBuild, Reason: "vite: \x1b[31mno\x00 such file " + strings.Repeat("ü", 2000),
	}})
	w.ok(err)
	if d.Status != hosting.StatusFail || d.Code != hosting.FailBuild || len(d.Reason) > 2000 || !strings.HasPrefix(d.Reason, "vite: [31mno such file ü") {
		t.Errorf("it failed with %q", d.Reason)
	}
	if w.shows("site.localhost") != live.ID || w.shows(d.Label+"--site.localhost") != "" {
		t.Error("a failure changed what is served")
	}
}

func TestFinish_ChangesNothingWhileAStoreFails(t *testing.T) {
	for _, code := range []hosting.Code{hosting.CodeStorageFull, hosting.CodeUnavailable} {
		t.Run(string(code), func(t *testing.T) {
			w := open(t)
			p := w.project("site")
			live := w.ship(p, "live")
			d := w.push(p)
			w.admit()
			w.objects.onPut(func(key string) error {
				if strings.HasPrefix(key, "manifests/") {
					return hosting.Errorf(code, "planted")
				}
				return nil
			})
			_, err := publish(t.Context(), w.job(d), map[string]string{"index.html": "new"})
			w.refused(err, code)
			w.is(d, hosting.StatusInProgress)
			if w.shows("site.localhost") != live.ID {
				t.Error("the site changed")
			}
			w.objects.onPut(nil)
			w.build(d, "new")
			if w.shows("site.localhost") != d.ID {
				t.Error("the repeated finish did not publish")
			}
		})
	}
}

func TestMissing_IsAnsweredFromTheNewestManifests(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	w.ship(p, "oldest")
	for _, text := range []string{"1", "2", "3", "4"} {
		w.ship(p, text)
	}
	ask := func(d hosting.Deployment, texts ...string) (missing []string) {
		blobs := map[hosting.Digest]string{}
		var r hosting.MissingRequest
		for _, text := range texts {
			ref := hosting.BlobRef{Digest: hosting.DigestOf([]byte(text)), Size: int64(len(text))}
			blobs[ref.Digest] = text
			r.Blobs = append(r.Blobs, ref)
		}
		answer, err := w.job(d).Missing(ctx, r)
		w.ok(err)
		for _, m := range answer.Missing {
			missing = append(missing, blobs[m.Digest])
		}
		return missing
	}
	d := w.push(p)
	w.admit()
	if got := ask(d, "oldest", "new", "3", "new", "4"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("missing: %q", got)
	}
	w.build(d, "5")
	d = w.push(p)
	w.admit()
	if got := ask(d, "oldest", "1"); !slices.Equal(got, []string{"oldest"}) {
		t.Errorf("missing, as the sixth manifest: %q", got)
	}
	w.restart()
	if got := ask(d, "1", "x"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("missing after a restart: %q", got)
	}
	other := w.push(w.project("other"))
	w.admit()
	if got := ask(other, "4"); !slices.Equal(got, []string{"4"}) {
		t.Errorf("another project's blob is known: %q", got)
	}
	for name, r := range map[string]hosting.BlobRef{
		"no digest": {Size: 1}, "too large": {Digest: hosting.DigestOf(nil), Size: hosting.MaxBlob + 1},
		"negative": {Digest: hosting.DigestOf(nil), Size: -1},
	} {
		if _, err := w.job(d).Missing(ctx, hosting.MissingRequest{Blobs: []hosting.BlobRef{r}}); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPutBlob_TakesOnlyWhatItsNameSays(t *testing.T) {
	w := open(t, func(w *world) { w.limits.SiteBytes = 1 << 20 })
	ctx := t.Context()
	d := w.push(w.project("site"))
	w.admit()
	a := w.job(d)
	body := bytes.Repeat([]byte("x"), hosting.MaxBlob+1)
	digest := hosting.DigestOf(body)
	w.refused(a.PutBlob(ctx, digest, int64(len(body)), bytes.NewReader(body)), hosting.CodeTooLarge)
	w.refused(a.PutBlob(ctx, digest, 5, strings.NewReader("other")), hosting.CodeMismatch)
	w.refused(a.PutBlob(ctx, hosting.DigestOf([]byte("long")), 4, strings.NewReader("longer")), hosting.CodeMismatch)
	w.refused(a.PutBlob(ctx, hosting.Digest{}, 1, strings.NewReader("x")), hosting.CodeInvalid)
	w.refused(a.PutBlob(ctx, digest, -1, strings.NewReader("x")), hosting.CodeInvalid)
	if keys := w.objects.keys(t, "blobs/"); len(keys) != 0 {
		t.Fatalf("stored: %v", keys)
	}
	whole := body[:hosting.MaxBlob]
	var err error
	for n := 0; err == nil; n++ {
		if n > 3 {
			t.Fatal("an attempt can upload without end")
		}
		err = a.PutBlob(ctx, hosting.DigestOf(whole), hosting.MaxBlob, bytes.NewReader(whole))
	}
	w.refused(err, hosting.CodeTooLarge)
}

func TestFinish_OfTenAtOnceLeavesTheNewestLive(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 10 })
	p := w.project("site")
	var ds []hosting.Deployment
	for range 10 {
		ds = append(ds, w.push(p))
	}
	w.admit()
	var wg sync.WaitGroup
	for _, d := range ds {
		a := w.job(d)
		inv, blobs := inventory(map[string]string{"index.html": string(d.ID)})
		for digest, text := range blobs {
			w.ok(a.PutBlob(t.Context(), digest, int64(len(text)), strings.NewReader(text)))
		}
		for range 2 { // each of them twice
			wg.Go(func() {
				got, err := a.Finish(t.Context(), hosting.Finish{Inventory: &inv})
				if err != nil || got.Status != hosting.StatusReady {
					t.Errorf("%s: %v", got.Status, err)
				}
			})
		}
	}
	wg.Wait()
	if got := w.shows("site.localhost"); got != ds[9].ID {
		t.Errorf("the site shows %q, want the newest, %q", got, ds[9].ID)
	}
	for _, d := range ds {
		if got := w.shows(d.Label + "--site.localhost"); got != d.ID {
			t.Errorf("the host of %s shows %q", d.ID, got)
		}
	}
}
