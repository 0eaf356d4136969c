package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/platform"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
	"github.com/scale-mesh/fairway/internal/state"
)

// ailing is a fleet whose control plane reaches each of its stores by a way that can be spoilt.
type ailing struct {
	*fleet
	ways    map[string]*toxic
	redis   string // its address, not spoilt
	edge    *Server
	ecs     *ecstest.Server // runs the builds
	forge   *Forge
	version int
}

// services are what the control plane needs, and what still works without each.
var services = []struct {
	name               string
	readable, writable bool
}{{"PostgreSQL", false, false}, {"Redis", true, true}, {"S3", true, false}, {"ECS", true, true}}

// faults are what happens to them.
var faults = []struct {
	name  string
	spoil func(*toxic) (mend func())
}{
	{"dies", func(t *toxic) func() { t.up(false); return func() { t.up(true) } }},
	{"hangs", func(t *toxic) func() { t.hole(); return func() { t.mend("hole") } }},
	{"resets", func(t *toxic) func() { t.reset(); return func() { t.mend("reset") } }},
}

// some is one of them, and where claims are proven all.
func some[T any](c *C, all []T) []T {
	if *prove {
		return all
	}
	i := c.Rand.IntN(len(all))
	return all[i : i+1]
}

// claimAiling is cloud.4: each of PostgreSQL, Redis, S3 and ECS dead at the start, dying, hanging,
// resetting connections, and coming back, while an edge serves on. A build whose Redis is emptied
// all the time loses no line of its log. And with S3, Redis and the control plane dead, an edge
// that starts again has the certificates of all hosts that it served.
func claimAiling(c *C) {
	a := newAiling(c)
	load := a.visit()
	tried := 0
	for _, s := range services {
		for _, fault := range some(c, faults) {
			tried++
			spoil := func() (mend func()) { return fault.spoil(a.ways[s.name]) }
			if s.name == "ECS" {
				a.builds(fault.name, spoil)
				continue
			}
			mend := spoil()
			a.works(s.name+" "+fault.name, s.readable, s.writable)
			if s.name == "Redis" {
				a.buildsNow(s.name + " " + fault.name)
			}
			mend()
			a.recovers(s.name + " " + fault.name)
		}
	}
	a.builds("has no room", func() func() {
		a.ecs.FailPlacement(2, "RESOURCE:MEMORY")
		return func() {}
	})
	tried++
	for _, s := range some(c, services) {
		a.control.Stop()
		a.ways[s.name].up(false)
		a.control.Launch()
		a.control.eventually(30*time.Second, "it runs", func() bool { return strings.Contains(a.control.out.String(), "Fairway is running") })
		a.works(s.name+" dead at the start", s.readable, s.writable)
		a.ways[s.name].up(true)
		a.recovers(s.name + " dead at the start")
		tried++
	}
	right, wrong := load()
	if len(wrong) > 0 || right == 0 {
		c.Errorf("the edge did not serve on: %d answers were right, %d wrong, the first: %.200v", right, len(wrong), wrong)
	}
	if out := a.control.out.String(); strings.Contains(out, "internal/deploy/service.go:") {
		c.Errorf("errors are logged with stack traces: %.2000s", out)
	}
	c.Figure("PostgreSQL, Redis, S3, ECS: dead at the start, dying, hanging, resetting connections and coming back, %d faults: the API and publishing do what is promised in each, and work again behind it; meanwhile an edge gave %d right answers, none wrong", tried, right)
	a.flushed()
	a.handshakes()
}

func newAiling(c *C) *ailing {
	c.Helper()
	a := &ailing{fleet: newFleet(c), ways: map[string]*toxic{}, forge: NewForge(c)}
	db, _ := a.database()
	a.redis = a.fleet.redis()
	for name, addr := range map[string]string{"PostgreSQL": db.Addr, "Redis": a.redis, "S3": a.gateway} {
		a.ways[name] = a.toxic(name, addr)
	}
	a.control = a.server(append(stateAt(a.ways["PostgreSQL"].addr), "FAIRWAY_ROLE=control", a.objects(a.ways["S3"].addr), "FAIRWAY_LOGS=redis://"+a.ways["Redis"].addr)...)
	var ecs string
	a.ecs, ecs = a.tasks(a.control)
	a.ways["ECS"] = a.toxic("ECS", ecs)
	a.control.env = append(a.control.env, a.control.onTasks(a.ways["ECS"].addr)...)
	a.control.Start()
	a.site("shop", version(0))
	a.edge = a.fleet.edge(a.gateway, "FAIRWAY_BELL=redis://"+a.redis)
	a.edge.until("shop", "version 0")
	return a
}

