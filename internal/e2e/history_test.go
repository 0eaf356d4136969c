package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/platform"
	"github.com/scale-mesh/fairway/internal/servertest"
	"github.com/scale-mesh/fairway/internal/state"
)

// claimHistory is cloud.3: two control planes and three edges, of which any may be killed, and
// cut off from what it needs, while people publish and roll back at both. What they were
// answered is linearizable for each site, no edge goes back, and in the end all show the same.
// The controls: a history with a stale read, and an edge's with one step back, are found wrong.
func claimHistory(c *C) {
	overlaps, operations, decided := 0, 0, 0
	var busy time.Duration
	faults := map[string]int{}
	for range c.Size {
		h := newHistory(c)
		h.run()
		h.check()
		overlaps += h.overlaps()
		operations += len(h.ops)
		decided += h.decided
		busy += h.busy
		for name, n := range h.faults {
			faults[name] += n
		}
		h.end()
		if c.Failed() {
			return
		}
	}
	rate := float64(operations) / busy.Seconds()
	c.Figure("%d seeds of 2 control planes and 3 edges: %d operations, %.0f a second, %d pairs overlapped, among faults (%s): %d of %d histories of sites are linearizable, of the others that was not found out in time; no edge went back, all show the same in the end; with a stale read planted the history is refused, and so is an edge's with a step back",
		c.Size, operations, rate, overlaps, inOrder(faults), decided, c.Size*historySites)
	if least := 1000 * c.Size; *prove && (rate < 50 || overlaps < least) {
		c.Errorf("void: %.0f operations a second, %d pairs that overlapped; want 50 and %d", rate, overlaps, least)
	}
}

func inOrder(counts map[string]int) string {
	var all []string
	for name, n := range counts {
		all = append(all, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}

const historySites = 4

// history is one run.
type history struct {
	*fleet
	controls []*Server
	edges    []*Server
	ways     map[string]*toxic // by whose and where to
	dsn      string
	began    time.Time
	busy     time.Duration
	decided  int // histories of sites

	mu     sync.Mutex // guards what follows
	ops    []porcupine.Operation
	ready  [historySites][]published
	before [historySites]hosting.DeploymentID // shown before all of this, and never again
	seen   map[string][]hosting.DeploymentID  // by edge and site: what it showed, changes alone
	faults map[string]int
}

// published is a deployment that can be promoted.
type published struct {
	id    hosting.DeploymentID
	order uint64
}

func siteName(i int) string { return fmt.Sprintf("site%d", i) }

func newHistory(c *C) *history {
	c.Helper()
	h := &history{fleet: newFleet(c), ways: map[string]*toxic{}, seen: map[string][]hosting.DeploymentID{}, faults: map[string]int{}}
	db, env := h.database()
	h.dsn = env[0][len("FAIRWAY_STATE="):]
	bell := h.redis()
	for i := range 2 {
		for name, addr := range map[string]string{"PostgreSQL": db.Addr, "Redis": bell, "S3": h.gateway} {
			h.ways[fmt.Sprint("control", i, " ", name)] = h.toxic(fmt.Sprint("control", i, name), addr)
		}
		way := func(name string) string { return h.ways[fmt.Sprint("control", i, " ", name)].addr }
		s := h.server(append(stateAt(way("PostgreSQL")), "FAIRWAY_ROLE=control", "FAIRWAY_RUNNER=none:", h.objects(way("S3")), "FAIRWAY_LOGS=redis://"+way("Redis"))...)
		if i > 0 { // the same key
			key, err := os.ReadFile(filepath.Join(h.controls[0].Data, "key"))
			if err == nil {
				err = os.WriteFile(filepath.Join(s.Data, "key"), key, 0o600)
			}
			if err != nil {
				c.Fatal(err)
			}
		}
		s.Start()
		h.controls = append(h.controls, s)
	}
	h.control = h.controls[0]
	for i := range historySites {
		h.project(context.Background(), siteName(i))
		for n := range 3 {
			api := h.control.Client()
			d, err := h.control.publish(context.Background(), api, siteName(i), version(n))
			api.Close()
			if err != nil {
				c.Fatal(err)
			}
			if n == 0 {
				h.before[i] = d.ID
			} else {
				h.ready[i] = append(h.ready[i], published{d.ID, d.Order})
			}
		}
	}
	for i := range 3 {
		store := h.toxic(fmt.Sprint("edge", i, "S3"), h.gateway)
		h.ways[fmt.Sprint("edge", i, " S3")] = store
		h.edges = append(h.edges, h.edge(store.addr, "FAIRWAY_BELL=redis://"+bell, "FAIRWAY_POLL=200ms"))
	}
	for _, e := range h.edges {
		for i := range historySites {
			e.until(siteName(i), "version 2")
		}
	}
	return h
}

// end stops what runs, so that the next seed has the machine.
func (h *history) end() {
	for _, s := range append(h.controls, h.edges...) {
		s.Stop()
	}
}

// input and output are those of an operation on a site.
type input struct {
	site    int
	kind    string // read, promote or publish
	subject published
}

// run has people work for a while, among faults, and then waits until everything is well.
func (h *history) run() {
	h.Helper()
	length := 6 * time.Second
	if *prove {
		length = 20 * time.Second
	}
	h.began = time.Now()
	stop := make(chan struct{})
	var people, watchers sync.WaitGroup
	seeds := make([]uint64, 16)
	for i := range seeds {
		seeds[i] = h.Rand.Uint64()
	}
	for i := range 10 {
		people.Go(func() { h.person(i, rand.New(rand.NewPCG(seeds[i], 1)), stop) })
	}
	watching := make(chan struct{})
	for i, e := range h.edges {
		watchers.Go(func() { h.watch(i, e, watching) })
	}
	h.spoil(rand.New(rand.NewPCG(seeds[15], 1)), time.After(length))
	close(stop)
	people.Wait()
	h.busy = time.Since(h.began)
	for i := range historySites { // what everybody agrees on in the end
		want := h.finally(i)
		for n, e := range h.edges {
			e.eventually(60*time.Second, fmt.Sprintf("edge %d shows the last state of %s", n, siteName(i)), func() bool {
				id, ok := shown(e, i)
				return ok && id == want
			})
		}
	}
	close(watching)
	watchers.Wait()
}

// person reads, rolls back and publishes at one of the control planes.
func (h *history) person(client int, r *rand.Rand, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		site, s := r.IntN(historySites), h.controls[r.IntN(2)]
		switch k := r.IntN(100); {
		case k < 45:
			h.read(client, s, site)
		case k < 97:
			h.promote(client, s, site, r)
		default:
			h.publishAt(client, s, site, n)
		}
		time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond) // people think
	}
}

