package deploy_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/state"
)

// overBoth runs a test over logs in files and over logs in Redis and the object store.
func overBoth(t *testing.T, test func(t *testing.T, w *world), options ...func(*world)) {
	t.Run("files", func(t *testing.T) { test(t, open(t, options...)) })
	t.Run("Redis", func(t *testing.T) {
		_, _, option := inRedis(t)
		test(t, open(t, append(options, option)...))
	})
}

// store is where the world's logs are.
func (w *world) store() logs.Store {
	if w.config.Logs != nil {
		return w.config.Logs
	}
	return w.logs
}

// built adds deployments that have ended, with their logs, as if all of it had happened now.
func (w *world) built(c hosting.Caller, p hosting.Project, texts ...[]hosting.LogLine) (ids []hosting.DeploymentID) {
	w.t.Helper()
	ctx := w.t.Context()
	w.ok(w.db.Update(ctx, func(tx state.Tx) error {
		team := w.db.Team(c.Team.ID)
		p, err := team.Projects.Get(tx, state.K(string(p.ID)))
		w.ok(err)
		for range texts {
			p.LastOrder++
			d := hosting.Deployment{
				ID: hosting.NewDeploymentID(), Project: p.ID, Team: c.Team.ID, Order: p.LastOrder, Status: hosting.StatusReady,
				CreatedAt: w.clock.Now(), FinishedAt: w.clock.Now(),
			}
			w.ok(team.Deployments.Put(tx, &d))
			ids = append(ids, d.ID)
		}
		return team.Projects.Put(tx, &p)
	}))
	for i, id := range ids {
		if len(texts[i]) == 0 {
			continue
		}
		_, err := w.store().Append(ctx, id, 1, texts[i])
		w.ok(err)
		if a, ok := w.store().(logs.Archiver); ok && i%3 != 0 { // the others are still in Redis
			_, err := a.Archive(ctx, id)
			w.ok(err)
		}
	}
	return ids
}

// said is a log of lines, all of them the output of the build.
func said(texts ...string) []hosting.LogLine { return batch(1, texts...).Lines }

// story makes the same log for the same number.
func story(n, lines int) (log []hosting.LogLine) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	for i := range lines {
		text := ""
		for range r.IntN(6) {
			text += one("Error", "error:", "WARN", "\x1b[31mERR\x1b[0mOR", "Grüße", "GRÜSSE", "ok", "\t", " ", "\x1b[1mvite\x1b[22m", "100%")
		}
		log = append(log, hosting.LogLine{
			N: int64(i + 1), At: int64(i), Stream: one("out", "out", "err", "sys"), Text: text,
			Step: hosting.Phase(one("", "installing", "building", "uploading")),
		})
	}
	return log
}

// wanted is what a filter means, told once more.
func wanted(f deploy.LogFilter, l hosting.LogLine) bool {
	text := func(s string) string { return strings.ToLower(colours.ReplaceAllString(s, "")) }
	return (f.Stream == "" || f.Stream == l.Stream) && (f.Step == "" || f.Step == l.Step) && strings.Contains(text(l.Text), text(f.Text))
}

// pages returns all that a search finds, part by part.
func (w *world) pages(c hosting.Caller, project string, q deploy.LogSearch) (found []hosting.LogMatch, parts int) {
	w.t.Helper()
	for {
		l, err := w.SearchLogs(w.t.Context(), c, project, q)
		w.ok(err)
		if parts++; q.Limit > 0 && len(l.Items) > q.Limit {
			w.t.Fatalf("a part has %d lines, %d were asked for", len(l.Items), q.Limit)
		}
		found = append(found, l.Items...)
		if l.Next == "" {
			return found, parts
		}
		if l.Next == q.After {
			w.t.Fatalf("it goes on where it was: %q", l.Next)
		}
		q.After = l.Next
	}
}

// queried returns all that a query of one log finds.
func (w *world) queried(id hosting.DeploymentID, q deploy.LogQuery) (found []hosting.LogLine) {
	w.t.Helper()
	for {
		part, err := w.QueryLog(w.t.Context(), ann, id, q)
		w.ok(err)
		found = append(found, part.Lines...)
		if part.Next == q.After {
			return found
		}
		q.After = part.Next
	}
}

var filters = map[string]deploy.LogFilter{
	"everything":         {},
	"a word":             {Text: "error"},
	"another case":       {Text: "VITE"},
	"other letters":      {Text: "grüße"},
	"with colours in it": {Text: "\x1b[32merror\x1b[0m"},
	"no letters":         {Text: "100%"},
	"a stream":           {Stream: "err"},
	"a step":             {Step: hosting.PhaseBuilding},
	"all of it":          {Stream: "sys", Step: hosting.PhaseUploading, Text: "o"},
	"what is nowhere":    {Text: "nowhere"},
}

