package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/state"
)

// signing is an object store that presigns. Its service is the test, which stores what it
// likes.
type signing struct {
	*faulty
	mu     sync.Mutex // guards what follows
	refuse error      // what PresignPut answers, if not nil
	signed []string
	life   time.Duration
}

func withSigning(w *world) { w.signing = &signing{} }

func (s *signing) PresignPut(_ context.Context, key string, check object.Check, life time.Duration) (object.Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return object.Upload{}, s.refuse
	}
	s.signed, s.life = append(s.signed, fmt.Sprintf("%s %d %s", key, check.Size, check.Digest)), life
	return object.Upload{URL: "https://store.test/" + key + "?signature", Headers: map[string]string{"If-None-Match": "*"}}, nil
}

func (s *signing) Probe(context.Context) (object.Enforced, error) {
	return object.Enforced{Taken: true, Bytes: true, Length: true, Once: true}, nil
}

// bring puts an object where the store's service would.
func (s *signing) bring(t *testing.T, url, text string) {
	t.Helper()
	key, ok := strings.CutPrefix(strings.TrimSuffix(url, "?signature"), "https://store.test/")
	if !ok {
		t.Fatalf("%q is no address of the store", url)
	}
	if err := s.Put(t.Context(), key, strings.NewReader(text), object.Check{Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
}

func TestMissing_NamesTheStoresOwnAddresses(t *testing.T) {
	w := open(t, withSigning)
	p := w.project("site")
	d := w.pushAdmitted(p)
	inv, blobs := inventory(map[string]string{"index.html": "hello", "a": "first", "b": "second"})
	answer, err := w.job(d).Missing(t.Context(), refs(blobs))
	w.ok(err)
	if len(answer.Missing) != 3 || w.signing.life != 15*time.Minute {
		t.Fatalf("missing %v, signed for %v", answer.Missing, w.signing.life)
	}
	for _, m := range answer.Missing {
		want := fmt.Sprintf("blobs/%s/%s %d %s", p.ID, m.Digest, len(blobs[m.Digest]), m.Digest)
		if m.Headers["If-None-Match"] != "*" || !slices.Contains(w.signing.signed, want) {
			t.Errorf("%v with %v, want %s in %v", m, m.Headers, want, w.signing.signed)
		}
		w.signing.bring(t, m.URL, blobs[m.Digest])
	}
	d, err = w.job(d).Finish(t.Context(), hosting.Finish{Inventory: &inv})
	w.ok(err)
	if d.Status != hosting.StatusReady || w.shows("site.localhost") != d.ID {
		t.Errorf("the deployment is %s", d.Status)
	}
	// What the manifest names now is not asked for again.
	next := w.pushAdmitted(p)
	answer, err = w.job(next).Missing(t.Context(), refs(blobs))
	w.ok(err)
	if len(answer.Missing) != 0 {
		t.Errorf("missing again: %v", answer.Missing)
	}
}

func TestMissing_NamesTheAPIWhereTheStoreSignsNothing(t *testing.T) {
	w := open(t, withSigning)
	d := w.pushAdmitted(w.project("site"))
	_, blobs := inventory(map[string]string{"a": "first", "b": "second"})
	for _, refuse := range []error{object.ErrNotPresigned, errors.New("no keys"), nil} {
		w.signing.refuse = refuse
		answer, err := w.job(d).Missing(t.Context(), refs(blobs))
		w.ok(err)
		if len(answer.Missing) != 2 {
			t.Fatalf("%v: missing %v", refuse, answer.Missing)
		}
		for _, m := range answer.Missing {
			if signed := m.URL != ""; signed != (refuse == nil) {
				t.Errorf("where the store says %v: %v", refuse, m)
			}
		}
	}
}

// An attempt can have a few times as much signed as a site may hold; what it brings by the API
// is counted by itself, and a blob without bytes needs no signature.
func TestMissing_SignsNoMoreThanAFewSites(t *testing.T) {
	w := open(t, withSigning, func(w *world) { w.limits = hosting.Limits{SiteBytes: 100} })
	d := w.pushAdmitted(w.project("site"))
	a := w.job(d)
	signs := func(text string) bool {
		t.Helper()
		answer, err := a.Missing(t.Context(), hosting.MissingRequest{Blobs: []hosting.BlobRef{{Digest: hosting.DigestOf([]byte(text)), Size: int64(len(text))}}})
		w.ok(err)
		if len(answer.Missing) != 1 {
			t.Fatalf("missing %v", answer.Missing)
		}
		return answer.Missing[0].URL != ""
	}
	big := strings.Repeat("x", 100)
	for range 3 {
		if !signs(big) {
			t.Error("control: not signed")
		}
	}
	if signs(big) || signs("") {
		t.Error("signed beyond the limit")
	}
	w.ok(a.PutBlob(t.Context(), hosting.DigestOf([]byte(big)), 100, strings.NewReader(big)))
}

// TestFinish_BelievesNoUploadThatItDidNotSee: of two blobs one was never uploaded, or has another
// size, and is named; then it is right.
func TestFinish_BelievesNoUploadThatItDidNotSee(t *testing.T) {
	for name, wrong := range map[string]func(w *world, url string){
		"never uploaded":  func(*world, string) {},
		"one byte longer": func(w *world, url string) { w.signing.bring(w.t, url, "second!") },
		"empty":           func(w *world, url string) { w.signing.bring(w.t, url, "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, withSigning)
			d := w.pushAdmitted(w.project("site"))
			a := w.job(d)
			inv, blobs := inventory(map[string]string{"index.html": "first", "b": "second"})
			answer, err := a.Missing(t.Context(), refs(blobs))
			w.ok(err)
			second := hosting.DigestOf([]byte("second"))
			var url string
			for _, m := range answer.Missing {
				if m.Digest == second {
					url = m.URL
					wrong(w, url)
					continue
				}
				w.signing.bring(t, m.URL, blobs[m.Digest])
			}
			_, err = a.Finish(t.Context(), hosting.Finish{Inventory: &inv})
			w.refused(err, hosting.CodeIncomplete)
			if !strings.Contains(err.Error(), "1 blobs") || !strings.Contains(err.Error(), second.String()) {
				t.Errorf("the error is %v", err)
			}
			w.is(d, hosting.StatusInProgress)
			w.ok(a.PutBlob(t.Context(), second, 6, strings.NewReader("second"))) // which replaces what is there
			_, err = a.Finish(t.Context(), hosting.Finish{Inventory: &inv})
			w.ok(err)
		})
	}
}

// An upload that was signed before its project was deleted may be made after it.
func TestTrash_TakesWhatComesInByOldSignatures(t *testing.T) {
	w := open(t, withSigning)
	ctx := t.Context()
	d := w.pushAdmitted(w.project("site"))
	_, blobs := inventory(map[string]string{"a": "late"})
	answer, err := w.job(d).Missing(ctx, refs(blobs))
	w.ok(err)
	w.deleted(ctx, ann, "site")
	w.ok(w.EmptyTrash(ctx))
	w.signing.bring(t, answer.Missing[0].URL, "late")
	w.clock.pass(29 * time.Minute)
	w.ok(w.EmptyTrash(ctx))
	if keys := w.objects.keys(t, "blobs/"); len(keys) != 1 {
		t.Fatalf("void: the store holds %v", keys)
	}
	w.clock.pass(2 * time.Minute)
	w.ok(w.EmptyTrash(ctx))
	if keys := w.objects.keys(t, "blobs/"); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
	if due := w.trash(); len(due) != 0 {
		t.Errorf("the trash still has %v", due)
	}
}

// trash returns the projects of which something is left.
func (w *world) trash() (projects []hosting.ProjectID) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx state.Tx) error {
		rows, err := w.db.System().Trash.List(tx, "", "", 10)
		for _, t := range rows {
			projects = append(projects, t.Project)
		}
		return err
	}))
	return projects
}

