package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// printing are builds that print at one pace, and who follows them.
type printing struct {
	*C
	s      *Server
	api    *client.Client
	token  string
	pace   string // file that the printers look at
	ids    []hosting.DeploymentID
	delays delays

	all     sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
	readers []*lineReader
	more    []*lineReader // whose delays do not count
}

// newPrinting starts builds of projects of their own, which wait for their pace.
func newPrinting(c *C, s *Server, token string, builds int) *printing {
	c.Helper()
	api, err := client.New(client.Options{Base: fmt.Sprintf("http://localhost:%d/api", s.HTTP), Token: token})
	if err != nil {
		c.Fatal(err)
	}
	p := &printing{C: c, s: s, api: api, token: token, pace: filepath.Join(c.TempDir(), "pace")}
	p.delays.began = time.Now()
	p.ctx, p.cancel = context.WithTimeout(context.Background(), 10*time.Minute)
	setPace(c, p.pace, 0)
	program, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	for range builds {
		p.build(fmt.Sprintf("%s='%s' exec '%s'", printVariable, p.pace, program))
	}
	for _, id := range p.ids {
		p.s.eventually(time.Minute, "a build runs", func() bool {
			d, err := p.api.FindDeployment(p.ctx, id)
			return err == nil && d.Phase == hosting.PhaseBuilding
		})
	}
	return p
}

// build begins a deployment whose build is a command.
func (p *printing) build(command string) {
	p.Helper()
	project, err := p.api.CreateProject(p.ctx, hosting.NewProject{
		Name: "printing", BuildSettings: hosting.BuildSettings{BuildCommand: command, OutputDir: "out"},
	})
	if err != nil {
		p.Fatal(err)
	}
	answer, err := p.api.Deploy(p.ctx, hosting.NewDeployment{Project: string(project.ID), Source: hosting.SourceArchive})
	if err != nil {
		p.Fatal(err)
	}
	source := pack(p, map[string]string{"index.html": "<!doctype html><title>source</title>"})
	if _, err := p.api.PutSource(p.ctx, answer.ID, bytes.NewReader(source), int64(len(source))); err != nil {
		p.Fatal(err)
	}
	p.ids = append(p.ids, answer.ID)
}

// read begins n readers, spread over the builds: of each ten one by the web socket.
func (p *printing) read(n int) {
	for i := range n {
		r := &lineReader{id: p.ids[i%len(p.ids)], delays: &p.delays}
		p.readers = append(p.readers, r)
		if i%10 == 9 {
			p.all.Go(func() { r.socket(p.ctx, p.s, p.token) })
		} else {
			p.all.Go(func() { r.follow(p.ctx, p.api) })
		}
	}
}

// slow begins a reader who looks away for a while. It is not among those whose delays count.
func (p *printing) slow(away time.Duration) *lineReader {
	r := &lineReader{id: p.ids[len(p.ids)-1], pause: func() { <-time.After(away) }}
	p.more = append(p.more, r)
	p.all.Go(func() { r.follow(p.ctx, p.api) })
	return r
}

// hold lets the printers print at a rate for a while, and returns when that was.
func (p *printing) hold(rate int, span time.Duration) (from, to time.Time) {
	p.Helper()
	setPace(p, p.pace, rate)
	// What was printed at the pace before does not count, nor the burst of the change.
	<-time.After(time.Second)
	from = time.Now()
	before := p.spent()
	<-time.After(span)
	to = time.Now()
	p.Logf("%d lines a second of each build: %s", rate, p.spent().since(before, to.Sub(from)))
	return from, to
}

// spent is the processor time of everybody who takes part.
type spent struct{ server, builders, printers, readers time.Duration }

func (p *printing) spent() (t spent) {
	t.server, t.readers = processTime(p.s.cmd.Process.Pid), processTime(os.Getpid())
	for _, pid := range p.s.jobProcesses() {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)) // gone: it spent nothing more
		if exe == p.s.cmd.Path {
			t.builders += processTime(pid)
		} else {
			t.printers += processTime(pid)
		}
	}
	return t
}