// visit asks the edge for the site fifty times a second, until the function that it returns ends
// it.
func (a *ailing) visit() (stop func() (right int, wrong []string)) {
	a.Helper()
	v := a.edge.Visitor(2)
	end, ended := make(chan struct{}), make(chan struct{})
	right, wrong := 0, []string(nil)
	go func() {
		defer close(ended)
		defer v.CloseIdleConnections()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-end:
				return
			}
			base := []string{a.edge.Site("shop"), a.edge.Secure("shop")}[n%2]
			body, resp, err := fetch(v, base+"/")
			if err != nil || resp.StatusCode != 200 || !strings.Contains(body, "<p>version ") {
				wrong = append(wrong, fmt.Sprintf("%s: %s", base, statusOr(resp, err)))
			} else {
				right++
			}
		}
	}()
	return func() (int, []string) {
		close(end)
		<-ended
		return right, wrong
	}
}

// reset has every connection end with a reset.
func (t *toxic) reset() {
	t.f.Helper()
	t.call("POST", "/proxies/"+t.name+"/toxics", map[string]any{"type": "reset_peer", "name": "reset", "stream": "downstream", "attributes": map[string]any{"timeout": 0}})
}

func (a *ailing) reads(limit time.Duration) error {
	api := a.control.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := api.FindProject(ctx, "shop")
	return err
}

func (a *ailing) publishes(limit time.Duration) error {
	api := a.control.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := a.control.publish(ctx, api, "shop", version(a.version+1))
	if err == nil {
		a.version++
	}
	return err
}

// works checks what can be done while something ails. What cannot be done is said soon.
func (a *ailing) works(what string, readable, writable bool) {
	a.Helper()
	began := time.Now()
	if err := a.reads(40 * time.Second); (err == nil) != readable {
		a.Errorf("%s: reading: %v", what, err)
	}
	if took := time.Since(began); took > 35*time.Second || readable && took > 5*time.Second {
		a.Errorf("%s: reading took %v", what, took)
	}
	limit := 5 * time.Second
	if writable {
		limit = 40 * time.Second
	}
	if err := a.publishes(limit); (err == nil) != writable {
		a.Errorf("%s: publishing: %v", what, err)
	}
}

// recovers waits until all works again, and visitors see it.
func (a *ailing) recovers(what string) {
	a.Helper()
	began := time.Now()
	a.control.eventually(60*time.Second, "publishing works after "+what, func() bool { return a.publishes(20*time.Second) == nil })
	a.edge.until("shop", fmt.Sprintf("version %d", a.version))
	a.Logf("%s: works again after %.1f s", what, time.Since(began).Seconds())
}

// flushed empties Redis all the time while a build prints.
func (a *ailing) flushed() {
	a.Helper()
	lines := 1000
	if *prove {
		lines = 5000
	}
	url, _ := a.forge.Push("printing", buildingSite("printing", lines))
	api := a.control.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: a.redis})
	defer client.Close()
	answer, err := api.Deploy(ctx, hosting.NewDeployment{GitURL: url})
	if err != nil {
		a.Fatal(err)
	}
	var flushes, lost atomic.Int64
	stopped := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			if n, err := client.DBSize(ctx).Result(); err == nil && n > 0 {
				lost.Add(1)
			}
			if client.FlushAll(ctx).Err() == nil {
				flushes.Add(1)
			}
		}
	}()
	a.control.eventually(4*time.Minute, "the build has ended", func() bool {
		d, err := api.FindDeployment(ctx, answer.ID)
		return err == nil && d.Status.Terminal()
	})
	close(stop)
	<-stopped
	a.reader(ctx, a.control, answer.ID, lines, false)
	if lost.Load() == 0 {
		a.Errorf("void: Redis was emptied %d times, and held nothing each time", flushes.Load())
	}
	a.Figure("FLUSHALL %d times, %d of them while Redis held lines, in a build of %d lines: none is lost", flushes.Load(), lost.Load(), lines)
}

