package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/routes"
)

// crowdedSource has a site and a pointer for each of n projects, and counts what it is asked.
type crowdedSource struct {
	n     int
	asked atomic.Int64
}

func crowdedProject(i int) hosting.ProjectID {
	return hosting.ProjectID(fmt.Sprintf("prj_%026d", i))
}

func crowdedHost(i int) string { return fmt.Sprintf("site%07d.localhost", i) }

func crowdedChange(i, version int) hosting.Change {
	p := crowdedProject(i)
	return hosting.Change{
		Sites: []hosting.Site{{Name: fmt.Sprintf("site%07d", i), Project: p, State: hosting.SiteActive}},
		Pointers: []hosting.Pointer{{
			Project: p, Name: hosting.PointerProduction, Deployment: hosting.DeploymentID(fmt.Sprintf("dpl_%026d", i)),
			Manifest: hosting.DigestOf(fmt.Append(nil, i, version)), Order: uint64(version),
		}},
	}
}

func (s *crowdedSource) Changes(_ context.Context, after hosting.Mark, _ int) ([]hosting.Change, bool, error) {
	s.asked.Add(1)
	return nil, after.Epoch == 1, nil
}

func (s *crowdedSource) Snapshot(ctx context.Context, fn func(hosting.Change) error) (hosting.Mark, error) {
	s.asked.Add(1)
	const piece = 5000
	for from := 0; from < s.n; from += piece {
		var all hosting.Change
		for i := from; i < min(from+piece, s.n); i++ {
			c := crowdedChange(i, 1)
			all.Sites, all.Pointers = append(all.Sites, c.Sites...), append(all.Pointers, c.Pointers...)
		}
		if err := fn(all); err != nil {
			return hosting.Mark{}, err
		}
		if ctx.Err() != nil {
			return hosting.Mark{}, ctx.Err()
		}
	}
	return hosting.Mark{Epoch: 1, Seq: 1}, nil
}

// fill makes a table of so many sites in a folder, and closes it.
func (c *C) fill(dir string, sites int) time.Duration {
	c.Helper()
	began := time.Now()
	t, err := routes.Open(routes.Config{Path: filepath.Join(dir, "routes.db"), Domain: "localhost"})
	if err != nil {
		c.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { _ = t.Follow(ctx, &crowdedSource{n: sites}, local.New()) })
	if err := t.Wait(ctx, hosting.Mark{Epoch: 1, Seq: 1}); err != nil {
		c.Fatal(err)
	}
	cancel()
	following.Wait()
	if err := t.Close(); err != nil {
		c.Fatal(err)
	}
	return time.Since(began)
}

var rssAnon = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

// anonymous is the memory of this process that is no file's, in bytes.
func anonymous(c *C) int64 {
	c.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	m := rssAnon.FindSubmatch(b)
	if err != nil || m == nil {
		c.Fatal("there is no RssAnon", err)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		c.Fatal(err)
	}
	return n << 10
}

// claimRecords is edge.3: a table of a million records starts at once, and is as fast as one
// of ten. A site is two records.
func claimRecords(c *C) {
	sites := c.Size / 2
	dir, few := c.TempDir(), c.TempDir()
	took := c.fill(dir, sites)
	c.fill(few, 10)
	info, err := os.Stat(filepath.Join(dir, "routes.db"))
	if err != nil {
		c.Fatal(err)
	}
	before := anonymous(c)
	began := time.Now()
	t, err := routes.Open(routes.Config{Path: filepath.Join(dir, "routes.db"), Domain: "localhost"})
	start := time.Since(began)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = t.Close() }()
	c.Figure("%d records (a file of %.0f MB, filled by a snapshot in %.1f s): start %.0f ms", c.Size, float64(info.Size())/1e6, took.Seconds(), ms(start))
	if *prove && start > time.Second {
		c.Errorf("the start took %v, want at most 1 s", start)
	}

	warm := c.Rand.Perm(sites)[:min(sites, 20_000)]
	quiet := c.lookups(t, warm)
	busy, applied := c.lookupsBeside(t, warm, sites)
	c.Figure("warm look-up: p50 %v, p99 %v; beside %d changes (1,000 a second): p50 %v, p99 %v", quantile(quiet, 0.5), quantile(quiet, 0.99), applied, quantile(busy, 0.5), quantile(busy, 0.99))
	if *prove && (quantile(quiet, 0.99) > 50*time.Microsecond || quantile(busy, 0.99) > 50*time.Microsecond) {
		c.Errorf("p99 of a warm look-up is above 50 us")
	}
	c.unknownHosts(t)
	grown := anonymous(c) - before
	c.Figure("RssAnon grew by %.0f MB, with the hosts that are cached", float64(grown)/1e6)
	if *prove && grown > 256<<20 {
		c.Errorf("RssAnon grew by %d bytes, want at most 256 MiB", grown)
	}
	c.asFastAsTen(t, few)
}

