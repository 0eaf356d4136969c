package logstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// deployment returns one of many ids.
func deployment(i int) hosting.DeploymentID {
	const digits = "abcdefghijklmnopqrstuvwxyz"
	return hosting.DeploymentID("dpl_" + string([]byte{digits[i/26%26], digits[i%26]}))
}

func testManyLogs(t *testing.T, b *bench) {
	const many = 150 // more than an implementation keeps open
	for round := range int64(3) {
		for i := range many {
			wantAppend(t, b, deployment(i), lines(round*3+1, round*3+3, string(deployment(i))), round*3+4)
		}
	}
	check := func() {
		for i := range many {
			wantLog(t, b, deployment(i), lines(1, 9, string(deployment(i))))
		}
	}
	check()
	b.restart()
	check()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := range many {
				want := lines(3, 7, string(deployment(i)))
				if got, err := b.Read(t.Context(), deployment(i), 2, 5); err != nil || !slices.Equal(got, want) {
					t.Errorf("log %d: %s, %v", i, difference(got, want), err)
				}
			}
		})
	}
	readers.Wait()
}

// testModel holds the store to the simplest thing that keeps the contract: slices.
func testModel(t *testing.T, b *bench) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, seed))
	model := map[hosting.DeploymentID][]hosting.LogLine{}
	for step := range 600 {
		id := deployment(r.IntN(5))
		known := model[id]
		next := int64(len(known)) + 1
		switch r.IntN(20) {
		case 0:
			b.restart()
		case 1:
			if err := b.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			delete(model, id)
		case 2, 3, 4, 5, 6:
			after, limit := int64(r.IntN(len(known)+3)), r.IntN(100)
			from := min(after, next-1)
			wantRead(t, b, id, after, limit, known[from:min(from+int64(limit), next-1)])
		default:
			first := max(1, next-5+r.Int64N(8))
			batch := lines(first, first+r.Int64N(80)-1, fmt.Sprint("step", step))
			if first <= next {
				known = append(known, batch[min(next-first, int64(len(batch))):]...)
			}
			model[id] = known
			if got, err := b.Append(t.Context(), id, first, batch); err != nil || got != int64(len(known))+1 {
				t.Fatalf("step %d: append %d lines from %d to %d: next %d, %v", step, len(batch), first, next-1, got, err)
			}
		}
	}
	for id, want := range model {
		wantLog(t, b, id, want)
	}
}

func testFollow(t *testing.T, b *bench) {
	const last = 1500
	all := lines(1, last, "line")
	var acked sync.Map // nothing is read that was not appended before
	var workers sync.WaitGroup
	workers.Go(func() {
		for from := 0; from < last; {
			to := min(from+1+from%17, last)
			acked.Store("given", to)
			if _, err := b.Append(t.Context(), id, int64(from)+1, all[from:to]); err != nil {
				t.Errorf("append: %v", err)
				return
			}
			from = to
		}
	})
	for f := range 4 {
		workers.Go(func() {
			if err := follow(t.Context(), b, all, 1+f*40, &acked); err != nil {
				t.Errorf("follower %d: %v", f, err)
			}
		})
	}
	workers.Wait()
}

func follow(ctx context.Context, b *bench, want []hosting.LogLine, limit int, acked *sync.Map) error {
	for seen := 0; seen < len(want); {
		got, err := b.Read(ctx, id, int64(seen), limit)
		if err != nil {
			return err
		}
		given, _ := acked.Load("given")
		if n, _ := given.(int); seen+len(got) > n {
			return fmt.Errorf("read up to %d, only %d were given", seen+len(got), n)
		}
		if !slices.Equal(got, want[seen:seen+len(got)]) {
			return fmt.Errorf("after %d: %s", seen, difference(got, want[seen:seen+len(got)]))
		}
		seen += len(got)
	}
	return nil
}

// testSerial lets writers race to append the same numbers: each line is one writer's, whole.
func testSerial(t *testing.T, b *bench) {
	const writers, last = 6, 300
	var workers sync.WaitGroup
	for w := range writers {
		workers.Go(func() {
			all := lines(1, last, fmt.Sprint("writer", w))
			for next := int64(1); next <= last; {
				var err error
				if next, err = b.Append(t.Context(), id, next, all[next-1:min(next+9, last)]); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	workers.Wait()
	got, err := b.Read(t.Context(), id, 0, last+1)
	if err != nil || len(got) != last {
		t.Fatalf("%d lines, %v; want %d", len(got), err, last)
	}
	b.restart()
	wantLog(t, b, id, got)
}

func testDeleteDuringCalls(t *testing.T, b *bench) {
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for ctx.Err() == nil {
				got, err := b.Read(t.Context(), id, 0, 1000)
				if want := lines(1, int64(len(got)), "line"); err != nil || !slices.Equal(got, want) {
					t.Errorf("read: %s, %v", difference(got, want), err)
					return
				}
			}
		})
	}
	for range 40 {
		var pair sync.WaitGroup
		pair.Go(func() {
			if _, err := b.Append(t.Context(), id, 1, lines(1, 100, "line")); err != nil {
				t.Errorf("append: %v", err)
			}
		})
		pair.Go(func() {
			if err := b.Delete(t.Context(), id); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
		pair.Wait()
	}
	stop()
	workers.Wait()
	wantAppend(t, b, id, lines(1, 100, "line"), 101)
	wantLog(t, b, id, lines(1, 100, "line"))
}