// handshakes has an edge load the certificates of hosts that the control plane ordered, and then
// serve them with all else dead, after it was killed and started. The control is an edge that
// has lost its mirror.
func (a *ailing) handshakes() {
	a.Helper()
	both := a.server(append(stateAt(a.ways["PostgreSQL"].addr), "FAIRWAY_ROLE=both", "FAIRWAY_EDGES=on", a.objects(a.ways["S3"].addr), "FAIRWAY_LOGS=redis://"+a.ways["Redis"].addr)...)
	key, err := os.ReadFile(filepath.Join(a.control.Data, "key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(both.Data, "key"), key, 0o600)
	}
	if err != nil {
		a.Fatal(err)
	}
	a.control.Stop() // the other's builds are processes of its own machine, so it cannot share the work
	config := sharedCertificates(a.C)
	both.launch(exec.Command(both.bin, "run", "--config", config))
	both.Healthy()
	a.control = both
	edge := a.server("FAIRWAY_ROLE=edge", a.objects(a.ways["S3"].addr), "FAIRWAY_BELL=redis://"+a.ways["Redis"].addr)
	edgeKey, err := os.ReadFile(filepath.Join(both.Data, "edge-key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(edge.Data, "edge-key"), edgeKey, 0o600)
	}
	if err != nil {
		a.Fatal(err)
	}
	run := func() {
		edge.launch(exec.Command(edge.bin, "run", "--config", config))
		edge.Serving()
	}
	run()
	a.crowd(a.Size)
	edge.eventually(30*time.Second, "the edge knows the last site", func() bool {
		_, resp, err := fetch(edge.Visitor(1), edge.Site(crowdName(a.Size-1)))
		return err == nil && resp.StatusCode == 503 // as a paused site answers
	})
	serials := make([]string, a.Size)
	a.inParallel(4, a.Size, func(i int) {
		ordered, err := both.handshake(crowdName(i))
		loaded, err2 := edge.handshake(crowdName(i))
		if err != nil || err2 != nil || ordered != loaded {
			a.Errorf("host %d: ordered %s (%v), loaded %s (%v)", i, ordered, err, loaded, err2)
		}
		serials[i] = loaded
	})
	for _, w := range a.ways {
		w.up(false)
	}
	both.Kill()
	edge.Kill()
	run()
	began := time.Now()
	a.inParallel(4, a.Size, func(i int) {
		if serial, err := edge.handshake(crowdName(i)); err != nil || serial != serials[i] {
			a.Errorf("with all else dead, host %d: %s (%v), want %s", i, serial, err, serials[i])
		}
	})
	took := time.Since(began)
	edge.Kill()
	if err := os.RemoveAll(filepath.Join(edge.Data, "certs")); err != nil {
		a.Fatal(err)
	}
	run()
	served := 0
	for i := range min(a.Size, 3) { // each waits for the store that is dead
		if _, err := edge.handshake(crowdName(i)); err == nil {
			served++
		}
	}
	if served > 0 {
		a.Errorf("void: an edge that has lost its mirror served %d hosts", served)
	}
	a.Figure("PostgreSQL, Redis, S3 and control plane dead, an edge killed and started: %d handshakes of %d hosts with the certificates of before in %.1f s; without its mirror none", a.Size, a.Size, took.Seconds())
}

// sharedCertificates is the root Caddyfile with the certificates of all nodes in one place.
func sharedCertificates(c *C) string {
	c.Helper()
	b, err := os.ReadFile(filepath.Join(root(c), "Caddyfile"))
	if err != nil {
		c.Fatal(err)
	}
	const own = "storage file_system {$FAIRWAY_DATA:./data}/caddy"
	if !strings.Contains(string(b), own) {
		c.Fatalf("the Caddyfile does not say %q", own)
	}
	path := filepath.Join(c.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), own, "storage fairway", 1)), 0o600); err != nil {
		c.Fatal(err)
	}
	return path
}

func crowdName(i int) string { return fmt.Sprintf("crowd-%05d", i) }

// crowd writes so many sites into the state, which are paused: handshakes ask for no more.
func (a *ailing) crowd(n int) {
	a.Helper()
	ctx := context.Background()
	env := stateAt(a.ways["PostgreSQL"].addr)
	dsn, password := strings.TrimPrefix(env[0], "FAIRWAY_STATE="), strings.TrimPrefix(env[1], "DB_PASSWORD=")
	store, err := platform.OpenState(ctx, platform.Config{Getenv: func(string) string { return password }}, dsn)
	if err != nil {
		a.Fatal(err)
	}
	defer store.Close()
	db := state.DB{Store: store}
	err = db.Update(ctx, func(tx state.Tx) error {
		for first := 0; first < n; first += 500 {
			var change hosting.Change
			for i := first; i < min(first+500, n); i++ {
				project := hosting.ProjectID(fmt.Sprintf("prj_crowd%05d", i))
				change.Sites = append(change.Sites, hosting.Site{Name: crowdName(i), Project: project, Team: "team_default", State: hosting.SiteSuspended})
				change.Pointers = append(change.Pointers, hosting.Pointer{Project: project, Name: hosting.PointerProduction, Deployment: "dpl_crowd", Manifest: hosting.DigestOf(nil)})
			}
			if _, err := db.System().Commit(tx, &change); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.Fatal(err)
	}
}

// handshake returns the serial number of the certificate that a host is served with.
func (s *Server) handshake(host string) (serial string, err error) {
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 20 * time.Second}, Config: &tls.Config{
		ServerName: host + ".localhost", InsecureSkipVerify: true, // whose it is, is told by its number
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", s.HTTPS))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	cert := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return cert.SerialNumber.String(), cert.VerifyHostname(host + ".localhost")
}
