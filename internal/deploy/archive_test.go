package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/hosting"
	logredis "github.com/scale-mesh/fairway/internal/logs/redis"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/servertest"
)

// inRedis has the logs in a Redis and the object store's folder.
func inRedis(t *testing.T) (*servertest.Server, *redis.Client, func(*world)) {
	server := servertest.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, DialerRetries: 1})
	objects, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), objects.Close() })
	store := logredis.Open(logredis.Config{Client: client, Objects: objects})
	return server, client, func(w *world) { w.config.Logs = store }
}

// An attempt that Redis made lose lines ends once they are there again; from then on the log is
// whole without Redis.
func TestFinish_AsksForLinesThatWereLost(t *testing.T) {
	server, client, option := inRedis(t)
	w := open(t, option)
	p := w.project("site")
	for name, finish := range map[string]func(d hosting.Deployment, next int64) error{
		"published": func(d hosting.Deployment, next int64) error {
			inv, blobs := inventory(map[string]string{"index.html": "x"})
			for digest, b := range blobs {
				w.ok(w.job(d).PutBlob(t.Context(), digest, int64(len(b)), strings.NewReader(b)))
			}
			_, err := w.job(d).Finish(t.Context(), hosting.Finish{Inventory: &inv, LogNext: next})
			return err
		},
		"failed": func(d hosting.Deployment, next int64) error {
			_, err := w.job(d).Finish(t.Context(), hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailBuild, Reason: "x"}, LogNext: next})
			return err
		},
	} {
		d := w.pushAdmitted(p)
		say := func(first int64, texts ...string) int64 {
			ack, err := w.job(d).AppendLog(t.Context(), batch(first, texts...))
			w.ok(err)
			return ack.Next
		}
		say(1, "a", "b", "c")
		client.FlushAll(t.Context())
		w.refused(finish(d, 4), hosting.CodeIncomplete)
		if w.find(d).Status != hosting.StatusInProgress {
			t.Fatalf("%s: it has ended without its log", name)
		}
		if next := say(4); next != 1 {
			t.Fatalf("%s: line %d is awaited", name, next)
		}
		say(1, "a", "b", "c")
		w.ok(finish(d, 4))
		client.FlushAll(t.Context())
		if got := w.logText(d); len(got) < 3 || strings.Join(got[:3], "") != "abc" {
			t.Errorf("%s: the log is %q", name, got)
		}
	}
	// Whoever does not have its lines any more ends all the same.
	d := w.pushAdmitted(p)
	_, err := w.job(d).AppendLog(t.Context(), batch(1, "a"))
	w.ok(err)
	server.Kill()
	_, err = w.job(d).Finish(t.Context(), hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailBuild, Reason: "x"}})
	w.ok(err)
	w.is(d, hosting.StatusFail)
}

// What could not be archived at the end is archived before its run is forgotten.
func TestReconcile_ForgetsNoRunWhoseLogIsNotArchived(t *testing.T) {
	_, client, option := inRedis(t)
	w := open(t, option)
	d := w.pushAdmitted(w.project("site"))
	_, err := w.job(d).AppendLog(t.Context(), batch(1, "a"))
	w.ok(err)
	_, err = w.Cancel(t.Context(), ann, d.ID)
	w.ok(err)
	// A line that comes so late that nobody archives it.
	_, err = w.config.Logs.Append(t.Context(), d.ID, int64(len(w.logText(d))+1), []hosting.LogLine{{N: int64(len(w.logText(d)) + 1), Stream: "sys", Text: "late"}})
	w.ok(err)
	w.ok(w.StopEnded(t.Context()))
	w.clock.pass(2 * time.Hour)
	w.reconcile()
	client.FlushAll(t.Context())
	if got := w.logText(d); len(got) < 2 || got[len(got)-1] != "late" {
		t.Errorf("the log is %q", got)
	}
}
