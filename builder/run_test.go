package builder_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// script is a package.json whose build is plain node.
func script(js string) string {
	return `{"name":"x","private":true,"scripts":{"build":"node build.js"}}` + "\x00" + js
}

// project returns the files of one that builds with js.
func project(js string) []string {
	pkg, js, _ := strings.Cut(script(js), "\x00")
	return []string{
		"package.json", pkg, "build.js", "const fs = require('fs');\n" + js,
		"package-lock.json", `{"name":"x","lockfileVersion":3,"requires":true,"packages":{"":{"name":"x"}}}`,
	}
}

const page = "<!doctype html><title>hello</title>"

func archiveJob() hosting.Job {
	return hosting.Job{Source: hosting.Source{Kind: hosting.SourceArchive}}
}

// building is a control whose job is an archive of a project that builds with js.
func building(t *testing.T, js string) *control {
	t.Helper()
	c := newControl(t, archiveJob())
	c.archive = archive(t, project(js)...)
	return c
}

func TestRun_PublishesACommit(t *testing.T) {
	r := newRepository(t)
	id := r.commit("say hello\x07\n\nand more", "index.html", page, "about/index.html", page, ".env", "SECRET=1", "style.css", strings.Repeat("a { color: red }\n", 200))
	c := newControl(t, r.job(""))
	inv := c.succeeds()
	if len(inv.Files) != 3 || inv.Framework != "static" || inv.Fallback != hosting.FallbackNone {
		t.Errorf("got %+v", inv)
	}
	last := c.beats[len(c.beats)-1]
	if last.Commit != id || last.Message != "say hello" || last.Author != "Ann" {
		t.Errorf("the heartbeat says %+v", last)
	}
	for _, want := range []string{"Fetching the default branch", "Commit " + id, "The folder holds 3 files", "1 name left out", "Uploaded"} {
		if !strings.Contains(c.text(), want) {
			t.Errorf("the log does not say %q:\n%s", want, c.text())
		}
	}
}

func TestRun_ResolvesBranchThenTagThenCommit(t *testing.T) {
	r := newRepository(t)
	first := r.commit("first", "index.html", "first")
	r.git("tag", "v1")
	r.git("tag", "both")
	second := r.commit("second", "index.html", "second")
	r.git("tag", "-a", "v2", "-m", "annotated")
	r.git("branch", "both")
	r.git("branch", "feature/x")
	r.commit("third", "index.html", "third")
	for _, c := range []struct{ ref, want string }{
		{"v1", first}, {"v2", second}, {"both", second}, {"feature/x", second}, {first, first}, {second, second},
	} {
		t.Run(c.ref, func(t *testing.T) {
			got := newControl(t, r.job(c.ref))
			got.succeeds()
			if b := got.beats[len(got.beats)-1]; b.Commit != c.want {
				t.Errorf("got %s, want %s", b.Commit, c.want)
			}
		})
	}
}

func TestRun_FetchesCommitsFromServersThatAdvertiseOnlyBranches(t *testing.T) {
	r := newRepository(t)
	first := r.commit("first", "index.html", "first")
	r.commit("second", "index.html", "second")
	r.old.Store(true)
	c := newControl(t, r.job(first))
	c.succeeds()
	if b := c.beats[len(c.beats)-1]; b.Commit != first {
		t.Errorf("got %s", b.Commit)
	}
	newControl(t, r.job(strings.Repeat("b", 40))).fails(hosting.FailRefNotFound)
}

func TestRun_SaysWhyASourceCannotBeFetched(t *testing.T) {
	r := newRepository(t)
	r.commit("first", "index.html", page)
	empty := newRepository(t)
	closed := r.job("main")
	closed.Policy = hosting.SourcePolicy{}
	elsewhere := func(url string) hosting.Job { j := r.job("main"); j.Source.URL = url; return j }
	for name, c := range map[string]struct {
		job  hosting.Job
		code string
		says string
	}{
		"no repository":        {elsewhere(strings.Replace(r.url, "site", "none", 1)), hosting.FailRepositoryNotFound, "does not exist"},
		"no branch":            {r.job("nowhere"), hosting.FailRefNotFound, `"nowhere"`},
		"no commit":            {r.job(strings.Repeat("a", 40)), hosting.FailRefNotFound, "no"},
		"no commit at all":     {empty.job(""), hosting.FailRefNotFound, "no commit yet"},
		"an address inside":    {closed, hosting.FailSourceRefused, "may not be fetched"},
		"an option as address": {elsewhere("--upload-pack=touch /tmp/x"), hosting.FailSourceInvalid, "Git URL"},
		"an option as ref":     {r.job("--upload-pack=x"), hosting.FailSourceInvalid, "branch, tag or commit"},
		"a local file":         {elsewhere("file://" + r.dir), hosting.FailSourceInvalid, "https://"},
		"nobody listens":       {elsewhere("http://127.0.0.1:1/x"), hosting.FailRepositoryNotFound, "its host cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newControl(t, c.job)
			reason := f.fails(c.code)
			if !strings.Contains(reason, c.says) || strings.Contains(reason, "fairway:") {
				t.Errorf("got %q, want %q in it and no credential", reason, c.says)
			}
		})
	}
}