func TestLogs_AreFoundAlikeInBothStoresEachLineOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		p := w.project("site")
		var stories [][]hosting.LogLine
		for n := range 45 {
			stories = append(stories, story(n, n%7*5))
		}
		stories[20] = story(20, 2300) // of several reads
		ids := w.built(ann, p, stories...)
		for name, f := range filters {
			var want []hosting.LogMatch
			for i, id := range slices.Backward(ids) {
				var lines []hosting.LogLine
				for _, l := range stories[i] {
					if wanted(f, l) {
						lines = append(lines, l)
						want = append(want, hosting.LogMatch{Deployment: id, Line: l})
					}
				}
				if got := w.queried(id, deploy.LogQuery{LogFilter: f, Limit: 9}); i%20 == 0 && !slices.Equal(got, lines) {
					t.Errorf("%s: log %d has %d such lines, found %d", name, i, len(lines), len(got))
				}
			}
			if name != "what is nowhere" && len(want) == 0 {
				t.Errorf("%s: there is no such line to find", name)
			}
			for _, limit := range []int{13, 250, 1000} {
				got, parts := w.pages(ann, "site", deploy.LogSearch{LogFilter: f, Limit: limit})
				if !slices.Equal(got, want) {
					t.Errorf("%s, %d at once: %d lines found in %d parts, want %d", name, limit, len(got), parts, len(want))
				}
			}
		}
	})
}

// The log of a real build, while it runs and once it has ended.
func TestLogs_OfABuildAreFoundAsItPrintsThem(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		d := w.pushAdmitted(w.project("site"))
		_, err := w.job(d).AppendLog(t.Context(), batch(1, "vite v7", "\x1b[31mError\x1b[39m: \x1b[1mno\x1b[22m such file", "bye"))
		w.ok(err)
		find := func(text string) []hosting.LogMatch {
			found, _ := w.pages(ann, "site", deploy.LogSearch{LogFilter: deploy.LogFilter{Text: text}})
			return found
		}
		if got := find("error: NO such"); len(got) != 1 || got[0].Line.N != 2 || got[0].Deployment != d.ID {
			t.Errorf("while it runs: %v", got)
		}
		_, err = w.Cancel(t.Context(), ann, d.ID)
		w.ok(err)
		if got := find("canceled by ann"); len(got) != 1 || got[0].Line.Stream != "sys" {
			t.Errorf("its end: %v", got)
		}
	})
}

// A search has the deployments that were made in its span, which is the last 30 days.
func TestSearchLogs_HasASpan(t *testing.T) {
	w := open(t)
	p := w.project("site")
	day := func(n int) time.Time { return w.clock.Now().AddDate(0, 0, n) }
	var all []hosting.DeploymentID
	for range 5 { // 40, 30, 20, 10 and 0 days ago
		all = append(all, w.built(ann, p, said("a line"))...)
		w.clock.pass(10 * 24 * time.Hour)
	}
	w.clock.pass(-10 * 24 * time.Hour)
	slices.Reverse(all)
	for name, c := range map[string]struct {
		since, until time.Time
		want         []hosting.DeploymentID
	}{
		"when nothing is said":  {want: all[:4]},
		"since":                 {since: day(-10), want: all[:2]},
		"a bit later":           {since: day(-10).Add(1), want: all[:1]},
		"until":                 {until: day(-10), want: all[2:4]},
		"a bit longer":          {until: day(-10).Add(1), want: all[1:4]},
		"both":                  {since: day(-40), until: day(-15), want: all[2:]},
		"long before the first": {since: day(-400), want: all},
		"before the first":      {since: day(-400), until: day(-41)},
	} {
		found, _ := w.pages(ann, "site", deploy.LogSearch{Since: c.since, Until: c.until, Limit: 1})
		var got []hosting.DeploymentID
		for _, m := range found {
			got = append(got, m.Deployment)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: found %v, want %v", name, got, c.want)
		}
	}
	_, err := w.SearchLogs(t.Context(), ann, "site", deploy.LogSearch{Since: day(-1), Until: day(-1)})
	w.refused(err, hosting.CodeInvalid)
}

// watched counts what is asked of a store of logs.
type watched struct {
	logs.Store
	mu      sync.Mutex
	read    map[hosting.DeploymentID]bool
	bytes   int
	deleted map[hosting.DeploymentID]int
	fail    func(hosting.DeploymentID) error // of a deletion
}

func (s *watched) Read(ctx context.Context, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error) {
	lines, err := s.Store.Read(ctx, id, after, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[id] = true
	for _, l := range lines {
		s.bytes += len(l.Text)
	}
	return lines, err
}

func (s *watched) Delete(ctx context.Context, id hosting.DeploymentID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(id); err != nil {
			return err
		}
	}
	s.deleted[id]++
	return s.Store.Delete(ctx, id)
}

