package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// killPoints are the named points of the code at which the server is killed, by what it is
// doing there. times is the most often that one is passed before the kill.
var killPoints = []struct {
	doing  string
	points []string
	times  int
}{
	{"first open", []string{"open.state", "open.routes", "open.ready"}, 1},
	{"upload", []string{"upload.copied", "upload.stored"}, 12},
	{"build", []string{"build.started", "build.heartbeat"}, 2},
	{"finish", []string{"finish.checked", "finish.manifest", "finish.flushed"}, 3},
	{"activate", []string{"activate.commit", "activate.committed", "activate.rung"}, 3},
	{"log write", []string{"log.written", "log.synced"}, 8},
}

// journal is what the server acknowledged: none of it may ever be missing.
type journal struct {
	deployments map[hosting.DeploymentID]string // READY -> the text that its page holds
	lines       map[hosting.DeploymentID][]string
	newest      int // highest version acknowledged as READY
	tried       int // highest version attempted
}

// claimKills is main.5: kill -9 at every named point; afterwards nothing acknowledged is
// lost, nothing is half published, and no file or process is left over.
func claimKills(c *C) {
	c.plantedLossIsFound()
	forge := NewForge(c)
	repo, _ := forge.Push("built", buildingSite("built site", 200))
	s := NewServer(c)
	k := &killer{C: c, s: s, repo: repo, j: newJournal()}
	k.prepare()
	done := map[string]int{}
	took := map[string]time.Duration{}
	for round := range c.Size {
		group, begin := killPoints[round%len(killPoints)], time.Now()
		point := group.points[c.Rand.IntN(len(group.points))]
		if group.doing == "first open" {
			k.firstOpen(point)
		} else {
			k.round(group.doing, fmt.Sprintf("%s:%d", point, 1+c.Rand.IntN(group.times)))
		}
		if c.Failed() {
			c.Fatalf("round %d, killed at %s", round, point)
		}
		done[group.doing]++
		took[group.doing] += time.Since(begin)
	}
	var parts []string
	for _, group := range killPoints {
		parts = append(parts, fmt.Sprintf("%s %d", group.doing, done[group.doing]))
	}
	c.Logf("seconds by kind: %v", took)
	c.Figure("%d kills (%s); %d acknowledged deployments and %d log lines, none lost; the planted loss was found",
		c.Size, strings.Join(parts, ", "), len(k.j.deployments), k.j.count())
}

func newJournal() *journal {
	return &journal{deployments: map[hosting.DeploymentID]string{}, lines: map[hosting.DeploymentID][]string{}}
}

func (j *journal) count() (n int) {
	for _, l := range j.lines {
		n += len(l)
	}
	return n
}

// plantedLossIsFound is the control: a server that acknowledges log lines without writing
// them, killed after the build, must be found out by the very check that the rounds use.
func (c *C) plantedLossIsFound() {
	c.Helper()
	forge := NewForge(c)
	repo, _ := forge.Push("lossy", buildingSite("lossy site", 50))
	s := NewServer(c, "FAIRWAY_SKIP=logs.flush")
	k := &killer{C: c, s: s, repo: repo, j: newJournal()}
	api := s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	k.build(ctx, api)
	if k.j.count() < 50 {
		c.Fatalf("the control saw only %d lines", k.j.count())
	}
	s.Kill()
	s.env = nil
	s.Start()
	if missing := k.missingLines(ctx, s.Client()); len(missing) == 0 {
		c.Fatal("the check did not find the loss that was planted: nothing that it says counts")
	}
}

type killer struct {
	*C
	s    *Server
	repo string
	j    *journal
}

func (k *killer) prepare() {
	k.Helper()
	api := k.s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := api.CreateProject(ctx, hosting.NewProject{Name: "Shop", Slug: "shop"}); err != nil {
		k.Fatal(err)
	}
	k.publishNext(ctx, api)
	if k.j.newest != 1 {
		k.Fatal("the first version was not published")
	}
	k.s.Stop()
}

// round starts the server with a planned kill, works until it dies, starts it again, and
// checks.
func (k *killer) round(doing, crash string) {
	k.Helper()
	k.Logf("kill at %s (%s)", crash, doing)
	k.s.Launch("FAIRWAY_CRASH=" + crash)
	k.s.Healthy()
	api := k.s.Client()
	ctx, cancel := k.s.whileRunning(time.Minute)
	for tries := 0; tries < 20 && !k.s.Exited(0) && ctx.Err() == nil; tries++ {
		if doing == "build" || doing == "log write" {
			k.build(ctx, api)
		} else {
			k.publishNext(ctx, api)
		}
	}
	cancel()
	api.Close()
	if !k.s.Exited(10 * time.Second) {
		k.Fatalf("void: the server never passed %s", crash)
	}
	if !strings.Contains(k.s.cmd.ProcessState.String(), "killed") {
		k.Fatalf("the server ended by itself: %v\n%s", k.s.cmd.ProcessState, k.s.out)
	}
	k.s.Start()
	k.check()
	k.s.Stop()
}

// firstOpen kills a server on a data folder that it has only begun to make.
func (k *killer) firstOpen(point string) {
	k.Helper()
	k.Logf("kill at %s (first open)", point)
	s := &Server{t: k.C, bin: k.s.bin, Data: k.TempDir(), HTTP: freePort(k), HTTPS: freePort(k)}
	s.Launch("FAIRWAY_CRASH=" + point + ":1")
	if !s.Exited(60 * time.Second) {
		k.Fatalf("void: the server never passed %s", point)
	}
	s.Start()
	fresh := &killer{C: k.C, s: s, repo: k.repo, j: newJournal()}
	fresh.prepare() // also stops it
	s.Start()
	fresh.check()
	s.Stop()
}

