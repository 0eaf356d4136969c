package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// claimTenAtOnce is main.3: deployments of different projects started together, each log
// followed by two readers, one of which breaks off in the middle and goes on.
func claimTenAtOnce(c *C) {
	const lines = 2000
	s := NewServer(c)
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
