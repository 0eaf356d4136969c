package deploy_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestUsage_IsStoredWithTheDeploymentOrNotAtAll(t *testing.T) {
	w := open(t)
	d := w.pushAdmitted(w.project("site"))
	a := w.job(d)
	inv, blobs := inventory(map[string]string{"x": kB("a")})
	for digest, text := range blobs {
		w.ok(a.PutBlob(t.Context(), digest, int64(len(text)), strings.NewReader(text)))
	}
	_, err := a.Missing(t.Context(), refs(blobs))
	w.ok(err)
	w.broken.Store(true)
	if _, err := a.Finish(t.Context(), hosting.Finish{Inventory: &inv}); err == nil {
		t.Fatal("it finished without a store")
	}
	w.restart()
	if u := w.usage(ann); u.Bytes != 0 {
		t.Errorf("usage after the crash: %+v", u)
	}
	for range 2 { // the second time it only answers again
		_, err = w.job(d).Finish(t.Context(), hosting.Finish{Inventory: &inv})
		w.ok(err)
	}
	if u := w.usage(ann); u.Bytes != 1000 {
		t.Errorf("usage: %+v", u)
	}
}

func TestUsage_IsNeverTooSmallAndExactAfterAnHour(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	began := w.clock.Now()
	w.alternate(p)
	before := w.usage(ann)
	if before.Bytes <= 6000 || !before.Measured.Equal(began) {
		t.Errorf("before the count: %+v", before)
	}
	w.clock.pass(time.Hour - time.Second)
	w.ok(w.MeasureDue(ctx))
	if u := w.usage(ann); u.Bytes != before.Bytes {
		t.Errorf("within the hour: %+v", u)
	}
	w.clock.pass(time.Second)
	w.ok(w.MeasureDue(ctx))
	if u := w.usage(ann); u.Bytes != 6000 || !u.Measured.Equal(w.clock.Now()) {
		t.Errorf("after the count: %+v", u)
	}
	w.clock.pass(2 * time.Hour)
	w.objects.onGet(func(key string) error { t.Errorf("%s was read, although the number is exact", key); return nil })
	w.ok(w.MeasureDue(ctx))
}

func TestUsage_OfProjectsFromBeforeThereWereNumbersIsCounted(t *testing.T) {
	w := open(t)
	p := w.project("site")
	w.grow(p, kB("a"))
	w.ok(w.db.Update(t.Context(), func(tx state.Tx) error {
		return w.db.Team(ann.Team.ID).Stored.Delete(tx, state.K(string(p.ID)))
	}))
	if u := w.usage(ann); u.Bytes != 0 || !u.Measured.IsZero() {
		t.Errorf("before: %+v", u)
	}
	w.ok(w.MeasureDue(t.Context()))
	if u := w.usage(ann); u.Bytes != 1000 || u.Measured.IsZero() {
		t.Errorf("after: %+v", u)
	}
}

func TestMeasure_KeepsWhatIsAddedWhileItCounts(t *testing.T) {
	for name, another := range map[string]bool{"by itself": false, "while another count is done first": true} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			ctx := t.Context()
			p := w.project("site")
			w.alternate(p)
			next := w.pushAdmitted(p)
			w.clock.pass(2 * time.Hour)
			w.restart() // forgets which manifests it read, and has the job's lease renewed
			once := sync.OnceFunc(func() {
				w.objects.onGet(nil)
				if another {
					w.ok(w.MeasureDue(ctx))
				}
				_, err := publish(ctx, w.job(next), map[string]string{"x": kB("z")})
				w.ok(err)
			})
			w.objects.onGet(func(key string) error {
				if strings.HasPrefix(key, "manifests/") {
					once()
				}
				return nil
			})
			w.ok(w.MeasureDue(ctx))
			if got := w.usage(ann).Bytes; got != 7000 {
				t.Errorf("%d bytes, want 7000", got)
			}
			w.objects.onGet(nil)
			w.clock.pass(2 * time.Hour)
			w.ok(w.MeasureDue(ctx)) // it still knows that something was added since
			if u := w.usage(ann); u.Bytes != 7000 || !u.Measured.Equal(w.clock.Now()) {
				t.Errorf("counted again: %+v", u)
			}
		})
	}
}

func TestMeasure_OfADamagedProjectLeavesItsNumberAndCountsTheOthers(t *testing.T) {
	w := open(t)
	p, q := w.project("site"), w.project("other")
	w.alternate(p)
	w.alternate(q)
	before := w.usage(ann).Bytes
	w.clock.pass(2 * time.Hour)
	w.restart()
	w.objects.onGet(func(key string) error {
		if strings.Contains(key, string(p.ID)) {
			return hosting.Errorf(hosting.CodeNotFound, "gone")
		}
		return nil
	})
	w.ok(w.MeasureDue(t.Context()))
	if got, want := w.usage(ann).Bytes, before/2+6000; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	w.objects.onGet(func(string) error { return hosting.Errorf(hosting.CodeUnavailable, "down") })
	w.refused(w.MeasureDue(t.Context()), hosting.CodeUnavailable)
}

func TestSizeText_IsForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1 kB", 1500: "1.5 kB", 10_400: "10 kB", 999_999: "1 MB", 5 << 30: "5.4 GB"} {
		if got := deploy.SizeText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
