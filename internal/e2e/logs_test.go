package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// claimTenAtOnce is main.3: deployments of different projects started together, each log
// followed by two readers, one of which breaks off in the middle and goes on; for every
// other one a third does so by the web socket.
func claimTenAtOnce(c *C) {
	const lines = 2000
	s := NewServer(c, unlimited)
	s.Owner() // the web sockets come over the network, which is shut before
	forge := NewForge(c)
	api := s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	var repos []string
	for i := range c.Size {
		url, _ := forge.Push(fmt.Sprintf("project-%d", i), buildingSite(fmt.Sprintf("site %d", i), lines))
		repos = append(repos, url)
	}
	started := time.Now()
	var all sync.WaitGroup
	for i, repo := range repos {
		all.Go(func() {
			answer, err := api.Deploy(ctx, hosting.NewDeployment{GitURL: repo})
			if err != nil {
				c.Errorf("deploy %d: %v", i, err)
				return
			}
			var readers sync.WaitGroup
			readers.Go(func() { c.reader(ctx, s, answer.ID, lines, false) })
			readers.Go(func() { c.reader(ctx, s, answer.ID, lines, true) })
			if i%2 == 0 {
				readers.Go(func() { c.socketReader(ctx, s, answer.ID, lines) })
			}
			readers.Wait()
			s.readyAs(ctx, c, api, answer.ID, fmt.Sprintf("project-%d", i), fmt.Sprintf("site %d", i))
		})
	}
	all.Wait()
	c.Figure("%d deployments of %d lines, each followed by 2 readers, all READY in %.1f s", c.Size, lines, time.Since(started).Seconds())
}

// reader follows a log to its end and checks that it got every line of the build once, in
// order. One that breaks off does so after a third, and goes on from its last line.
func (c *C) reader(ctx context.Context, s *Server, id hosting.DeploymentID, lines int, breaks bool) {
	api := s.Client()
	defer api.Close()
	var last int64
	next, ended := 1, false
	broke := !breaks
	for !ended {
		lastBefore := last
		for ev, err := range api.Watch(ctx, id, last) {
			if err != nil {
				c.Errorf("following %s after line %d: %v", id, last, err)
				return
			}
			if ev.End {
				ended = true
			}
			if ev.Line == nil {
				continue
			}
			if ev.Line.N != last+1 {
				c.Errorf("%s: line %d came after line %d", id, ev.Line.N, last)
				return
			}
			last = ev.Line.N
			if strings.HasPrefix(ev.Line.Text, "line ") {
				if want := fmt.Sprintf("line %d of %d", next, lines); ev.Line.Text != want {
					c.Errorf("%s: got %q, want %q", id, ev.Line.Text, want)
					return
				}
				next++
			}
			if !broke && next > lines/3 {
				broke = true
				break
			}
		}
		if !ended && last == lastBefore {
			c.Errorf("%s: the log broke off after line %d", id, last)
			return
		}
	}
	if next != lines+1 {
		c.Errorf("%s: %d of %d lines came", id, next-1, lines)
	}
}

// socketReader follows a log by the web socket, over the network and with the token, breaks
// off in the middle and goes on behind its last line.
func (c *C) socketReader(ctx context.Context, s *Server, id hosting.DeploymentID, lines int) {
	token, err := os.ReadFile(filepath.Join(s.Data, "token"))
	if err != nil {
		c.Error(err)
		return
	}
	var last int64
	next := 1
	for broke := false; ; broke = true {
		url := fmt.Sprintf("ws://localhost:%d/api/deployments/%s/logs/socket?after=%d", s.HTTP, id, last)
		ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{
			HTTPClient: s.Visitor(1), HTTPHeader: http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(token))}},
		})
		if err != nil {
			c.Errorf("%s: the web socket: %v", id, err)
			return
		}
		for broke || next <= lines/2 {
			var m struct {
				Type string
				Line hosting.LogLine
			}
			if err := wsjson.Read(ctx, ws, &m); err != nil {
				c.Errorf("%s: the web socket after line %d: %v", id, last, err)
				return
			}
			if m.Type == "end" {
				_ = ws.CloseNow()
				if next != lines+1 {
					c.Errorf("%s: %d of %d lines came by the web socket", id, next-1, lines)
				}
				return
			}
			if m.Type != "log" {
				continue
			}
			if m.Line.N != last+1 {
				c.Errorf("%s: line %d came after line %d by the web socket", id, m.Line.N, last)
				return
			}
			last = m.Line.N
			if m.Line.Text == fmt.Sprintf("line %d of %d", next, lines) {
				next++
			}
		}
		_ = ws.CloseNow()
	}
}

// readyAs checks that a deployment is READY and shown by its site.
func (s *Server) readyAs(ctx context.Context, c *C, api *client.Client, id hosting.DeploymentID, site, text string) {
	d, err := api.FindDeployment(ctx, id)
	if err != nil || d.Status != hosting.StatusReady {
		c.Errorf("%s is %s %s %s: %v", id, d.Status, d.Code, d.Reason, err)
		return
	}
	v := s.Visitor(1)
	defer v.CloseIdleConnections()
	for _, url := range []string{s.Site(site), d.URL} {
		body, resp, err := fetch(v, url)
		if err != nil || resp.StatusCode != 200 || !strings.Contains(body, text) {
			c.Errorf("GET %s: %v %.200s", url, err, body)
		}
	}
}
