package redis

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object/file"
)

// send appends the lines from number first to last as a job does: it goes on with the number
// that it is answered, and keeps all its lines.
func send(t *testing.T, s *Store, first, last int64) {
	t.Helper()
	for next := first; next <= last; {
		got, err := s.Append(t.Context(), id, next, lines(next, min(next+99, last)))
		if err != nil {
			t.Fatal(err)
		}
		next = got
	}
}

// settle does what a job does at its end: it asks once more what is awaited, has it moved, and
// sends again what is missing then.
func settle(t *testing.T, s *Store, last int64) {
	t.Helper()
	for range 3 {
		next, err := s.Append(t.Context(), id, last+1, nil)
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, next, last)
		if next, err = s.Archive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if next == last+1 {
			return
		}
	}
	t.Fatal("the log is not whole at the end")
}

func (r *rig) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.redis.Addr, MaxRetries: -1, DialerRetries: 1})
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Whatever happens to Redis while a log grows, none of it is lost, as long as the job is there.
func TestStore_LosesNothingThatAJobHas(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(r *rig, s *Store) }{
		"nothing happens": {},
		"it is emptied":   {begin: func(r *rig, _ *Store) { r.client().FlushAll(context.Background()) }},
		"it dies and comes back empty": {
			begin: func(r *rig, _ *Store) { r.redis.Kill() }, end: func(r *rig, s *Store) { r.redis.Start(); ready(s) },
		},
		"it dies for good": {begin: func(r *rig, _ *Store) { r.redis.Kill() }},
		"it hangs, and comes back with what it had": {
			begin: func(r *rig, _ *Store) { r.t.Cleanup(r.redis.Pause()) },
			end:   func(r *rig, s *Store) { r.redis.Continue(); ready(s) },
		},
		"it fills up": {
			begin: func(r *rig, _ *Store) { r.client().ConfigSet(context.Background(), "maxmemory", "1") },
			end:   func(r *rig, _ *Store) { r.client().ConfigSet(context.Background(), "maxmemory", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.open()
			send(t, s, 1, 250)
			if fault.begin != nil {
				fault.begin(r, s)
			}
			send(t, s, 251, 500)
			if fault.end != nil {
				fault.end(r, s)
			}
			send(t, s, 501, 750)
			settle(t, s, 750)
			wantLines(t, s, 750)
			r.redis.Kill() // what the object store has is all of it
			wantLines(t, r.open(), 750)
		})
	}
}

// The control of what Archive is for: who ends without it has lost what only Redis had.
func TestStore_WithoutArchiveIsAsGoodAsRedis(t *testing.T) {
	r := newRig(t)
	send(t, r.open(), 1, 250)
	r.client().FlushAll(t.Context())
	wantLines(t, r.open(), 0)
}

// Processes see what others append, move and delete.
func TestStore_IsOneForAllProcesses(t *testing.T) {
	r := newRig(t)
	a, b := r.open(), r.open()
	wantAppend(t, a, 1, 100, 101)
	wantLines(t, b, 100)
	if next, err := a.Archive(t.Context(), id); next != 101 || err != nil {
		t.Fatalf("moved up to %d, %v", next, err)
	}
	wantAppend(t, b, 101, 200, 201)
	wantAppend(t, b, 90, 210, 211)
	wantLines(t, a, 210)
	if next, err := b.Archive(t.Context(), id); next != 211 || err != nil {
		t.Fatalf("moved up to %d, %v", next, err)
	}
	// The stream is gone, and a knows an old list of pieces.
	r.client().FlushAll(t.Context())
	age(a)
	wantLines(t, a, 210)
	if next, err := a.Next(t.Context(), id); next != 211 || err != nil {
		t.Errorf("next is %d, %v", next, err)
	}
	wantAppend(t, a, 211, 220, 221)
	wantLines(t, b, 220)
	if err := b.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantLines(t, r.open(), 0)
}

// age makes what a process knows of the object store old enough to be asked for again.
func age(s *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		l.mu.Lock()
		l.listed = l.listed.Add(-2 * listEvery)
		l.mu.Unlock()
	}
}

// What is not known must not send a job back, which would replace lines of an earlier attempt.
func TestAppend_FailsWhereItCannotKnow(t *testing.T) {
	r := newRig(t)
	s := r.open()
	send(t, s, 1, 100)
	settle(t, s, 100)
	r.client().FlushAll(t.Context())
	r.objects.down = true
	if next, err := r.open().Append(t.Context(), id, 101, lines(101, 110)); !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("next %d, %v", next, err)
	}
	r.objects.down = false
	wantAppend(t, r.open(), 101, 110, 111)
}

