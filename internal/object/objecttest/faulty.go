package objecttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/pause"
)

// Faults says how a Faulty store misbehaves. Shares lie between 0 and 1; of one Get, at most
// one of the lies is told, so theirs add up to 1 at most.
type Faults struct {
	Seed  uint64
	Delay time.Duration // every call waits a random part of it; a delayed call ends with its context

	Fail float64 // share of calls that fail with CodeUnavailable and do nothing
	Lose float64 // share of Puts and Deletes that fail the same way after they were done

	Short float64 // share of Gets whose body ends early
	Long  float64 // share of Gets whose body goes on
	Wrong float64 // share of Gets with a byte changed
	Stale float64 // share of Gets with the body that was replaced last, where there was one
}

// Calls counts what a Faulty store was asked, and how often it misbehaved.
type Calls struct {
	Get, Put, Stat, Delete, List, Flush int

	Failed, Lost              int
	Short, Long, Wrong, Stale int // lies told
}

// Total is the number of calls.
func (c Calls) Total() int { return c.Get + c.Put + c.Stat + c.Delete + c.List + c.Flush }

// Lies is the number of Gets whose bytes were not those stored.
func (c Calls) Lies() int { return c.Short + c.Long + c.Wrong + c.Stale }

// Faulty is an object.Store in front of another that delays, fails and lies. What happens to
// the n-th call of one kind for one key depends on the seed alone, not on other calls, so a
// test that runs concurrently can be repeated. It keeps two bodies of every key in memory.
type Faulty struct {
	store object.Store

	mu     sync.Mutex
	faults Faults
	calls  Calls
	nth    map[string]uint64
	bodies map[string][2][]byte // put last, and before
}

var (
	_ object.Store   = (*Faulty)(nil)
	_ object.Flusher = (*Faulty)(nil)
)

// NewFaulty returns a store in front of s.
func NewFaulty(s object.Store, f Faults) *Faulty {
	return &Faulty{store: s, faults: f, nth: map[string]uint64{}, bodies: map[string][2][]byte{}}
}

// Set changes the faults of the calls that follow.
func (f *Faulty) Set(faults Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

// Calls returns the counts so far.
func (f *Faulty) Calls() Calls {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// fate is what was decided about one call.
type fate struct {
	Faults
	dice *rand.Rand
	roll float64 // which of the lies is told
}

// begin counts a call, decides about it, waits, and fails it where that was decided.
func (f *Faulty) begin(ctx context.Context, kind, key string, counter *int) (fate, error) {
	f.mu.Lock()
	*counter++
	id := kind + " " + key
	n := f.nth[id]
	f.nth[id]++
	at := fate{Faults: f.faults}
	f.mu.Unlock()
	digest := hosting.DigestOf([]byte(id))
	at.dice = rand.New(rand.NewPCG(at.Seed^binary.LittleEndian.Uint64(digest[:]), n))

	fails := at.dice.Float64() < at.Fail
	at.roll = at.dice.Float64()
	if err := wait(ctx, time.Duration(at.dice.Float64()*float64(at.Delay))); err != nil {
		return at, err
	}
	if fails {
		f.count(&f.calls.Failed)
		return at, errInjected(kind)
	}
	return at, nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return pause.For(ctx, d)
}

func errInjected(kind string) error {
	return hosting.Errorf(hosting.CodeUnavailable, "the object store was told to fail this %s", kind)
}

func (f *Faulty) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

// lose fails a call that was done.
func (f *Faulty) lose(at fate, kind string) error {
	if at.dice.Float64() >= at.Lose {
		return nil
	}
	f.count(&f.calls.Lost)
	return errInjected(kind)
}

// Put stores body, and remembers it for a Get that is to be stale.
func (f *Faulty) Put(ctx context.Context, key string, body io.Reader, check object.Check) error {
	at, err := f.begin(ctx, "put", key, &f.calls.Put)
	if err != nil {
		return err
	}
	kept := bytes.NewBuffer([]byte{}) // of an empty body there is one, too
	if err := f.store.Put(ctx, key, io.TeeReader(body, kept), check); err != nil {
		return err
	}
	f.mu.Lock()
	f.bodies[key] = [2][]byte{kept.Bytes(), f.bodies[key][0]}
	f.mu.Unlock()
	return f.lose(at, "put")
}

// Stat tells whether an object is there, and its size.
func (f *Faulty) Stat(ctx context.Context, key string) (object.Info, error) {
	if _, err := f.begin(ctx, "stat", key, &f.calls.Stat); err != nil {
		return object.Info{}, err
	}
	return f.store.Stat(ctx, key)
}

// Delete removes an object.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	at, err := f.begin(ctx, "delete", key, &f.calls.Delete)
	if err != nil {
		return err
	}
	if err := f.store.Delete(ctx, key); err != nil {
		return err
	}
	return f.lose(at, "delete")
}

// List returns objects in order.
func (f *Faulty) List(ctx context.Context, prefix, after string, limit int) ([]object.Info, error) {
	if _, err := f.begin(ctx, "list", prefix+" "+after, &f.calls.List); err != nil {
		return nil, err
	}
	return f.store.List(ctx, prefix, after, limit)
}

// Flush makes what was put durable, where the store needs that.
func (f *Faulty) Flush(ctx context.Context) error {
	if _, err := f.begin(ctx, "flush", "", &f.calls.Flush); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return object.Flush(ctx, f.store)
}