// publishNext publishes the next version of the shop and journals it if it is acknowledged.
func (k *killer) publishNext(ctx context.Context, api *client.Client) {
	k.j.tried++
	n := k.j.tried
	d, err := k.s.publish(ctx, api, "shop", version(n))
	if err == nil && d.Status == hosting.StatusReady {
		k.j.deployments[d.ID] = fmt.Sprintf("version %d", n)
		k.j.newest = n
	}
}

// build deploys the repository and journals every log line that it can read, and the
// deployment if it is seen READY.
func (k *killer) build(ctx context.Context, api *client.Client) {
	answer, err := api.Deploy(ctx, hosting.NewDeployment{GitURL: k.repo})
	if err != nil {
		return // killed before it was acknowledged
	}
	k.j.lines[answer.ID] = nil
	for ev, err := range api.Watch(ctx, answer.ID, 0) {
		switch {
		case err != nil:
			return
		case ev.Line != nil:
			k.j.lines[answer.ID] = append(k.j.lines[answer.ID], ev.Line.Text)
		case ev.Deployment != nil && ev.Deployment.Status == hosting.StatusReady:
			k.j.deployments[answer.ID] = "built site"
		}
	}
}

// check compares the restarted server with the journal.
func (k *killer) check() {
	k.Helper()
	api := k.s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	k.allEnd(ctx, api)
	for id, text := range k.j.deployments {
		d, err := api.FindDeployment(ctx, id)
		if err != nil || d.Status != hosting.StatusReady {
			k.Errorf("acknowledged deployment %s is %s: %v", id, d.Status, err)
			continue
		}
		k.s.Get(d.URL).Is(200, text)
	}
	for _, m := range k.missingLines(ctx, api) {
		k.Errorf("acknowledged log line lost: %s", m)
	}
	k.showsOneVersion()
	k.nothingLeft()
}

// allEnd waits until every deployment has ended: interrupted builds are picked up, or fail
// with a reason. Uploads whose uploader was told of the crash are canceled as it would.
func (k *killer) allEnd(ctx context.Context, api *client.Client) {
	k.Helper()
	for _, project := range []string{"shop", "built"} {
		k.s.eventually(2*time.Minute, "all deployments of "+project+" have ended", func() bool {
			list, err := api.ListDeployments(ctx, project, client.Page{Limit: 20})
			if hosting.Is(err, hosting.CodeNotFound) {
				return true
			}
			if err != nil {
				k.Fatal(err)
			}
			ended := true
			for _, d := range list.Items {
				if d.Source.Kind == hosting.SourceFiles && !d.Status.Terminal() {
					_, err := api.Cancel(ctx, d.ID)
					ended = ended && err == nil
					continue
				}
				ended = ended && d.Status.Terminal()
				if d.Status == hosting.StatusFail && d.Reason == "" {
					k.Errorf("%s failed without a reason", d.ID)
				}
			}
			return ended
		})
	}
}

func (k *killer) missingLines(ctx context.Context, api *client.Client) (missing []string) {
	k.Helper()
	for id, want := range k.j.lines {
		var got []string
		for {
			lines, err := api.ReadLog(ctx, id, int64(len(got)), 1000)
			if err != nil {
				k.Fatalf("read the log of %s: %v", id, err)
			}
			if len(lines) == 0 {
				break
			}
			for _, l := range lines {
				got = append(got, l.Text)
			}
		}
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			missing = append(missing, fmt.Sprintf("%s: %d lines were read, %d are there, or they differ", id, len(want), len(got)))
		}
	}
	return missing
}

// showsOneVersion checks that the site shows the newest acknowledged version or one that
// was on its way, and all of that version.
func (k *killer) showsOneVersion() {
	k.Helper()
	same := k.s.Get(k.s.Site("shop")+"/same.txt").Is(200, "version ").Body
	var n int
	if _, err := fmt.Sscanf(same, "version %d", &n); err != nil || n < k.j.newest || n > k.j.tried {
		k.Errorf("the site shows %q; acknowledged was version %d, tried %d", same, k.j.newest, k.j.tried)
	}
	k.s.Get(k.s.Site("shop")).Is(200, fmt.Sprintf("<p>version %d", n))
	k.s.Get(k.s.Site("shop")+fmt.Sprintf("/app-%d.js", n)).Is(200, fmt.Sprintf("version %d'", n))
}

// nothingLeft looks for temporary files, job folders and processes.
func (k *killer) nothingLeft() {
	k.Helper()
	k.s.eventually(30*time.Second, "no job folder or process is left", func() bool {
		jobs, _ := filepath.Glob(filepath.Join(k.s.Data, "jobs", "*"))
		return len(jobs) == 0 && len(k.s.jobProcesses()) == 0
	})
	err := filepath.WalkDir(k.s.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // something that just went
		}
		if !d.IsDir() && (strings.Contains(path, "/.tmp") || strings.HasSuffix(path, ".tmp")) && !strings.Contains(path, "/caddy/") {
			k.Errorf("a temporary file is left: %s", strings.TrimPrefix(path, k.s.Data))
		}
		return nil
	})
	if err != nil {
		k.Error(err)
	}
}
