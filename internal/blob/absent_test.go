package blob_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

func wantAbsent(t *testing.T, s *blob.Store, p hosting.ProjectID, want []hosting.BlobRef, refs ...hosting.BlobRef) {
	t.Helper()
	got, err := s.Absent(t.Context(), p, refs)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d of %d are absent, %v; want %d", len(got), len(refs), err, len(want))
	}
}

// fill stores n small blobs, the from-th and those behind it, and returns them by their digests.
func fill(t *testing.T, s *blob.Store, p hosting.ProjectID, from, n int) (refs []hosting.BlobRef) {
	t.Helper()
	for i := range n {
		b := binary.BigEndian.AppendUint64(nil, uint64(from+i))
		put(t, s, p, b)
		refs = append(refs, ref(b))
	}
	slices.SortFunc(refs, func(a, b hosting.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	return refs
}

func TestAbsent_FindsManyByListing(t *testing.T) {
	objects := objecttest.NewFaulty(openObjects(t, t.TempDir()), objecttest.Faults{})
	s := blob.New(objects)
	refs := fill(t, s, project, 0, 2500)
	before := objects.Calls()
	wantAbsent(t, s, project, nil, refs...)
	if c := objects.Calls(); c.List-before.List > 8 || c.Stat != before.Stat {
		t.Errorf("%d listings and %d look-ups for 2500 blobs", c.List-before.List, c.Stat-before.Stat)
	}
	// The first, the last, one between, and one of another size: each is named.
	lost := []hosting.BlobRef{refs[0], refs[1234], {Digest: refs[2000].Digest, Size: 7}, refs[2499]}
	for _, i := range []int{0, 1234, 2499} {
		if err := objects.Delete(t.Context(), "blobs/"+string(project)+"/"+refs[i].Digest.String()); err != nil {
			t.Fatal(err)
		}
	}
	refs[2000].Size = 7
	wantAbsent(t, s, project, lost, refs...)
	wantAbsent(t, s, other, refs, refs...)
}

// crowded is a store of many small objects, which tells how it was asked for them.
type crowded struct {
	object.Store
	keys         []string // in order
	lists, stats atomic.Int64
}

func (c *crowded) List(_ context.Context, _, after string, limit int) (infos []object.Info, _ error) {
	c.lists.Add(1)
	from, found := slices.BinarySearch(c.keys, after)
	if found {
		from++
	}
	for _, key := range c.keys[from:min(from+limit, len(c.keys))] {
		infos = append(infos, object.Info{Key: key, Size: 8})
	}
	return infos, nil
}

func (c *crowded) Stat(_ context.Context, key string) (object.Info, error) {
	c.stats.Add(1)
	if _, ok := slices.BinarySearch(c.keys, key); !ok {
		return object.Info{}, hosting.Errorf(hosting.CodeNotFound, "absent")
	}
	return object.Info{Key: key, Size: 8}, nil
}

// Of a project with many other blobs a listing shows few of those that are looked for, and no
// second one is asked for.
func TestAbsent_AsksForFewAmongManyByThemselves(t *testing.T) {
	c := &crowded{}
	var refs []hosting.BlobRef
	for i := range 40_000 {
		r := ref(binary.BigEndian.AppendUint64(nil, uint64(i)))
		refs = append(refs, r)
		c.keys = append(c.keys, "blobs/"+string(project)+"/"+r.Digest.String())
	}
	slices.Sort(c.keys)
	s := blob.New(c)
	for _, look := range []struct{ n, lists, stats int }{
		{40_000, 50, 0}, // each page reaches further than its span, and the last ones are short
		{20_000, 60, 300}, {400, 1, 400}, {100, 0, 100},
	} {
		c.lists.Store(0)
		c.stats.Store(0)
		wantAbsent(t, s, project, nil, refs[:look.n]...)
		if lists, stats := int(c.lists.Load()), int(c.stats.Load()); lists > look.lists || stats > look.stats || lists+stats == 0 {
			t.Errorf("%d listings and %d look-ups for %d of %d blobs, want at most %d and %d", lists, stats, look.n, len(refs), look.lists, look.stats)
		}
	}
}

// forgetful lists nothing of what it has, as a store whose listings come late.
type forgetful struct{ object.Store }

func (forgetful) List(context.Context, string, string, int) ([]object.Info, error) { return nil, nil }

func TestAbsent_BelievesNoListingThatShowsNothing(t *testing.T) {
	objects := openObjects(t, t.TempDir())
	refs := fill(t, blob.New(objects), project, 0, 300)
	wantAbsent(t, blob.New(forgetful{objects}), project, nil, refs...)
}

func TestAbsent_FailsWhereTheStoreDoes(t *testing.T) {
	objects := objecttest.NewFaulty(openObjects(t, t.TempDir()), objecttest.Faults{})
	s := blob.New(objects)
	refs := fill(t, s, project, 0, 300)
	objects.Set(objecttest.Faults{Fail: 1})
	for _, n := range []int{10, 300} {
		_, err := s.Absent(t.Context(), project, refs[:n])
		wantCode(t, "a store that is away", err, hosting.CodeUnavailable)
	}
}