// shipCompressed publishes a page with a compressed form that only its job vouches for.
func (w *world) shipCompressed(p hosting.Project, target hosting.Target, page, packed string) {
	w.t.Helper()
	d, _, err := w.Deploy(w.t.Context(), ann, hosting.NewDeployment{Project: string(p.ID), Target: target})
	w.ok(err)
	w.admit()
	w.bringCompressed(w.job(d), page, packed)
}

func (w *world) bringCompressed(a *deploy.Attempt, page, packed string) {
	w.t.Helper()
	ctx := w.t.Context()
	inv, blobs := inventory(map[string]string{"index.html": page})
	ref := hosting.BlobRef{Digest: hosting.DigestOf([]byte(packed)), Size: int64(len(packed))}
	inv.Files[0].Forms = append(inv.Files[0].Forms, hosting.Form{Encoding: hosting.EncodingBrotli, Size: ref.Size, Parts: []hosting.BlobRef{ref}})
	blobs[ref.Digest] = packed
	for digest, text := range blobs {
		w.ok(a.PutBlob(ctx, digest, int64(len(text)), strings.NewReader(text)))
	}
	_, err := a.Finish(ctx, hosting.Finish{Inventory: &inv})
	w.ok(err)
}

// A job may claim of any bytes that they are a file compressed. So what a preview says of a file, or
// who brings finished files, is told to no other job, whose site would show it to whoever accepts br.
func TestMissing_NamesTheCompressedFormsOfBuildsForProductionAlone(t *testing.T) {
	w := open(t)
	p := w.project("site")
	w.shipCompressed(p, hosting.TargetProduction, "a page of production", "packed")
	w.shipCompressed(p, hosting.TargetPreview, "a page of a preview", "evil")
	w.shipCompressed(p, hosting.TargetPreview, "a page of production", "worse")
	files, up, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: string(p.ID), Source: hosting.SourceFiles})
	w.ok(err)
	uploader, err := w.Attempt(t.Context(), files.ID, up.Token)
	w.ok(err)
	w.bringCompressed(uploader, "a page of an uploader", "as evil")
	for _, target := range []hosting.Target{hosting.TargetProduction, hosting.TargetPreview} {
		d, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: string(p.ID), Target: target})
		w.ok(err)
		w.admit()
		answer, err := w.job(d).Missing(t.Context(), hosting.MissingRequest{Files: []hosting.Digest{
			hosting.DigestOf([]byte("a page of production")), hosting.DigestOf([]byte("a page of a preview")), hosting.DigestOf([]byte("an unknown one")),
			hosting.DigestOf([]byte("a page of an uploader")), hosting.DigestOf([]byte("a page of production")),
		}})
		w.ok(err)
		packed := hosting.DigestOf([]byte("packed"))
		if f := answer.Forms; len(f) != 1 || f[0].File != hosting.DigestOf([]byte("a page of production")) ||
			f[0].Form.Encoding != hosting.EncodingBrotli || len(f[0].Form.Parts) != 1 || f[0].Form.Parts[0].Digest != packed {
			t.Errorf("for %s: %+v", target, f)
		}
	}
	other := w.pushAdmitted(w.project("other"))
	answer, err := w.job(other).Missing(t.Context(), hosting.MissingRequest{Files: []hosting.Digest{hosting.DigestOf([]byte("a page of production"))}})
	w.ok(err)
	if len(answer.Forms) != 0 {
		t.Errorf("another project's: %+v", answer.Forms)
	}
	_, err = w.job(other).Missing(t.Context(), hosting.MissingRequest{Files: make([]hosting.Digest, 10_001)})
	w.refused(err, hosting.CodeTooLarge)
}