// Archive is the store's, where it has one.
func (s *watched) Archive(ctx context.Context, id hosting.DeploymentID) (int64, error) {
	if a, ok := s.Store.(logs.Archiver); ok {
		return a.Archive(ctx, id)
	}
	return s.Next(ctx, id)
}

// watching has the world's logs, wherever they are, looked at.
func (w *world) watching() *watched {
	s := &watched{Store: w.store(), read: map[hosting.DeploymentID]bool{}, deleted: map[hosting.DeploymentID]int{}}
	w.config.Logs = s
	w.close()
	w.start()
	s.reopened(w)
	return s
}

// reopened is called after a restart, which opens logs in files anew.
func (s *watched) reopened(w *world) {
	if _, elsewhere := s.Store.(logs.Archiver); !elsewhere {
		s.Store = w.logs
	}
}

func TestSearchLogs_LooksAtNoMoreThanItsShareAtOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		const count = 200
		s := w.watching()
		p := w.project("site")
		logs := make([][]hosting.LogLine, count)
		for i := range logs {
			logs[i] = said("one", "two", fmt.Sprint("three ", i))
		}
		w.built(ann, p, logs...)
		search := func(text string) (found, parts int) {
			q := deploy.LogSearch{LogFilter: deploy.LogFilter{Text: text}}
			for {
				clear(s.read)
				l, err := w.SearchLogs(t.Context(), ann, "site", q)
				w.ok(err)
				if len(s.read) > deploy.SearchedLogs {
					t.Fatalf("it reads %d logs", len(s.read))
				}
				found, parts = found+len(l.Items), parts+1
				if q.After = l.Next; q.After == "" {
					return found, parts
				}
			}
		}
		if found, parts := search("nowhere"); found != 0 || parts < count/deploy.SearchedLogs || parts > count/deploy.SearchedLogs+1 {
			t.Errorf("what is nowhere: %d lines, in %d parts", found, parts)
		}
		if found, parts := search("three 0"); found != 1 { // of the oldest
			t.Errorf("control: %d lines, in %d parts", found, parts)
		}
	})
}

func TestLogs_ThatAreLongAreLookedThroughInParts(t *testing.T) {
	w := open(t)
	s := w.watching()
	p := w.project("site")
	texts := make([]string, 2000)
	for i := range texts {
		texts[i] = strings.Repeat("x", hosting.MaxLogLine-1)
	}
	texts[len(texts)-1] = "the last"
	id := w.built(ann, p, said(texts...), said("shorter"))[0]
	const most = deploy.SearchedBytes + 1000*hosting.MaxLogLine // and one read of lines
	size, parts := 0, 0
	for q := (deploy.LogQuery{LogFilter: deploy.LogFilter{Text: "the last"}}); ; parts++ {
		s.bytes = 0
		part, err := w.QueryLog(t.Context(), ann, id, q)
		w.ok(err)
		if s.bytes > most {
			t.Errorf("a query reads %d bytes", s.bytes)
		}
		size += s.bytes
		if len(part.Lines) == 1 || part.Next == q.After {
			if part.Next != int64(len(texts)) || len(part.Lines) != 1 || parts < 3 {
				t.Errorf("after %d parts: %v", parts, part)
			}
			break
		}
		q.After = part.Next
	}
	if size < 31<<20 {
		t.Errorf("the log has %d bytes", size)
	}
	found, n := w.pages(ann, "site", deploy.LogSearch{LogFilter: deploy.LogFilter{Text: "the last"}})
	if len(found) != 1 || n < 3 {
		t.Errorf("of the project: %d lines, in %d parts", len(found), n)
	}
}

