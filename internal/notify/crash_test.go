//go:build crashpoints

package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/notify"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// TestMain is also the process that the test below kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FAIRWAY_TEST_NOTIFY"); dir != "" {
		if err := sendIn(dir); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// sendIn sends what is due in the folder to the server that the environment names.
func sendIn(dir string) error {
	port, err := strconv.Atoi(os.Getenv("FAIRWAY_TEST_PORT"))
	if err != nil {
		return err
	}
	m, closeAll, err := openIn(dir)
	if err != nil {
		return err
	}
	defer closeAll()
	m.Server = (&postOffice{addr: &net.TCPAddr{Port: port}}).server(notify.Cleartext)
	return notify.New(m).SendDue(context.Background())
}

func openIn(dir string) (notify.Config, func(), error) {
	store, err := bolt.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		return notify.Config{}, nil, err
	}
	key, err := seal.OpenFile(filepath.Join(dir, "key"))
	return notify.Config{DB: state.DB{Store: store}, Ring: seal.NewRing(key)}, func() { _ = store.Close() }, err
}

func TestCrash_LosesNoMailAndRepeatsAtMostOne(t *testing.T) {
	for point, twice := range map[string]int{"mail.claimed:1": 0, "mail.sent:1": 1, "mail.sent:3": 1, "mail.sent:5": 1} {
		t.Run(point, func(t *testing.T) {
			dir, o, w := t.TempDir(), openPostOffice(t, notify.Cleartext, false), newWorld(t)
			cfg, closeAll, err := openIn(dir)
			if err != nil {
				t.Fatal(err)
			}
			w.db, w.now, cfg.Server = cfg.DB, time.Now(), o.server(notify.Cleartext) // the child's clock is the machine's
			for i := range 5 {
				w.queue(notify.New(cfg), fmt.Sprintf("ann%d@example.com", i))
			}
			closeAll()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = append(os.Environ(), "FAIRWAY_TEST_NOTIFY="+dir, "FAIRWAY_CRASH="+point, fmt.Sprintf("FAIRWAY_TEST_PORT=%d", o.addr.Port))
			out, err := cmd.CombinedOutput()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the sender was not killed: %v\n%s", err, out)
			}
			cfg, closeAll, err = openIn(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll()
			w.db, cfg.Server, cfg.Now = cfg.DB, o.server(notify.Cleartext), w.clock
			m := notify.New(cfg)
			w.send(m)
			before := len(o.taken()) // what it had claimed is left alone
			w.wait(notify.Lease + time.Minute)
			w.send(m)
			seen := map[string]int{}
			for _, l := range o.taken() {
				seen[l.id]++
			}
			if len(seen) != 5 || len(o.taken()) != 5+twice || len(w.left()) != 0 || before >= 5+twice {
				t.Errorf("%v, %d before the lease was over, %d left", seen, before, len(w.left()))
			}
		})
	}
}