// Redis has a few MiB of a log, however long it is.
func TestAppend_BoundsWhatRedisHolds(t *testing.T) {
	r := newRig(t)
	s := r.open()
	const each, batches = 100, 300
	text := strings.Repeat("a line that is not short. ", 40)
	batch := func(i int64) []hosting.LogLine {
		b := lines(i*each+1, (i+1)*each)
		for j := range b {
			b[j].Text = text
		}
		return b
	}
	most := int64(0)
	for i := range int64(batches) {
		if _, err := s.Append(t.Context(), id, i*each+1, batch(i)); err != nil {
			t.Fatal(err)
		}
		most = max(most, r.client().MemoryUsage(t.Context(), Prefix+string(id)).Val())
	}
	total := int64(len(text)) * each * batches
	if most > 2*pieceBytes || total < 6*pieceBytes {
		t.Errorf("Redis held up to %d bytes of %d", most, total)
	}
	other := r.open()
	for after := int64(0); after < each*batches; {
		page, err := other.Read(t.Context(), id, after, 1000)
		if err != nil || len(page) == 0 {
			t.Fatalf("after %d: %d lines, %v", after, len(page), err)
		}
		for _, l := range page {
			if after++; l.N != after || l.Text != text {
				t.Fatalf("line %d is %d", after, l.N)
			}
		}
	}
}

// The users that docs/operations.md shows can do what is needed, and nothing to what is not ours.
func TestStore_NeedsLittle(t *testing.T) {
	r := newRig(t)
	admin := r.client()
	rules := "on >secret resetchannels resetkeys ~fairway:log:* -@all +ping +hello +select +eval +evalsha +xadd +xrange +xrevrange +xtrim +del +expire"
	args := []any{"ACL", "SETUSER", "control"}
	for _, rule := range strings.Fields(rules) {
		args = append(args, rule)
	}
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: r.redis.Addr, Username: "control", Password: "secret", MaxRetries: -1, DisableIdentity: true})
	defer c.Close()
	s := Open(Config{Client: c, Objects: r.objects})
	defer s.Close()
	send(t, s, 1, 250)
	settle(t, s, 250)
	wantLines(t, s, 250)
	if err := s.Delete(t.Context(), id); err != nil {
		t.Error(err)
	}
	if s.isAway() {
		t.Error("something was refused")
	}
	if err := c.Get(t.Context(), "another").Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("what is not ours: %v", err)
	}
}

// A dead Redis costs a batch its time-out once, and then nothing for a while.
func TestAppend_DoesNotWaitForADeadRedisEachTime(t *testing.T) {
	r := newRig(t)
	s := r.open()
	defer r.redis.Pause()()
	began := time.Now()
	for n := int64(1); n <= 50; n++ {
		wantAppend(t, s, n, n, n+1)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("50 batches took %s", took)
	}
}

func TestPieces_ThatAreDamagedAreSaidToBe(t *testing.T) {
	objects, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer objects.Close()
	r := newRig(t)
	r.objects.Store = objects
	s := r.open()
	send(t, s, 1, 100)
	settle(t, s, 100)
	wrong := pack(lines(2, 100))
	l, _ := s.of(t.Context(), id)
	if err := s.put(t.Context(), l, lines(1, 100)); err != nil { // control: as it was
		t.Fatal(err)
	}
	wantLines(t, r.open(), 100)
	putAs(t, objects, piece{1, 100}.key(id), wrong)
	if _, err := r.open().Read(t.Context(), id, 0, 10); err == nil {
		t.Error("a piece with other lines was read")
	}
	putAs(t, objects, piece{1, 100}.key(id), []byte("not gzip"))
	if _, err := r.open().Read(t.Context(), id, 0, 10); err == nil {
		t.Error("garbage was read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(lines(1, 3)))
	f.Add([]byte(`{"n":1}{"n":3}`))
	f.Add([]byte(`{"n":1,"n":2} null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		again, err := decode(strings.NewReader(string(encode(got))))
		if err != nil || !slices.Equal(got, again) {
			t.Errorf("%q: %v then %v, %v", b, got, again, err)
		}
	})
}
