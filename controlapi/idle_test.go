package controlapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// pipes is a listener of connections in memory, whose deadlines follow synctest's clock.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// idle serves, in a synctest bubble, a deployment that awaits its upload and so has nothing
// to tell; request is the one that follows it.
func idle(t *testing.T, test func(t *testing.T, p *pipes, request string)) {
	synctest.Test(t, func(t *testing.T) {
		parts := openParts(t, t.TempDir(), nil)
		service := parts.service
		caller := hosting.Caller{Team: hosting.Team{ID: hosting.DefaultTeam}, Role: hosting.RoleOwner, Via: hosting.ViaSocket, Name: "test"}
		project := must[hosting.Project](t)(service.CreateProject(t.Context(), caller, hosting.NewProject{Name: "idle"}))
		d, _, err := service.Deploy(t.Context(), caller, hosting.NewDeployment{Project: project.Slug, Source: hosting.SourceArchive})
		if err != nil {
			t.Fatal(err)
		}
		p := newPipes()
		s := &http.Server{Handler: controlapi.New(controlapi.Config{Deploy: service, Account: parts.people(nil)}).Trusted()}
		var serving sync.WaitGroup
		serving.Go(func() { _ = s.Serve(p) })
		defer func() { _ = s.Close(); serving.Wait() }()
		test(t, p, fmt.Sprintf("GET /api/deployments/%s/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n", d.ID))
	})
}

func TestEvents_PingWhileNothingHappens(t *testing.T) {
	idle(t, func(t *testing.T, p *pipes, request string) {
		conn := p.dial()
		defer conn.Close() //nolint:errcheck // the test is over
		begin := time.Now()
		_, _ = io.WriteString(conn, request)
		r := bufio.NewReader(conn)
		var pings []time.Duration
		for len(pings) < 3 {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, ": ping") {
				pings = append(pings, time.Since(begin))
			}
		}
		for i, at := range pings {
			if want := time.Duration(i+1) * 15 * time.Second; at != want {
				t.Errorf("ping %d came after %v, want %v", i+1, at, want)
			}
		}
	})
}

func TestEvents_CutASlowReaderOff(t *testing.T) {
	idle(t, func(t *testing.T, p *pipes, request string) {
		conn := p.dial()
		defer conn.Close() //nolint:errcheck // the test is over
		_, _ = io.WriteString(conn, request)
		r := bufio.NewReaderSize(conn, 16)
		_, _ = r.ReadString('\n')      // the answer begins,
		<-time.After(12 * time.Second) // and its reader rests for longer than a write may take
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if b, err := io.ReadAll(r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the stream goes on: %q", b)
		}
	})
}

func TestEvents_KeepAReaderWhoIsOnlyLate(t *testing.T) {
	idle(t, func(t *testing.T, p *pipes, request string) {
		conn := p.dial()
		defer conn.Close() //nolint:errcheck // the test is over
		_, _ = io.WriteString(conn, request)
		r := bufio.NewReaderSize(conn, 16)
		_, _ = r.ReadString('\n')
		<-time.After(8 * time.Second)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if b, err := io.ReadAll(r); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(string(b), ": ping") {
			t.Errorf("it was cut off: %q, %v", b, err)
		}
	})
}