func TestLogs_OfOthersAreFoundByNobody(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		bob := in("team_bob")
		one, other, bobs := w.project("one"), w.project("other"), w.projectOf(bob, "bobs")
		log := said("the same line")
		ids := map[hosting.ProjectID][]hosting.DeploymentID{
			one.ID: w.built(ann, one, log, log), other.ID: w.built(ann, other, log, log), bobs.ID: w.built(bob, bobs, log, log),
		}
		tokenOf := func(c hosting.Caller, p hosting.Project) hosting.Caller { c.Project = p.ID; return c }
		q := deploy.LogSearch{LogFilter: deploy.LogFilter{Text: "the same"}, Limit: 1}
		cursors := map[hosting.ProjectID]string{}
		for name, c := range map[string]struct {
			caller hosting.Caller
			sees   []hosting.Project
		}{
			"ann": {ann, []hosting.Project{one, other}}, "bob": {bob, []hosting.Project{bobs}},
			"a token of one project": {tokenOf(ann, one), []hosting.Project{one}},
		} {
			for _, p := range []hosting.Project{one, other, bobs} {
				sees := slices.ContainsFunc(c.sees, func(q hosting.Project) bool { return q.ID == p.ID })
				for _, named := range []string{string(p.ID), p.Slug} {
					l, err := w.SearchLogs(ctx, c.caller, named, q)
					if !sees {
						w.refused(err, hosting.CodeNotFound)
						continue
					}
					w.ok(err)
					cursors[p.ID] = l.Next
					found, _ := w.pages(c.caller, named, q)
					if len(found) != 2 || found[0].Deployment != ids[p.ID][1] || found[1].Deployment != ids[p.ID][0] {
						t.Errorf("%s finds %v of %s", name, found, named)
					}
				}
				part, err := w.QueryLog(ctx, c.caller, ids[p.ID][0], deploy.LogQuery{LogFilter: q.LogFilter})
				if sees == hosting.Is(err, hosting.CodeNotFound) || sees != (len(part.Lines) == 1) {
					t.Errorf("%s finds %v (%v) in the log of %s", name, part.Lines, err, p.Slug)
				}
			}
		}
		for of, cursor := range cursors { // one of another project is a number, and leads nowhere else
			for _, c := range []struct {
				caller  hosting.Caller
				project hosting.Project
			}{{ann, one}, {ann, other}, {bob, bobs}} {
				found, _ := w.pages(c.caller, c.project.Slug, deploy.LogSearch{LogFilter: q.LogFilter, After: cursor})
				for _, m := range found {
					if !slices.Contains(ids[c.project.ID], m.Deployment) {
						t.Errorf("a cursor of %s finds %v in %s", of, m, c.project.Slug)
					}
				}
			}
		}
		w.deleted(ctx, ann, "one")
		_, err := w.SearchLogs(ctx, ann, string(one.ID), q)
		w.refused(err, hosting.CodeNotFound)
	})
}

func TestLogs_BadQueriesAreRefused(t *testing.T) {
	w := open(t)
	id := w.built(ann, w.project("site"), said("a line"))[0]
	for name, f := range map[string]deploy.LogFilter{
		"a stream": {Stream: "x"}, "a step": {Step: "x"}, "a long text": {Text: strings.Repeat("ü", 201)}, "two lines": {Text: "a\nb"},
		"no UTF-8": {Text: "\xff"}, "a colour alone": {Text: "\x1b[1m"},
	} {
		_, errOne := w.QueryLog(t.Context(), ann, id, deploy.LogQuery{LogFilter: f})
		_, errAll := w.SearchLogs(t.Context(), ann, "site", deploy.LogSearch{LogFilter: f})
		if !hosting.Is(errOne, hosting.CodeInvalid) || !hosting.Is(errAll, hosting.CodeInvalid) {
			t.Errorf("%s: %v, %v", name, errOne, errAll)
		}
	}
	encode := base64.RawURLEncoding.EncodeToString
	for _, after := range []string{"x", encode([]byte("1")), encode([]byte("0-1")), encode([]byte("1--1")), encode([]byte("01-1")), encode([]byte("1-1 "))} {
		_, err := w.SearchLogs(t.Context(), ann, "site", deploy.LogSearch{After: after})
		if !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("the cursor %q: %v", after, err)
		}
	}
	for _, limit := range []int{-1, 1001} {
		_, err := w.SearchLogs(t.Context(), ann, "site", deploy.LogSearch{Limit: limit})
		w.refused(err, hosting.CodeInvalid)
	}
	long := deploy.LogFilter{Text: strings.Repeat("ü", 200)}
	_, err := w.SearchLogs(t.Context(), ann, "site", deploy.LogSearch{LogFilter: long, Limit: 1000, After: encode([]byte("1-1"))})
	w.ok(err)
	_, err = w.QueryLog(t.Context(), ann, id, deploy.LogQuery{LogFilter: long})
	w.ok(err)
}

func FuzzReadCursor(f *testing.F) {
	for _, s := range []string{"", "1-0", "7-123", "0-0", "1-", "-1", "1--1", "18446744073709551615-9223372036854775807", "18446744073709551616-1"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(s)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := deploy.ReadCursor(s); (err == nil && got != s) || (err != nil && !hosting.Is(err, hosting.CodeInvalid)) {
			t.Errorf("%q is read as %q, %v", s, got, err)
		}
	})
}

func FuzzColourless(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[0m", "a\x1b[31;1mred\x1b[0mb", "\x1b[", "\x1b", "\x1b\x1b[m", "\x1b]8;;x\a", "\x1b[3\x1b[3m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := deploy.Colourless(s), colours.ReplaceAllString(s, ""); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	})
}