func TestRun_InstallsAndBuilds(t *testing.T) {
	c := building(t, `
		fs.mkdirSync('dist/assets', {recursive: true});
		fs.writeFileSync('dist/index.html', '`+page+`');
		fs.writeFileSync('dist/assets/app.js', 'x'.repeat(5000));
		console.log('\u001b[32mbuilt\u001b[0m with ' + process.env.CI);
		console.error('a warning');`)
	c.job.LogNext = 7 // an earlier attempt wrote six lines
	inv := c.succeeds()
	if len(inv.Files) != 2 || len(inv.Files[0].Forms) != 2 || inv.Framework != "other" {
		t.Errorf("got %+v", inv)
	}
	if c.log[0].N != 7 {
		t.Errorf("the first line has the number %d", c.log[0].N)
	}
	for _, want := range []string{"$ npm ci", "building out: \x1b[32mbuilt\x1b[0m with true", "building err: a warning", "dist holds 2 files", "npm because of package-lock.json"} {
		if !strings.Contains(c.text(), want) {
			t.Errorf("the log does not say %q:\n%s", want, c.text())
		}
	}
	var phases []string
	for _, b := range c.beats {
		if p := string(b.Phase); len(phases) == 0 || phases[len(phases)-1] != p {
			phases = append(phases, p)
		}
	}
	if got := strings.Join(phases, " "); !strings.Contains(got, "installing") || !strings.Contains(got, "building") {
		t.Errorf("the heartbeats went through %s", got)
	}
}

func TestRun_InstallsOnceMoreWithoutALockfileThatDoesNotFit(t *testing.T) {
	files := project(`fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'x');`)
	files[1] = `{"name":"x","private":true,"dependencies":{"y":"file:y"},"scripts":{"build":"node build.js"}}`
	c := newControl(t, archiveJob())
	c.archive = archive(t, append(files, "y/package.json", `{"name":"y","version":"1.0.0"}`)...)
	c.succeeds()
	for _, want := range []string{"does not fit", "$ npm install"} {
		if !strings.Contains(c.text(), want) {
			t.Errorf("the log does not say %q:\n%s", want, c.text())
		}
	}
}

func TestRun_GivesTheBuildNothingButItsEnvironment(t *testing.T) {
	t.Setenv("PLATFORM_SECRET", "s3cret")
	c := building(t, `
		const names = Object.keys(process.env).sort().join(' ');
		fs.mkdirSync('dist');
		fs.writeFileSync('dist/index.html', JSON.stringify({names, git: fs.existsSync('.git'), home: process.env.HOME}));`)
	inv := c.succeeds()
	got := string(content(t, inv.Files[0], c.blobs))
	for _, no := range []string{"PLATFORM_SECRET", "GIT_CONFIG", `"git":true`, os.Getenv("HOME") + `"`} {
		if strings.Contains(got, no) {
			t.Errorf("the build sees %s: %s", no, got)
		}
	}
	for _, yes := range []string{"CI", "PATH", "TMPDIR", "LANG", "FORCE_COLOR"} {
		if !strings.Contains(got, yes) {
			t.Errorf("the build does not see %s: %s", yes, got)
		}
	}
}

