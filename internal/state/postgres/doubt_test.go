package postgres

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/servertest"
	"github.com/scale-mesh/fairway/internal/state"
)

// wire is a way to the server that a test can cut.
type wire struct {
	addr string
	// Bytes in one direction are thrown away, and the connection ends with them.
	cutRequests, cutAnswers atomic.Bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: ln.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		w.cutAnswers.Store(true)
		w.cutRequests.Store(true)
	})
	all.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go pass(server, client, &w.cutRequests)
			go pass(client, server, &w.cutAnswers)
		}
	})
	return w
}

func pass(to, from net.Conn, cut *atomic.Bool) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n == 0 || err != nil {
			return
		}
		if cut.CompareAndSwap(true, false) {
			return
		}
		if _, err := to.Write(b[:n]); err != nil && err != io.EOF {
			return
		}
	}
}

// A commit whose answer is lost is asked about: what has happened is a success, and what has
// not is none.
func TestUpdate_FindsOutWhatBecameOfACommit(t *testing.T) {
	for name, tc := range map[string]struct {
		cut  func(*wire)
		kept bool
	}{
		"its answer is lost": {func(w *wire) { w.cutAnswers.Store(true) }, true},
		"it is lost":         {func(w *wire) { w.cutRequests.Store(true) }, false},
		"control":            {func(*wire) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := servertest.Postgres(t)
			w := newWire(t, server.Addr)
			s := open(t, strings.Replace(server.URL("pool_max=3&pool_idle=1"), server.Addr, w.addr, 1))
			if err := put(s, "first", "x"); err != nil { // prepares its statements
				t.Fatal(err)
			}
			err := s.Update(t.Context(), func(tx state.Tx) error {
				err := tx.Put([]byte("a"), []byte("1"))
				tc.cut(w)
				return err
			})
			want := ""
			if tc.kept {
				want = "1"
			}
			if (err == nil) != tc.kept {
				t.Errorf("the Update: %v", err)
			}
			wantValue(t, s, "a", want)
		})
	}
}

func TestUpdate_SaysThatACommitIsInDoubt(t *testing.T) {
	server := servertest.Postgres(t)
	s := open(t, server.URL(""))
	s.doubt = 300 * time.Millisecond
	if err := put(s, "first", "x"); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx state.Tx) error {
		err := tx.Put([]byte("a"), []byte("1"))
		server.Kill()
		return err
	})
	if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "not known") {
		t.Errorf("it says %v", err)
	}
}
