package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// history gives control a project with deployments of every kind; the fourth is live.
func history(c *control) {
	shop := c.addProject(hosting.NewProject{Name: "Shop", Slug: "shop", GitURL: "https://git.test/ann/shop.git"})
	c.addProject(hosting.NewProject{Name: "Docs", Slug: "docs"})
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	git := func(commit, message, ref string) hosting.Source {
		return hosting.Source{Kind: hosting.SourceGit, Commit: commit + strings.Repeat("0", 33), Message: message, Ref: ref}
	}
	add := func(d hosting.Deployment) {
		d.Project = shop.ID
		if d.Target == "" {
			d.Target = hosting.TargetProduction
		}
		c.add(d)
	}
	add(hosting.Deployment{Status: hosting.StatusReady, Source: git("aaaaaaa", "First page", "main"), CreatedAt: at(80 * 24 * time.Hour), StartedAt: at(90 * time.Minute), FinishedAt: at(89*time.Minute - 30*time.Second)})
	add(hosting.Deployment{Status: hosting.StatusReady, Source: git("bbbbbbb", "Basket", "basket"), Target: hosting.TargetPreview, CreatedAt: at(30 * time.Hour), StartedAt: at(time.Hour), FinishedAt: at(time.Hour - 12*time.Second)})
	add(hosting.Deployment{Status: hosting.StatusFail, Source: git("ccccccc", "Break\nthe \x1b[31mbuild", "main"), CreatedAt: at(5 * time.Hour), StartedAt: at(time.Hour), FinishedAt: at(time.Hour - 3200*time.Millisecond)})
	add(hosting.Deployment{Status: hosting.StatusReady, Production: true, Source: git("ddddddd", "Mend the build, with a message that is much longer than a line", "main"), CreatedAt: at(3 * time.Minute), StartedAt: at(time.Hour), FinishedAt: at(time.Hour - 61*time.Second)})
	add(hosting.Deployment{Status: hosting.StatusCanceled, Source: hosting.Source{Kind: hosting.SourceArchive}, CreatedAt: at(50 * time.Second)})
	add(hosting.Deployment{Status: hosting.StatusInProgress, Phase: hosting.PhaseBuilding, Source: git("fffffff", "Next", "main"), CreatedAt: at(2 * time.Second)})
	latest := *c.deployments[5]
	shop.LatestDeployment = &latest
}

func TestTables_AreAlignedAndQuiet(t *testing.T) {
	c := newControl(t)
	p := newPerson(t, c.dir)
	p.run("projects").ok().golden("projects_none")
	history(c)
	p.run("projects").ok().golden("projects")
	p.run("deployments", "shop").ok().golden("deployments")
	p.run("deployments", "docs").ok().golden("deployments_none")
	p.terminal, p.width = true, 110
	p.run("deployments", "shop").ok().golden("deployments_terminal")
	p.width = 80
	p.run("deployments", "shop", "--no-color").ok().golden("deployments_narrow")
}

func TestDeployments_WithoutAProjectAreOfTheFolder(t *testing.T) {
	c := newControl(t)
	history(c)
	p := newPerson(t, folder(t, c.dir+"/Shop", nil))
	p.dir = c.dir + "/Shop"
	if r := p.run("deployments").ok(); !strings.Contains(r.out, "dpl_aaaa") {
		t.Errorf("printed %s", r.out)
	}
}

func TestJSON_IsOneDocument(t *testing.T) {
	c := newControl(t)
	history(c)
	p := newPerson(t, c.dir)
	var projects client.List[hosting.Project]
	decode(t, p.run("projects", "--json").ok(), &projects)
	var deployments client.List[hosting.Deployment]
	decode(t, p.run("deployments", "shop", "--all", "--json").ok(), &deployments)
	var one hosting.Deployment
	decode(t, p.run("promote", "dpl_"+strings.Repeat("a", 26), "--json").ok(), &one)
	var opened struct{ URL string }
	decode(t, p.run("open", "shop", "--json").ok(), &opened)
	if len(projects.Items) != 2 || len(deployments.Items) != 6 || !one.Production || opened.URL != "https://shop.localhost" {
		t.Errorf("decoded %d projects, %d deployments, %+v, %+v", len(projects.Items), len(deployments.Items), one, opened)
	}
	p.run("projects", "--json").golden("projects_json")
}

func decode(t *testing.T, r ran, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), to); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	if r.err != "" {
		t.Errorf("stderr with --json: %q", r.err)
	}
}

// decodeLast reads the last of the lines of JSON.
func decodeLast(t *testing.T, lines string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(lastLine(lines)), to); err != nil {
		t.Fatalf("%v in %s", err, lines)
	}
}

func TestEmptyLists_AreListsInJSON(t *testing.T) {
	c := newControl(t)
	if r := newPerson(t, c.dir).run("projects", "--json").ok(); !strings.Contains(r.out, `"items": []`) {
		t.Errorf("printed %s", r.out)
	}
}