func TestRun_FailsWithWhatToDo(t *testing.T) {
	index := "fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'x');\n"
	for name, c := range map[string]struct {
		js   string
		set  func(*hosting.Job)
		code string
		says string
	}{
		"the build fails":      {"console.error('no such module: sails'); process.exit(3)", nil, hosting.FailBuild, "exit code 3: no such module: sails"},
		"the build is killed":  {"process.kill(process.pid, 'SIGKILL')", nil, hosting.FailBuild, "memory"},
		"no output":            {"", nil, hosting.FailOutputMissing, "outputDir"},
		"output elsewhere":     {"fs.mkdirSync('www'); fs.writeFileSync('www/index.html','x')", nil, hosting.FailOutputMissing, "pages are in www"},
		"empty output":         {"fs.mkdirSync('dist')", outputDir("dist"), hosting.FailOutputEmpty, "no files"},
		"output without pages": {"fs.mkdirSync('dist'); fs.writeFileSync('dist/a.txt','x')", outputDir("dist"), hosting.FailOutputEmpty, "no HTML page"},
		"set output missing":   {index, outputDir("www"), hosting.FailOutputMissing, "pages are in dist"},
		"output is a way out":  {"fs.symlinkSync('/etc', 'www')", outputDir("www"), hosting.FailOutputMissing, "www"},
		"no source left":       {"fs.rmSync(process.cwd(), {recursive: true})", nil, hosting.FailOutputMissing, "removed the folder"},
		"name is no UTF-8":     {index + `fs.writeFileSync(Buffer.from('646973742fff2e747874', 'hex'), 'x')`, nil, hosting.FailOutputInvalid, `\xff.txt`},
		"a link that leaves":   {index + "fs.symlinkSync('/etc/passwd', 'dist/passwd.txt')", nil, hosting.FailOutputInvalid, "passwd.txt"},
		"a fifo":               {index + "require('child_process').execSync('mkfifo dist/pipe')", nil, hosting.FailOutputInvalid, "pipe"},
		"too many files":       {index + "for (let i = 0; i < 20; i++) fs.writeFileSync('dist/' + i, 'x')", limit(func(l *hosting.Limits) { l.Files = 10 }), hosting.FailTooLarge, "10 files"},
		"a file too large":     {index + "fs.writeFileSync('dist/big', 'x'.repeat(5000))", limit(func(l *hosting.Limits) { l.FileBytes = 4000 }), hosting.FailTooLarge, "big"},
		"a site too large":     {index + "for (let i = 0; i < 9; i++) fs.writeFileSync('dist/' + i, 'x'.repeat(1000))", limit(func(l *hosting.Limits) { l.SiteBytes = 4000 }), hosting.FailTooLarge, "4 kB"},
		"install fails":        {index, func(j *hosting.Job) { j.Settings.InstallCommand = "echo nope; exit 9" }, hosting.FailInstall, "exit code 9: nope"},
		"another Node":         {index, func(j *hosting.Job) { j.Settings.NodeVersion = "4" }, hosting.FailToolMissing, "Node.js 4"},
		"no rootDir":           {index, func(j *hosting.Job) { j.Settings.RootDir = "web" }, hosting.FailSourceInvalid, "rootDir"},
		"out of time": {"setTimeout(() => {}, 600000)", func(j *hosting.Job) {
			// Long enough to have got there on a machine that has much else to do.
			j.Settings.InstallCommand, j.Deadline = "true", time.Now().Add(8*time.Second)
		},
			hosting.FailTimeout, "it was building"},
	} {
		t.Run(name, func(t *testing.T) {
			f := building(t, c.js)
			if c.set != nil {
				c.set(&f.job)
			}
			if reason := f.fails(c.code); !strings.Contains(reason, c.says) {
				t.Errorf("got %q, want %q in it", reason, c.says)
			}
		})
	}
}

func outputDir(dir string) func(*hosting.Job) {
	return func(j *hosting.Job) { j.Settings.OutputDir = dir }
}

func limit(set func(*hosting.Limits)) func(*hosting.Job) {
	return func(j *hosting.Job) { set(&j.Limits) }
}

func TestRun_FailsWhereNothingCanBeBuilt(t *testing.T) {
	c := newControl(t, archiveJob())
	c.archive = archive(t, "README.md", "hello")
	c.fails(hosting.FailNoPlan)
}

func TestRun_NamesTheToolThatIsMissing(t *testing.T) {
	c := newControl(t, archiveJob())
	c.archive = archive(t, "package.json", `{"scripts":{"build":"true"}}`, "bun.lock", "{}")
	if reason := c.fails(hosting.FailToolMissing); !strings.Contains(reason, "npm install -g bun") {
		t.Errorf("got %q", reason)
	}
}

func TestRun_NamesTheGeneratorThatIsMissing(t *testing.T) {
	c := newControl(t, archiveJob())
	c.archive = archive(t, "book.toml", "[book]\n")
	c.env = []string{"PATH=" + t.TempDir()}
	if reason := c.fails(hosting.FailToolMissing); !strings.Contains(reason, "mdbook is not installed") {
		t.Errorf("got %q", reason)
	}
}

func TestRun_SaysWhereAFileAsksForAnotherNode(t *testing.T) {
	for version, want := range map[string]bool{"4.9.1": true, ">=4": false} {
		c := newControl(t, archiveJob())
		c.archive = archive(t, append(project("fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'x')"), ".nvmrc", version)...)
		c.succeeds()
		if got := strings.Contains(c.text(), ".nvmrc asks for Node.js "+version); got != want {
			t.Errorf("%s: said %v", version, got)
		}
	}
}

