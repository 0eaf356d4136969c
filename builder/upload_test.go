package builder_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
)

// formsIn returns the compressed forms of the files.
func formsIn(files []hosting.File) map[hosting.Digest]hosting.Form {
	forms := map[hosting.Digest]hosting.Form{}
	for _, f := range files {
		if len(f.Forms) > 1 {
			forms[f.Digest] = f.Forms[1]
		}
	}
	return forms
}

func upload(t *testing.T, c *control, o *builder.Output) (last builder.Progress) {
	t.Helper()
	if err := builder.Upload(t.Context(), c, o, func(p builder.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	return last
}

func TestUpload_CompressesNothingThatControlHasCompressed(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", strings.Repeat("<p>one</p>", 500), "copy.html", strings.Repeat("<p>one</p>", 500),
		"a.js", strings.Repeat("two();", 500), "new.css", strings.Repeat("b{}", 900), "noise.js", noise(3000))
	c := newControl(t, hosting.Job{})
	first := collect(t, dir)
	if p := upload(t, c, first); p.Blobs != 7 || p.Known != 0 || p.TotalBlobs != 7 || p.Bytes != p.TotalBytes {
		t.Errorf("first: %+v", p)
	}
	c.forms = formsIn(first.Files)
	if len(c.forms) != 3 {
		t.Fatalf("control: %d files are compressed", len(c.forms))
	}
	css := hosting.DigestOf([]byte(strings.Repeat("b{}", 900)))
	made := c.forms[css].Parts[0].Digest
	delete(c.forms, css)
	clear(c.asked)

	again := collect(t, dir)
	if p := upload(t, c, again); p.Blobs != 0 || p.Known != 7 {
		t.Errorf("again: %+v", p)
	}
	if !reflect.DeepEqual(again.Files, first.Files) {
		t.Error("what control knew makes another site")
	}
	if _, ok := c.asked[made]; !ok || len(c.asked) != 5 {
		t.Errorf("asked for %d blobs, want the 4 contents and the one that was compressed", len(c.asked))
	}

	// Control said to have what it had not: it is believed once.
	clear(c.blobs)
	upload(t, c, again)
	checkInventory(t, again.Inventory(hosting.FallbackNone, ""), c.blobs)
	if !reflect.DeepEqual(again.Files, first.Files) {
		t.Error("brought again it is another site")
	}
}

// uploads is an object store that takes its time.
type uploads struct {
	*control
	url       string
	now, most atomic.Int64 // blobs on their way
}

func (u *uploads) Missing(ctx context.Context, r hosting.MissingRequest) (hosting.MissingAnswer, error) {
	a, err := u.control.Missing(ctx, r)
	for i := range a.Missing {
		a.Missing[i].URL = u.url
	}
	return a, err
}

func (u *uploads) PutBlob(ctx context.Context, to hosting.BlobUpload, body []byte) error {
	u.most.Store(max(u.most.Load(), u.now.Add(1)))
	defer u.now.Add(-1)
	if err := pause.For(ctx, 20*time.Millisecond); err != nil { // of the bubble's clock
		return err
	}
	return u.control.PutBlob(ctx, to, body)
}

func TestUpload_BringsAsManyAtOnceAsTheirSizeAllows(t *testing.T) {
	for name, c := range map[string]struct {
		size int
		url  string
		want int64
	}{
		"small, to the store":   {100, "https://store.test/x", 64},
		"large, to the store":   {hosting.MaxBlob - 1000, "https://store.test/x", 16},
		"small, to the control": {100, "", 16},
	} {
		t.Run(name, func(t *testing.T) {
			pairs := []string{"index.html", "x"}
			for i := range 100 {
				pairs = append(pairs, fmt.Sprintf("%d.bin", i), strings.Repeat(string(rune('0'+i)), c.size+i))
			}
			dir := write(t, t.TempDir(), pairs...)
			synctest.Test(t, func(t *testing.T) {
				o := collect(t, dir)
				u := &uploads{control: newControl(t, hosting.Job{}), url: c.url}
				if err := builder.Upload(t.Context(), u, o, nil); err != nil {
					t.Fatal(err)
				}
				if got := u.most.Load(); got != c.want {
					t.Errorf("%d at once, want %d", got, c.want)
				}
			})
		})
	}
}