// record keeps an operation. One whose outcome is not known may happen at any time after its
// call, or never; a read of that kind tells nothing.
func (h *history) record(client int, in input, out hosting.DeploymentID, call time.Time, err error) {
	back := time.Since(h.began).Nanoseconds()
	if err != nil {
		if in.kind == "read" {
			return
		}
		back = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call.Sub(h.began).Nanoseconds(), Return: back})
}

func (h *history) read(client int, s *Server, site int) {
	call := time.Now()
	id, err := production(s, site)
	h.record(client, input{site: site, kind: "read"}, id, call, err)
}

// production is what a control plane says that a site shows.
func production(s *Server, site int) (id hosting.DeploymentID, err error) {
	var list struct{ Items []hosting.Deployment }
	if err := s.once(http.MethodGet, "/projects/"+siteName(site)+"/deployments?limit=100", &list); err != nil {
		return "", err
	}
	for _, d := range list.Items {
		if d.Production {
			return d.ID, nil
		}
	}
	return "", errors.New("it shows none")
}

func (h *history) promote(client int, s *Server, site int, r *rand.Rand) {
	h.mu.Lock()
	d := h.ready[site][r.IntN(len(h.ready[site]))]
	h.mu.Unlock()
	call := time.Now()
	err := s.once(http.MethodPost, "/deployments/"+string(d.id)+"/promote", nil)
	h.record(client, input{site, "promote", d}, "", call, err)
}

func (h *history) publishAt(client int, s *Server, site, n int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	api := s.Client()
	defer api.Close()
	// Before Finish nothing is changed that a visitor sees.
	call := time.Now()
	d, err := s.publish(ctx, api, siteName(site), version(1000*(client+1)+n))
	if d.ID == "" {
		return // it was not begun
	}
	h.record(client, input{site, "publish", published{d.ID, d.Order}}, "", call, err)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ready[site] = append(h.ready[site], published{d.ID, d.Order})
	}
}

// once calls the API and never again: a call that was repeated could happen twice.
func (s *Server) once(method, path string, to any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.Data, "admin.sock"))
	}}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://fairway/fairway"+path, bytes.NewReader(nil))
	if err != nil {
		return err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %.200s", method, path, resp.StatusCode, b)
	}
	if to == nil {
		return nil
	}
	return json.Unmarshal(b, to)
}

