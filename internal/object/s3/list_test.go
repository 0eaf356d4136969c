package s3_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/object/s3"
)

// TestList_AsksForMorePages has more objects than one answer of S3 holds, and others' objects
// between them. They are files: the gateway lists them as well.
func TestList_AsksForMorePages(t *testing.T) {
	g := gateway(t)
	bucket := g.bucket(t)
	dir := filepath.Join(g.dir, bucket)
	if err := os.MkdirAll(filepath.Join(dir, "pre", "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	const n = 2300
	var files sync.WaitGroup
	for _, name := range []string{"other", "pre0", "pre/a b", "pre/b+c", "pre/~"} {
		files.Go(func() {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "pre", "a", fmt.Sprintf("%04d", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files.Wait()
	s := open(t, s3.Config{Endpoint: g.url, Bucket: bucket, Prefix: "pre"})
	for _, c := range []struct {
		after       string
		limit, want int
		first       string
	}{
		{"", 10_000, n, "a/0000"}, {"", 1000, 1000, "a/0000"}, {"", 1001, 1001, "a/0000"}, {"", n, n, "a/0000"},
		{"a/0999", 10_000, n - 1000, "a/1000"}, {"a/\xff", 10, 0, ""}, {"a b", 10, 10, "a/0000"},
	} {
		infos, err := s.List(t.Context(), "", c.after, c.limit)
		if err != nil || len(infos) != c.want {
			t.Fatalf("after %q, %d: %d objects, %v; want %d", c.after, c.limit, len(infos), err, c.want)
		}
		for i, info := range infos {
			if i == 0 && info.Key != c.first || i > 0 && info.Key <= infos[i-1].Key || info.Size != 1 {
				t.Errorf("after %q, %d: object %d is %+v", c.after, c.limit, i, info)
			}
		}
	}
}