func TestColour_OnlyOnATerminalThatWantsIt(t *testing.T) {
	c := newControl(t)
	history(c)
	c.logs[c.deployments[2].ID] = buildLog()
	for _, tc := range []struct {
		name     string
		terminal bool
		env      map[string]string
		flag     string
		want     bool
	}{
		{"pipe", false, nil, "", false},
		{"terminal", true, nil, "", true},
		{"NO_COLOR", true, map[string]string{"NO_COLOR": "1"}, "", false},
		{"--no-color", true, nil, "--no-color", false},
		{"dumb terminal", true, map[string]string{"TERM": "dumb"}, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPerson(t, c.dir)
			p.terminal = tc.terminal
			for k, v := range tc.env {
				p.env[k] = v
			}
			for _, args := range [][]string{{"projects"}, {"deployments", "shop"}, {"logs", string(c.deployments[2].ID)}} {
				if tc.flag != "" {
					args = append(args, tc.flag)
				}
				if r := p.run(args...).ok(); strings.Contains(r.out+r.err, "\x1b") != tc.want {
					t.Errorf("%v: escape codes are there: %v, want %v:\n%q", args, !tc.want, tc.want, r.out)
				}
			}
		})
	}
}

func TestLogs_PrintsLinesUnderHeadingsAndPages(t *testing.T) {
	c := newControl(t)
	history(c)
	c.logs[c.deployments[2].ID] = buildLog()
	p := newPerson(t, c.dir)
	p.run("logs", string(c.deployments[2].ID)).ok().golden("logs")
	r := p.run("logs", "https://dccccccccccccccc--shop.localhost/x", "--after", "3").ok()
	if r.out != "Building\nwarning: big chunk\n" {
		t.Errorf("after line 3: %q", r.out)
	}
	p.run("logs", string(c.deployments[2].ID), "--json").ok().golden("logs_json")
	p.run("logs", "docs").failed(ExitNotFound, "no deployment yet")
	if r := p.run("logs", "shop").ok(); !strings.Contains(r.err, "fairway logs -f dpl_ffff") {
		t.Errorf("a running deployment's log says %q", r.err)
	}
	p.run("logs", "shop", "--after", "-1").failed(ExitUsage, "before the first line")
}

func TestLogs_FollowEndsAsTheDeploymentDoes(t *testing.T) {
	c := newControl(t)
	history(c)
	last := c.deployments[5]
	last.Status, last.Phase = hosting.StatusQueued, ""
	c.logs[last.ID] = buildLog()
	c.ends, c.reason = hosting.StatusFail, "the build failed"
	r := newPerson(t, c.dir).run("logs", "-f", "shop")
	r.failed(ExitFailed, "the build failed")
	if !strings.Contains(r.out, "added 12 packages") {
		t.Errorf("printed %q", r.out)
	}
}

func TestLogs_PrintsTheLinesThatAreAskedFor(t *testing.T) {
	c := newControl(t)
	history(c)
	failed, live := c.deployments[2].ID, c.deployments[3].ID
	c.logs[failed], c.logs[live] = buildLog(), buildLog()
	p := newPerson(t, c.dir)
	p.run("logs", string(failed), "--grep", "BIG").ok().golden("logs_grep")
	for args, want := range map[string]string{
		"--step building":                 "3: vite v7 building\n4: warning: big chunk\n",
		"--stream err":                    "4: warning: big chunk\n",
		"--grep n --after 2 --stream out": "3: vite v7 building\n",
		"--stream sys":                    "1: Attempt 1\n",
	} {
		if r := p.run(append([]string{"logs", string(failed)}, strings.Fields(args)...)...).ok(); r.out != want {
			t.Errorf("%s: printed %q, want %q", args, r.out, want)
		}
	}
	if r := p.run("logs", string(failed), "--grep", "nowhere").ok(); r.out != "" || r.err != "The log has no such line.\n" {
		t.Errorf("printed %q, %q", r.out, r.err)
	}
	p.run("logs", string(failed), "--grep", "big", "--json").ok().golden("logs_grep_json")

	p.run("logs", "--project", "shop", "--grep", "big").ok().golden("logs_project")
	p.run("logs", "--project", "shop.localhost", "--stream", "err", "--json").ok().golden("logs_project_json")
	if r := p.run("logs", "--project", "shop", "--grep", "big", "--since", "1h").ok(); r.out != string(live)+":4: warning: big chunk\n" {
		t.Errorf("within an hour: %q", r.out)
	}
	if r := p.run("logs", "--project", "shop", "--grep", "nowhere").ok(); r.out != "" ||
		r.err != "The logs of project shop have no such line. Those before 2026-02-12 were not looked at.\n" {
		t.Errorf("printed %q, %q", r.out, r.err)
	}
	p.terminal = true
	if r := p.run("logs", "--project", "shop", "--grep", "big").ok(); !strings.Contains(r.out, "\x1b[2m"+string(live)+":4:\x1b[0m warning") {
		t.Errorf("on a terminal: %q", r.out)
	}
}