// since is what was spent after an earlier time, in processors.
func (t spent) since(before spent, span time.Duration) string {
	share := func(d time.Duration) float64 { return float64(d) / float64(span) }
	return fmt.Sprintf("processors: server %.2f, builders %.2f, printers %.2f, readers without the browser %.2f", share(t.server-before.server),
		share(t.builders-before.builders), share(t.printers-before.printers), share(t.readers-before.readers))
}

// processTime is what a process spent in user and system mode, 0 where there is none.
func processTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if err != nil || !ok || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of USER_HZ
}

// end lets the builds end, and waits until every reader has.
func (p *printing) end() {
	p.Helper()
	setPace(p, p.pace, endPace)
	p.all.Wait()
	for _, r := range slices.Concat(p.readers, p.more) {
		if r.err != nil {
			p.Errorf("a reader of %s: %v", r.id, r.err)
		}
	}
}

// stored reads the logs again by the API, page by page, and returns how many lines the builds
// printed.
func (p *printing) stored() (lines int64) {
	p.Helper()
	for _, id := range p.ids {
		r := &lineReader{id: id}
		for {
			page, err := p.api.ReadLog(p.ctx, id, r.last, 1000)
			if err != nil {
				p.Errorf("the stored log of %s: %v", id, err)
				return lines
			}
			if len(page) == 0 {
				break
			}
			for i := range page {
				r.take(&page[i])
			}
		}
		if r.ended(); r.err != nil {
			p.Errorf("the stored log of %s: %v", id, r.err)
		}
		for _, live := range p.readers {
			if live.id == id && live.last != r.last {
				p.Errorf("a reader of %s was told of %d lines, and %d are stored", id, live.last, r.last)
			}
		}
		lines += r.printed
	}
	return lines
}

// close ends what p began.
func (p *printing) close() {
	p.cancel()
	p.all.Wait()
	p.api.Close()
}

// held is what the readers saw while the builds printed at one pace.
type held struct {
	lines    int64 // that all readers got in a second
	printed  int   // that all builds printed in a second
	p50, p99 time.Duration
}

// held adds up what came of the lines that were printed between two times.
func (p *printing) held(from, to time.Time, readers int) held {
	sum, lines, seconds := p.delays.between(from, to)
	lines = max(lines, 1)
	perReader := float64(lines) / float64(max(1, seconds)*readers)
	return held{lines / int64(max(1, seconds)), int(perReader * float64(len(p.ids))), quantileOf(sum, lines, 0.5), quantileOf(sum, lines, 0.99)}
}

// claimLines is cloud.8: builds that print at the live cap all together, and readers, one of them
// a browser, who get every line once, in order and soon; above the cap, gap marks and a stored log
// that is whole; then, without a cap, the rate rises until lines come too late. With logs in
// files, and in Redis.
func claimLines(c *C) {
	l := &linesClaim{C: c, builds: 3, readers: 5, span: 2 * time.Second, start: NewServer}
	if *prove {
		l.span, l.start = 8*time.Second, NewFastServer
	}
	if c.Size >= 10_000 {
		l.builds, l.readers = 20, 50
	}
	for _, l.store = range []string{"logs/file", "logs/redis"} {
		rate := c.Size / l.builds
		l.atTheCap(rate)
		l.rising(rate)
	}
}

const (
	lineLimit = 250 * time.Millisecond // from the printing to a reader, of 99 in 100 lines
	lineGoal  = 100_000                // lines a second, of all builds
	lineStep  = 1.25                   // by which the rate rises
)

type linesClaim struct {
	*C
	store           string
	builds, readers int
	span            time.Duration
	start           func(testing.TB, ...string) *Server
}

// server starts one whose followers are shown so many lines a second of a log, and returns a
// person who owns it.
func (l *linesClaim) server(shown int) (*Server, *Person) {
	l.Helper()
	env := []string{unlimited, fmt.Sprintf("FAIRWAY_BUILDS=%d", l.builds+1), fmt.Sprintf("FAIRWAY_LOG_RATE=%d", shown)}
	if l.store == "logs/redis" {
		env = append(env, "FAIRWAY_LOGS=redis://"+(&fleet{C: l.C}).redis())
	}
	s := l.start(l, env...)
	return s, s.Owner()
}