func TestRun_EndsAtOnceWithAllItsProcessesWhenItIsGone(t *testing.T) {
	pidFile := t.TempDir() + "/pid"
	// A grandchild in a session of its own, which holds the pipe and has left its parent.
	c := building(t, `
		const child = require('child_process').spawn('sleep', ['600'], {detached: true, stdio: 'inherit'});
		fs.writeFileSync('`+pidFile+`', String(child.pid));
		console.log('sleeping');
		setTimeout(() => {}, 600000);`)
	c.onLine = func(c *control, l hosting.LogLine) { c.gone = c.gone || l.Text == "sleeping" }
	f, err := c.attempt(t.Context())
	if f != nil || !hosting.Is(err, hosting.CodeGone) {
		t.Errorf("got %+v, %v", f, err)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if stat, err := os.ReadFile("/proc/" + string(b) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Errorf("the build's process %d still runs: %s", pid, stat)
	}
}

func TestRun_KillsWhatABuildLeavesBehindBeforeItReadsTheOutput(t *testing.T) {
	c := building(t, `
		fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'before');
		const late = "setInterval(() => require('fs').writeFileSync('dist/index.html', 'after' + Math.random()), 1)";
		require('child_process').spawn(process.execPath, ['-e', late], {detached: true, stdio: 'ignore'}).unref();`)
	c.succeeds()
}

func TestRun_ReturnsWhenItIsTold(t *testing.T) {
	c := building(t, "console.log('sleeping'); setTimeout(() => {}, 600000)")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.onLine = func(_ *control, l hosting.LogLine) {
		if l.Text == "sleeping" {
			cancel()
		}
	}
	if f, err := c.attempt(ctx); f != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", f, err)
	}
}

func TestRun_FetchesAnArchiveAgainWhoseConnectionBroke(t *testing.T) {
	c := newControl(t, archiveJob())
	c.archive = archive(t, "index.html", page, "big.txt", strings.Repeat(page, 1000))
	c.cuts = 2
	if inv := c.succeeds(); len(inv.Files) != 2 {
		t.Errorf("published %+v", inv.Files)
	}
	c = newControl(t, archiveJob())
	c.archive = archive(t, "index.html", page)
	c.archive = c.archive[:len(c.archive)-20]
	c.fails(hosting.FailSourceInvalid) // a whole body that is no whole archive
}

func TestRun_UploadsAgainWhatControlLost(t *testing.T) {
	c := newControl(t, archiveJob())
	c.archive = archive(t, "index.html", page)
	tries := 0
	c.onFinish = func(c *control) error {
		if tries++; tries > 1 {
			return nil
		}
		clear(c.blobs)
		return hosting.Errorf(hosting.CodeIncomplete, "1 blob is absent")
	}
	c.succeeds()
	if tries != 2 {
		t.Errorf("finished %d times", tries)
	}
}

// The store of the logs may lose lines that it has acknowledged, as late as the end is reported.
func TestRun_SendsLinesAgainThatControlLost(t *testing.T) {
	for name, fails := range map[string]bool{"published": false, "failed": true} {
		t.Run(name, func(t *testing.T) {
			c := building(t, `for (let i = 0; i < 500; i++) console.log('line ' + i);
				fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'x'); process.exit(`+map[bool]string{true: "1", false: "0"}[fails]+`)`)
			tries := 0
			c.onFinish = func(c *control) error {
				if tries++; tries == 1 {
					c.log = c.log[:3]
				}
				return nil
			}
			if fails {
				c.fails(hosting.FailBuild)
			} else {
				c.succeeds()
			}
			if tries < 2 || c.finished.LogNext == 0 || !strings.Contains(c.text(), "line 0\n") || !strings.Contains(c.text(), "line 499\n") {
				t.Errorf("finished %d times, with %d lines:\n%.2000s", tries, len(c.log), c.text())
			}
		})
	}
}

func TestRun_SaysHowMuchOfALogWasLeftOut(t *testing.T) {
	c := building(t, `
		for (let i = 0; i < 5000; i++) console.log('line ' + i);
		fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'x');`)
	c.job.Limits.LogBytes = 20_000
	c.succeeds()
	if !strings.Contains(c.text(), "lines were left out: a log holds at most 20 kB") || strings.Contains(c.text(), "line 4999") {
		t.Errorf("got %d lines:\n%.3000s", len(c.log), c.text())
	}
}

func TestRun_SwitchesTheFallbackOffForA404Page(t *testing.T) {
	vite := func(js string) []string {
		f := project(js)
		f[1] = `{"name":"x","private":true,"dependencies":{"vite":"file:vite"},"scripts":{"build":"node build.js"}}`
		return append(f[:4], "vite/package.json", `{"name":"vite","version":"5.0.0"}`)
	}
	index := "fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', 'x');"
	for js, want := range map[string]hosting.Fallback{
		index: hosting.FallbackSPA,
		index + "fs.writeFileSync('dist/404.html', 'x')": hosting.FallbackNone,
	} {
		c := newControl(t, archiveJob())
		c.archive = archive(t, vite(js)...)
		if inv := c.succeeds(); inv.Fallback != want || inv.Framework != "vite" {
			t.Errorf("got %s of %s, want %s", inv.Fallback, inv.Framework, want)
		}
	}
}