func TestLogs_RefusesWhatDoesNotGoTogether(t *testing.T) {
	c := newControl(t)
	history(c)
	c.logs[c.deployments[5].ID] = buildLog()
	p := newPerson(t, c.dir)
	for args, part := range map[string]string{
		"":                                   "missing an argument",
		"shop --project shop --grep x":       "two things",
		"shop --since 7d":                    "--since is for --project",
		"--project shop":                     "say which",
		"--project shop --grep x -f":         "one deployment's log",
		"--project shop --grep x --after 1":  "one deployment's log",
		"-f shop --grep x":                   "pipe it through grep",
		"shop --stream x":                    "out, err or sys",
		"shop --step x":                      "installing",
		"--project shop --grep x --since 7":  "no time before now",
		"--project shop --grep x --since 0d": "no time before now",
	} {
		p.run(append([]string{"logs"}, strings.Fields(args)...)...).failed(ExitUsage, part)
	}
	p.run("logs", "--project", "none", "--grep", "x").failed(ExitNotFound, "no project")
	p.run("logs", "shop", "--grep", "big").ok()
}

func TestLogs_SaysThatALogWasDeleted(t *testing.T) {
	c := newControl(t)
	history(c)
	d := c.deployments[0]
	d.LogDeletedAt = d.FinishedAt.Add(30*24*time.Hour + 20*time.Minute)
	p := newPerson(t, c.dir)
	for _, args := range [][]string{{string(d.ID)}, {string(d.ID), "--grep", "x"}, {"-f", string(d.ID)}} {
		if r := p.run(append([]string{"logs"}, args...)...).ok(); r.out != "" || r.err != "The log was deleted after 30 days.\n" {
			t.Errorf("%v: printed %q, %q", args, r.out, r.err)
		}
	}
	if r := p.run("logs", string(c.deployments[1].ID)).ok(); r.err != "The deployment is ready and has no log.\n" {
		t.Errorf("control: %q", r.err)
	}
}

func TestParseSince_ReadsSpansAndDates(t *testing.T) {
	for in, want := range map[string]time.Time{
		"12h": noon.Add(-12 * time.Hour), "7d": noon.AddDate(0, 0, -7), "2w": noon.AddDate(0, 0, -14), "3650d": noon.AddDate(0, 0, -3650),
		"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "2026-03-14T13:00:00+02:00": noon.Add(-time.Hour),
	} {
		if got, err := parseSince(in, noon); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "d", "7", "0d", "-7d", "+7d", "1.5d", "7D", "7y", "65536d", "9999w", "2026-03-15", "1999-01-01", "2026-13-01", "yesterday"} {
		if got, err := parseSince(bad, noon); ExitCode(err) != ExitUsage {
			t.Errorf("%q is %s, %v", bad, got, err)
		}
	}
}

func FuzzParseSince(f *testing.F) {
	for _, s := range []string{"7d", "12h", "2w", "65535w", "2026-03-01", "2026-03-14T13:00:00+02:00", "0001-01-01", "d", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseSince(s, noon)
		if err == nil && (got.After(noon) || noon.Sub(got) > maxSince) || err != nil && (ExitCode(err) != ExitUsage || !got.IsZero()) {
			t.Errorf("%q is %s, %v", s, got, err)
		}
	})
}

func TestOpen_StartsABrowserOnlyOnATerminal(t *testing.T) {
	c := newControl(t)
	history(c)
	p := newPerson(t, c.dir)
	if r := p.run("open", "shop").ok(); r.out != "https://shop.localhost\n" || len(p.started) != 0 {
		t.Errorf("in a pipe: %q, started %v", r.out, p.started)
	}
	p.terminal = true
	if r := p.run("open", "shop").ok(); r.out != "https://shop.localhost\n" || len(p.started) != 1 || !strings.HasSuffix(p.started[0], " https://shop.localhost") {
		t.Errorf("on a terminal: %q, started %v", r.out, p.started)
	}
	c.projects[0].URL = "file:///etc/passwd"
	p.run("open", "shop").ok()
	if len(p.started) != 1 {
		t.Errorf("started %v", p.started)
	}
}

func TestEvery_StopsWhereTheAPIRepeatsItself(t *testing.T) {
	pages := 0
	err := every(func(p client.Page) (client.List[int], error) {
		pages++
		return client.List[int]{Items: []int{pages}, Next: "again"}, nil
	}, func(int) bool { return true })
	if err != nil || pages != 2 {
		t.Errorf("asked %d times: %v", pages, err)
	}
}

func TestSplitAddress_ReadsWhatOneWouldPaste(t *testing.T) {
	for in, want := range map[string][2]string{
		"shop":                               {"", "shop"},
		"shop.localhost":                     {"", "shop"},
		"https://shop.example.com:8443/a--b": {"", "shop"},
		"d1--shop":                           {"d1", "shop"},
		"https://d1--shop.localhost/?x=1":    {"d1", "shop"},
	} {
		label, site := splitAddress(in)
		if got := [2]string{label, site}; !slices.Equal(got[:], want[:]) {
			t.Errorf("splitAddress(%q) = %q, want %q", in, got, want)
		}
	}
}