// lookups times look-ups of hosts that were looked up before.
func (c *C) lookups(t *routes.Table, warm []int) (took []time.Duration) {
	c.Helper()
	hosts := make([]string, len(warm))
	for i, n := range warm {
		hosts[i] = crowdedHost(n)
		if _, ok := t.Lookup(hosts[i]); !ok {
			c.Fatalf("%s is not found", hosts[i])
		}
	}
	took = make([]time.Duration, 0, 200_000)
	for len(took) < cap(took) {
		host := hosts[c.Rand.IntN(len(hosts))]
		began := time.Now()
		r, ok := t.Lookup(host)
		took = append(took, time.Since(began))
		if !ok || r.Host != host {
			c.Fatalf("%s is not found", host)
		}
	}
	return took
}

// lookupsBeside does the same for three seconds while 1,000 changes a second are applied.
func (c *C) lookupsBeside(t *routes.Table, warm []int, sites int) (took []time.Duration, applied int) {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	var applying sync.WaitGroup
	rnd := rand.New(rand.NewPCG(c.Rand.Uint64(), 3))
	applying.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			changes := make([]hosting.Change, 100)
			at := t.Mark()
			for i := range changes {
				at.Seq++
				changes[i] = crowdedChange(rnd.IntN(sites), int(at.Seq))
				changes[i].Mark = at
			}
			if err := t.Apply(changes); err != nil {
				c.Error(err)
				return
			}
			applied += len(changes)
		}
	})
	for ctx.Err() == nil {
		host := crowdedHost(warm[c.Rand.IntN(len(warm))])
		began := time.Now()
		_, ok := t.Lookup(host)
		took = append(took, time.Since(began))
		if !ok {
			c.Fatalf("%s is not found", host)
		}
		if len(took)%1000 == 0 {
			<-time.After(time.Millisecond) // a server has more to do than to look up
		}
	}
	applying.Wait()
	if applied < 1000 {
		c.Errorf("void: only %d changes were applied", applied)
	}
	return took, applied
}

// unknownHosts asks for hosts that there are not. The source is followed meanwhile, and asked
// no more often than without them; that it counts is the control.
func (c *C) unknownHosts(t *routes.Table) {
	c.Helper()
	n := min(c.Size, 1_000_000)
	src := &crowdedSource{}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { _ = t.Follow(ctx, src, local.New()) })
	began := time.Now()
	for i := range n {
		if _, ok := t.Lookup(fmt.Sprintf("nobody%d.localhost", i)); ok {
			c.Fatal("an unknown host is found")
		}
	}
	took := time.Since(began)
	cancel()
	following.Wait()
	asked, polls := src.asked.Load(), int64(took/(2*time.Second))+2
	if asked == 0 || asked > polls {
		c.Errorf("%d calls of the source in %v, want 1 to %d: one at the start, and one every 2 s", asked, took, polls)
	}
	c.Figure("%d look-ups of unknown hosts: %v each, the source was asked %d times, as without them", n, took/time.Duration(n), asked)
}

// asFastAsTen serves one hot site over HTTP by the large table and by one of ten sites, in turns.
func (c *C) asFastAsTen(t *routes.Table, few string) {
	c.Helper()
	small, err := routes.Open(routes.Config{Path: filepath.Join(few, "routes.db"), Domain: "localhost"})
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = small.Close() }()
	r := newEdgeRig(c, 10, 1000)
	cache := r.cache(r.objects, "", 0)
	defer func() { _ = cache.Close() }()
	var rates [2]func() float64
	for i, table := range []*routes.Table{t, small} {
		at := table.Mark()
		at.Seq++
		site := r.shown.Site
		err := table.Apply([]hosting.Change{{Mark: at, Sites: []hosting.Site{site}, Pointers: []hosting.Pointer{r.shown.Pointer}}})
		if err != nil {
			c.Fatal(err)
		}
		v, end := listenFor(edge.Config{Router: table, Manifests: r.blobs, Blobs: cache})
		defer end()
		rates[i] = func() float64 { return c.rate(v, r.files[0]) }
	}
	var ratios []float64
	for range 5 {
		ratios = append(ratios, rates[0]()/rates[1]())
	}
	slices.Sort(ratios)
	c.Figure("requests a second of one hot site, against a table of ten sites: %.3f (median of 5 pairs, %.3f to %.3f)", ratios[2], ratios[0], ratios[4])
	if *prove && ratios[2] < 0.97 {
		c.Errorf("the hot site is slower than by a table of ten, by more than 3 %%")
	}
}

// rate is how often a second eight clients get a file.
func (c *C) rate(v *http.Client, f edgeFile) float64 {
	c.Helper()
	length := 200 * time.Millisecond
	if *prove {
		length = 2 * time.Second
	}
	var n atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range 8 {
		all.Go(func() {
			for time.Since(began) < length {
				if a := edgeGet(v, f.path, nil); a.status != 200 || len(a.body) != len(f.body) {
					c.Errorf("%d, %d bytes, %v", a.status, len(a.body), a.err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}