// atTheCap is the first half: every build prints as much as is shown of it, then one of them more.
func (l *linesClaim) atTheCap(rate int) {
	l.Helper()
	s, ann := l.server(rate)
	tab := openBrowser(l, "localhost").Tab()
	tab.Open(s.Control() + "/")
	(&victimTab{C: l.C, control: tab, ann: ann}).signIn()
	token := ann.Token(ann.Team.ID, hosting.ScopeAdmin)

	p := newPrinting(l.C, s, token, l.builds)
	defer p.close()
	p.read(l.readers - 1)
	p.readers[0].spoiled = spoilers()
	slow := p.slow(3 * time.Second)
	browser := &tabReader{tab, p.ids[0]}
	browser.begin()
	from, to := p.hold(rate, l.span)
	p.end()
	if slow.gaps > 0 {
		l.Errorf("a slow reader was shown %d gaps", slow.gaps)
	}
	inTab, err := browser.end(s, &p.delays)
	if err != nil {
		l.Errorf("the browser: %v", err)
	}
	h := p.held(from, to, l.readers)
	for _, k := range p.readers[0].spoiled {
		if k.err == nil {
			l.Errorf("void: %s, and the check does not find it", k.how)
		}
	}
	l.Figure("%s: %d builds print %d lines a second together; %d readers, one of them Chromium (%d lines), get %d a second in order, none lost, p50 %v, p99 %v: %s; %d lines are stored whole",
		l.store, l.builds, h.printed, l.readers, inTab, h.lines, h.p50, h.p99, metOrNot(h.p99 <= lineLimit), p.stored())
	if *prove && h.p99 > lineLimit {
		l.Errorf("p99 is %v, want at most %v", h.p99, lineLimit)
	}
	l.above(s, token, rate)
}

func metOrNot(met bool) string {
	if met {
		return "met"
	}
	return "not met"
}

// above is one build that prints four times what is shown of it.
func (l *linesClaim) above(s *Server, token string, rate int) {
	l.Helper()
	p := newPrinting(l.C, s, token, 1)
	defer p.close()
	p.read(1)
	p.hold(4*rate, 4*time.Second)
	p.end()
	r := p.readers[0]
	whole := p.stored()
	if r.gaps == 0 || r.hidden < whole/4 {
		l.Errorf("of %d lines at four times the cap, %d were hidden, in %d gaps", whole, r.hidden, r.gaps)
	}
	l.Figure("at four times the cap of %d a second, %d lines of %d are left out behind %d gap marks, and all are stored", rate, r.hidden, whole, r.gaps)
}

// rising is the second half: nothing is hidden, and the rate rises until lines come too late.
func (l *linesClaim) rising(rate int) {
	l.Helper()
	s, ann := l.server(0)
	p := newPrinting(l.C, s, ann.Token(ann.Team.ID, hosting.ScopeAdmin), l.builds)
	defer p.close()
	p.read(l.readers)
	var best, late held
	if *prove { // that of before is measured
		rate = int(float64(rate) * lineStep)
	}
	for steps, failed := 0, 0; failed < 2 && steps < 12; steps++ {
		from, to := p.hold(rate, min(l.span, 3*time.Second))
		<-time.After(2 * lineLimit) // what comes later than that is late in any case
		h := p.held(from, to, l.readers)
		// Printers that are kept waiting print less than they are told to: that is too late, too.
		if h.p99 > lineLimit || h.printed < rate*l.builds*9/10 {
			late, failed = h, failed+1 // tried twice: once may be somebody else's doing
			continue
		}
		if best, failed = h, 0; !*prove {
			late = h
			break
		}
		rate = int(float64(rate) * lineStep)
	}
	p.end()
	for _, r := range p.readers {
		if r.gaps > 0 {
			l.Errorf("without a cap there are %d gaps", r.gaps)
		}
	}
	l.Figure("%s, rising: %d lines a second with p99 %v (goal %d: %s), at %d a second p99 %v; %d lines are stored whole",
		l.store, best.printed, best.p99, lineGoal, metOrNot(best.printed >= lineGoal), late.printed, late.p99, p.stored())
}