// watch notes what an edge shows, as often as it can.
func (h *history) watch(n int, e *Server, stop chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		site := i % historySites
		id, ok := shown(e, site)
		key := fmt.Sprint(n, " ", site)
		h.mu.Lock()
		if seen := h.seen[key]; ok && (len(seen) == 0 || seen[len(seen)-1] != id) {
			h.seen[key] = append(seen, id)
		}
		h.mu.Unlock()
	}
}

// shown is the deployment that an edge shows; ok is false where it shows none, as one that is
// being started.
func shown(e *Server, site int) (id hosting.DeploymentID, ok bool) {
	v := e.Visitor(1)
	defer v.CloseIdleConnections()
	v.Timeout = 5 * time.Second
	_, resp, err := fetch(v, e.Site(siteName(site))+"/")
	if err != nil {
		return "", false
	}
	id = hosting.DeploymentID(resp.Header.Get("X-Fairway-Deployment"))
	return id, id != ""
}

// spoil kills and cuts, one after the other, until the time is over, and mends all.
func (h *history) spoil(r *rand.Rand, over <-chan time.Time) {
	var cuts []string
	for name := range h.ways {
		cuts = append(cuts, name)
	}
	slices.Sort(cuts)
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(200+r.IntN(500)) * time.Millisecond):
		}
		switch k := r.IntN(10); {
		case k < 2:
			h.restart(h.controls[r.IntN(2)], true)
		case k < 3:
			h.restart(h.edges[r.IntN(3)], false)
		default:
			way := h.ways[cuts[r.IntN(len(cuts))]]
			spoil, mend := func() { way.up(false) }, func() { way.up(true) }
			if r.IntN(3) == 0 {
				spoil, mend = way.hole, func() { way.mend("hole") }
				h.faults["hole"]++
			} else {
				h.faults["cut"]++
			}
			spoil()
			time.Sleep(time.Duration(200+r.IntN(1500)) * time.Millisecond)
			mend()
		}
	}
}

func (h *history) restart(s *Server, control bool) {
	s.Kill()
	s.Launch()
	if control {
		h.faults["control plane killed"]++
		s.Healthy()
	} else {
		h.faults["edge killed"]++
		s.Serving()
	}
}

// finally reads what a site shows when all is well, which is the last operation on it.
func (h *history) finally(site int) (id hosting.DeploymentID) {
	h.Helper()
	for _, s := range h.controls {
		s.eventually(60*time.Second, "it reads", func() (ok bool) {
			call := time.Now()
			got, err := production(s, site)
			if err == nil {
				h.record(100, input{site: site, kind: "read"}, got, call, nil)
				id = got
			}
			return err == nil
		})
	}
	return id
}

// pointing is what the model knows of a site.
type pointing struct {
	shows  hosting.DeploymentID
	order  uint64
	pinned bool
	newest uint64
}

// siteModel is how a site changes, one operation after the other.
func siteModel(first published) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return pointing{shows: first.id, order: first.order, newest: first.order} },
		Step: func(st, in, out any) (bool, any) {
			p, do := st.(pointing), in.(input)
			switch do.kind {
			case "read":
				return out.(hosting.DeploymentID) == p.shows, p
			case "promote":
				p.shows, p.order, p.pinned = do.subject.id, do.subject.order, do.subject.order != p.newest
			case "publish":
				p.newest = max(p.newest, do.subject.order)
				if !p.pinned && do.subject.order > p.order {
					p.shows, p.order = do.subject.id, do.subject.order
				}
			}
			return true, p
		},
		Equal: func(a, b any) bool { return a.(pointing) == b.(pointing) },
	}
}

// checkTime bounds the search of a site's history.
const checkTime = 20 * time.Second

// check holds the history to the model and the edges to the order of changes.
func (h *history) check() {
	h.Helper()
	planted := 0
	for site := range historySites {
		ops := slices.DeleteFunc(slices.Clone(h.ops), func(o porcupine.Operation) bool { return o.Input.(input).site != site })
		last := h.ready[site][1] // the third that was published, before all of this
		switch got := porcupine.CheckOperationsTimeout(siteModel(last), ops, checkTime); got {
		case porcupine.Ok:
			h.decided++
		case porcupine.Unknown: // there are too many orders of what may or may not have happened
			h.Logf("%s: whether the history of %d operations is linearizable was not found out within %v", siteName(site), len(ops), checkTime)
		default:
			h.Errorf("%s: the history of %d operations is %s:\n%s", siteName(site), len(ops), got, written(ops))
		}
		if stale := plantStale(ops, h.before[site]); stale != nil {
			switch got := porcupine.CheckOperationsTimeout(siteModel(last), stale, checkTime); got {
			case porcupine.Illegal:
				planted++
			case porcupine.Ok:
				h.Errorf("void: %s with a stale read is %s", siteName(site), got)
			}
		}
	}
	if planted == 0 || h.decided == 0 {
		h.Errorf("void: of %d histories %d were decided, and %d with a stale read", historySites, h.decided, planted)
	}
	h.checkEdges()
}

