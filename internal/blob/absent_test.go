package blob_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
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

// Of a project with many other blobs a listing shows few of those that are looked for.
func TestAbsent_AsksForFewAmongManyByThemselves(t *testing.T) {
	objects := objecttest.NewFaulty(openObjects(t, t.TempDir()), objecttest.Faults{})
	s := blob.New(objects)
	fill(t, s, project, 0, 5000)
	few := fill(t, s, project, 5000, 50)
	before := objects.Calls()
	wantAbsent(t, s, project, nil, few...)
	if c := objects.Calls(); c.List-before.List != 1 || c.Stat-before.Stat < 30 {
		t.Errorf("%d listings and %d look-ups for 50 blobs of 5050", c.List-before.List, c.Stat-before.Stat)
	}
	before = objects.Calls()
	wantAbsent(t, s, project, nil, few[:10]...)
	if c := objects.Calls(); c.List != before.List || c.Stat-before.Stat != 10 {
		t.Errorf("%d listings and %d look-ups for 10 blobs", c.List-before.List, c.Stat-before.Stat)
	}
}

// forgetful lists nothing of what it has, as a store whose listings come late.
type forgetful struct{ object.Store }

func (forgetful) List(context.Context, string, string, int) ([]object.Info, error) { return nil, nil }

func TestAbsent_BelievesNoListingThatShowsNothing(t *testing.T) {
	objects := openObjects(t, t.TempDir())
	refs := fill(t, blob.New(objects), project, 0, 100)
	wantAbsent(t, blob.New(forgetful{objects}), project, nil, refs...)
}

func TestAbsent_FailsWhereTheStoreDoes(t *testing.T) {
	objects := objecttest.NewFaulty(openObjects(t, t.TempDir()), objecttest.Faults{})
	s := blob.New(objects)
	refs := fill(t, s, project, 0, 100)
	objects.Set(objecttest.Faults{Fail: 1})
	for _, n := range []int{10, 100} {
		_, err := s.Absent(t.Context(), project, refs[:n])
		wantCode(t, "a store that is away", err, hosting.CodeUnavailable)
	}
}
