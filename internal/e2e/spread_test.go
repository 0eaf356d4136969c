package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// redis starts one of the test's own, and returns its address.
func (f *fleet) redis(args ...string) string {
	f.Helper()
	dir := f.TempDir()
	return f.run("redis-server", func(addr string) []string {
		host, port, _ := net.SplitHostPort(addr)
		return append([]string{"--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--dir", dir}, args...)
	})
}

// spread publishes n versions, and returns how long each took from the answer of the API to the
// last edge's first new byte.
func (f *fleet) spread(edges []*Server, version *int, n int) (took []time.Duration) {
	f.Helper()
	api := f.control.Client()
	defer api.Close()
	visitors := make([]func() bool, len(edges))
	for i, e := range edges {
		v := e.Visitor(1)
		defer v.CloseIdleConnections()
		visitors[i] = func() bool {
			body, resp, err := fetch(v, e.Site("shop")+"/")
			return err == nil && resp.StatusCode == 200 && strings.Contains(body, fmt.Sprintf("version %d<", *version))
		}
	}
	for range n {
		*version++
		if err := f.control.publishBundle(context.Background(), api, "shop", *version); err != nil {
			f.Fatal(err)
		}
		answered := time.Now()
		var all sync.WaitGroup
		for _, shows := range visitors {
			all.Go(func() {
				// Not without a pause: who asks all the time takes the processor from what is timed.
				tick := time.NewTicker(2 * time.Millisecond)
				defer tick.Stop()
				for ; !shows(); <-tick.C {
					if time.Since(answered) > 30*time.Second {
						f.Errorf("after 30 s an edge does not show version %d", *version)
						return
					}
				}
			})
		}
		all.Wait()
		took = append(took, time.Since(answered))
	}
	return took
}

// claimSpread is cloud.2: a control plane and three edges as processes of their own, with S3,
// Redis and PostgreSQL between them. How soon all edges show what was
// published, with Redis and without; and an edge that was cut off, or comes late, shows the same.
func claimSpread(c *C) {
	f := newFleet(c)
	_, state := f.database()
	bell := f.redis()
	ring := "FAIRWAY_BELL=redis://" + bell
	f.withControl(append(state, "FAIRWAY_LOGS=redis://"+bell)...)
	f.project(context.Background(), "shop")
	way := f.toxic("cut", f.gateway)
	edges := []*Server{f.edge(f.gateway, ring), f.edge(f.gateway, ring), f.edge(way.addr, ring)}
	version := 0
	f.spread(edges, &version, 3) // opens connections
	took := f.spread(edges, &version, c.Size)
	bare := f.bare()

	way.up(false)
	f.spread(edges[:2], &version, max(20, c.Size))
	way.up(true)
	late := f.edge(f.gateway, ring)
	text := fmt.Sprintf("version %d<", version)
	for _, e := range []*Server{edges[2], late} {
		e.until("shop", text)
	}
	silent := []*Server{f.edge(f.gateway), f.edge(f.gateway)}
	for _, e := range silent {
		e.until("shop", text)
	}
	polled := f.spread(silent, &version, max(3, c.Size/20))
	c.Figure("%d publishes, 3 edges, S3, Redis and PostgreSQL: from the answer to the last edge's first new byte p50 %.1f ms, p99 %.1f ms; a bare Put and Get in the same run %.1f ms; without Redis p99 %.0f ms (edges ask every 2 s); an edge that was cut off from the store for %d publishes, and one that came late, show the same",
		c.Size, ms(quantile(took, 0.5)), ms(quantile(took, 0.99)), ms(bare), ms(quantile(polled, 0.99)), max(20, c.Size))
	if p50, p99 := quantile(took, 0.5)-bare, quantile(took, 0.99)-bare; *prove && (p50 > 30*time.Millisecond || p99 > 150*time.Millisecond) {
		c.Errorf("beyond the bare Put and Get: p50 %v, want at most 30 ms; p99 %v, want at most 150 ms", p50, p99)
	}
	if q := quantile(polled, 1); q > 4*time.Second {
		c.Errorf("without Redis it took %v", q)
	}
	if quantile(polled, 0.5) < 2*quantile(took, 0.5) {
		c.Errorf("void: without Redis it takes %v, with it %v: it makes no difference", quantile(polled, 0.5), quantile(took, 0.5))
	}
}