// written is a history to be read, in the order of calls.
func written(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b bytes.Buffer
	for _, o := range ops {
		in, back := o.Input.(input), "?"
		if o.Return != math.MaxInt64 {
			back = fmt.Sprint(o.Return / 1e6)
		}
		fmt.Fprintf(&b, "%6d to %6s ms  client %d  %s %s (%d) %v\n", o.Call/1e6, back, o.ClientId, in.kind, in.subject.id, in.subject.order, o.Output)
	}
	return b.String()
}

// plantStale has a read of a history find what was shown before all of it. It is an early one: that
// a late one is wrong takes for ever to find out where it is not known of many operations
// whether they happened.
func plantStale(ops []porcupine.Operation, before hosting.DeploymentID) []porcupine.Operation {
	stale := slices.Clone(ops)
	slices.SortFunc(stale, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	for i := range stale {
		if i >= 3 && stale[i].Input.(input).kind == "read" {
			stale[i].Output = before
			return stale
		}
	}
	return nil
}

// checkEdges finds each thing that an edge showed among the changes, none before the one that it
// showed last.
func (h *history) checkEdges() {
	h.Helper()
	order := h.changes()
	steps := 0
	for key, seen := range h.seen {
		var n, site int
		_, _ = fmt.Sscan(key, &n, &site)
		if back, ok := goesBack(order[site], seen); ok {
			h.Errorf("edge %d went back: %s shows %s after %s", n, siteName(site), seen[back], seen[back-1])
		}
		steps += len(seen)
		// The control: what was shown first, once more behind it all, where that never was again.
		if later := append(slices.Clone(seen), seen[0]); len(seen) > 1 && slices.Index(order[site], seen[0]) == lastIndex(order[site], seen[0]) {
			if _, ok := goesBack(order[site], later); !ok {
				h.Errorf("void: a step back of edge %d is not found", n)
			}
		}
	}
	if steps < 2*len(h.seen) {
		h.Errorf("void: the edges showed %d states of %d sites", steps, len(h.seen))
	}
}

func lastIndex(all []hosting.DeploymentID, id hosting.DeploymentID) int {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] == id {
			return i
		}
	}
	return -1
}

// goesBack returns the first of what was seen that no change at or behind the one before it made.
func goesBack(order, seen []hosting.DeploymentID) (at int, back bool) {
	i := 0
	for n, id := range seen {
		step := slices.Index(order[i:], id)
		if step < 0 {
			return n, true
		}
		i += step
	}
	return 0, false
}

// changes are what each site showed, one after the other, as the state store numbered it.
func (h *history) changes() (order [historySites][]hosting.DeploymentID) {
	h.Helper()
	ctx := context.Background()
	store, err := platform.OpenState(ctx, platform.Config{Getenv: func(string) string { return servertest.Password }}, h.dsn)
	if err != nil {
		h.Fatal(err)
	}
	defer store.Close()
	db := state.DB{Store: store}
	projects := map[hosting.ProjectID]int{}
	err = db.View(ctx, func(tx state.Tx) error {
		for i := range historySites {
			site, err := db.System().Sites.Get(tx, state.K(siteName(i)))
			if err != nil {
				return err
			}
			projects[site.Project] = i
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	feed := state.Feed{DB: db}
	head, err := feed.Head(ctx)
	if err != nil {
		h.Fatal(err)
	}
	for at := (hosting.Mark{Epoch: head.Epoch}); at != head; {
		changes, complete, err := feed.Changes(ctx, at, 1000)
		if err != nil || !complete || len(changes) == 0 {
			h.Fatalf("the changes behind %v are not there: %v", at, err)
		}
		for _, c := range changes {
			for _, p := range c.Pointers {
				if site, ok := projects[p.Project]; ok && p.Name == hosting.PointerProduction {
					order[site] = append(order[site], p.Deployment)
				}
			}
		}
		at = changes[len(changes)-1].Mark
	}
	return order
}

// overlaps counts the pairs of operations on one site that ran at the same time.
func (h *history) overlaps() (n int) {
	for i, a := range h.ops {
		for _, b := range h.ops[i+1:] {
			if a.Input.(input).site == b.Input.(input).site && a.Call < b.Return && b.Call < a.Return && a.Return != math.MaxInt64 && b.Return != math.MaxInt64 {
				n++
			}
		}
	}
	return n
}
