package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/hosting"
)

var page = map[string]string{"index.html": "<h1>hello</h1>", "style.css": "h1{}", "img/a.svg": "<svg/>"}

const buildable = `{"scripts":{"build":"vite build"}}`

func buildLog() []hosting.LogLine {
	at := noon.UnixMilli()
	return []hosting.LogLine{
		{N: 1, At: at, Stream: "sys", Step: hosting.PhaseProvisioning, Text: "Attempt 1"},
		{N: 2, At: at + 400, Stream: "out", Step: hosting.PhaseInstalling, Text: "added 12 packages in 3 s"},
		{N: 3, At: at + 3400, Stream: "out", Step: hosting.PhaseBuilding, Text: "\x1b[36mvite v7\x1b[39m building"},
		{N: 4, At: at + 9000, Stream: "err", Step: hosting.PhaseBuilding, Text: "warning: \x1b]0;owned\x07\x1b[2Jbig chunk"},
	}
}

func TestDeploy_PublishesAFolderWithoutABuildAsItIs(t *testing.T) {
	c := newControl(t)
	p := newPerson(t, folder(t, filepath.Join(c.dir, "static"), page))
	r := p.run("deploy").ok().golden("deploy_static")
	if r.out != "https://static.localhost\n" {
		t.Errorf("stdout is not the address alone: %q", r.out)
	}
	if len(c.inventory.Files) != 3 || c.inventory.Fallback != hosting.FallbackNone || len(c.blobs) != 3 {
		t.Errorf("published %+v with %d blobs", c.inventory, len(c.blobs))
	}
	p.run("deploy", "--spa").ok()
	if c.inventory.Fallback != hosting.FallbackSPA {
		t.Errorf("fallback is %q with --spa", c.inventory.Fallback)
	}
	for digest, n := range c.blobs {
		if n != 1 {
			t.Errorf("blob %s was uploaded %d times", digest, n)
		}
	}
	if len(c.projects) != 1 {
		t.Errorf("%d projects after two deployments of one folder", len(c.projects))
	}
}

func TestDeploy_BuildsAFolderThatHasABuildScript(t *testing.T) {
	c := newControl(t)
	c.logs["dpl_aaaaaaaaaaaaaaaaaaaaaaaaaa"] = buildLog()
	dir := folder(t, filepath.Join(c.dir, "My Shop"), map[string]string{
		"package.json": buildable, "src/main.js": "1", "node_modules/x/index.js": "2", ".env": "SECRET=1",
	})
	r := newPerson(t, dir).run("deploy").ok().golden("deploy_build")
	if lastLine(r.out) != "https://my-shop.localhost" || strings.Count(r.out, "\n") != 1 {
		t.Errorf("stdout is not the address alone: %q", r.out)
	}
	if got, want := unpack(t, c.source), []string{"package.json", "src/main.js"}; !slices.Equal(got, want) {
		t.Errorf("packed %v, want %v", got, want)
	}
}

func unpack(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

func TestDeploy_PrebuiltPublishesWhatWouldBeBuilt(t *testing.T) {
	c := newControl(t)
	dir := folder(t, filepath.Join(c.dir, "shop"), map[string]string{
		"package.json": buildable, "dist/index.html": "x", "index.html": "y",
	})
	p := newPerson(t, dir)
	r := p.run("deploy", "dist", "--prebuilt").ok()
	if len(c.source) != 0 || len(c.inventory.Files) != 1 {
		t.Errorf("archive of %d bytes, inventory %+v", len(c.source), c.inventory)
	}
	if r.out != "https://shop.localhost\n" {
		t.Errorf("the project of shop/dist is at %q", r.out)
	}
}

func TestDeploy_PreviewAndPinnedLeaveProductionAndSaySo(t *testing.T) {
	c := newControl(t)
	p := newPerson(t, folder(t, filepath.Join(c.dir, "static"), page))
	r := p.run("deploy", "--preview", "--project", "shop").ok().golden("deploy_preview")
	if r.out != "https://daaaaaaaaaaaaaaa--shop.localhost\n" {
		t.Errorf("stdout of a preview: %q", r.out)
	}
	c.pinned = true
	r = p.run("deploy", "--project", "shop").ok().golden("deploy_pinned")
	if !strings.Contains(r.err, "fairway promote dpl_bbbb") || r.out != "https://dbbbbbbbbbbbbbbb--shop.localhost\n" {
		t.Errorf("a pinned deployment says %q and %q", r.err, r.out)
	}
}

func TestDeploy_FailureIsOneLineWithReasonAndNextStep(t *testing.T) {
	c := newControl(t)
	c.ends, c.reason = hosting.StatusFail, "npm run build ended with 1\n\x1b[31mcheck\x1b[0m the log"
	r := newPerson(t, c.dir).run("deploy", "--git", "https://git.test/ann/shop.git")
	r.failed(ExitFailed, "npm run build ended with 1 check the log", "fairway logs dpl_aaaa")
	if r.out != "" {
		t.Errorf("stdout of a failure: %q", r.out)
	}
}

func TestDeploy_GitNamesURLRefAndTarget(t *testing.T) {
	c := newControl(t)
	p := newPerson(t, c.dir)
	p.run("deploy", "--git", "https://git.test/ann/shop.git", "--ref", "next", "--preview").ok()
	d := c.deployments[0]
	if d.Source.URL != "https://git.test/ann/shop.git" || d.Source.Ref != "next" || d.Target != hosting.TargetPreview || d.Source.Kind != hosting.SourceGit {
		t.Errorf("asked for %+v", d)
	}
	p.run("deploy", "--project", "shop", "--ref", "v2").ok()
	if d := c.deployments[1]; d.Project != c.projects[0].ID || d.Source.Ref != "v2" {
		t.Errorf("asked for %+v", d)
	}
	p.run("deploy", "--project", "none", "--ref", "v2").failed(ExitNotFound, `no project "none"`)
}

func TestDeploy_NoFollowAnswersAtOnce(t *testing.T) {
	c := newControl(t)
	r := newPerson(t, c.dir).run("deploy", "--git", "https://git.test/ann/shop.git", "--no-follow").ok().golden("deploy_no_follow")
	if r.out != string(c.deployments[0].ID)+"\n" || slices.ContainsFunc(c.asked, func(a string) bool { return strings.HasSuffix(a, "/logs") }) {
		t.Errorf("stdout %q, asked %v", r.out, c.asked)
	}
}

func TestDeploy_InterruptSaysThatTheBuildGoesOn(t *testing.T) {
	c := newControl(t)
	c.hold = make(chan struct{})
	p := newPerson(t, c.dir)
	ctx, interrupt := context.WithCancel(t.Context())
	p.ctx = ctx
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		<-c.holding
		interrupt()
	})
	r := p.run("deploy", "--git", "https://git.test/ann/shop.git")
	r.failed(ExitFailed, "the build goes on", "fairway logs -f dpl_aaaa", "fairway cancel dpl_aaaa")
	if c.deployments[0].Status.Terminal() {
		t.Errorf("the interrupt ended the deployment: %s", c.deployments[0].Status)
	}
}

func TestDeploy_FailsADeploymentWhoseFilesDoNotArrive(t *testing.T) {
	c := newControl(t)
	c.finishFails = hosting.Errorf(hosting.CodeStorageFull, "there is no space left").WithHint("free some")
	p := newPerson(t, folder(t, filepath.Join(c.dir, "static"), page))
	p.run("deploy").failed(ExitFailed, "there is no space left: free some")
	d := c.deployments[0]
	if d.Status != hosting.StatusFail || d.Code != hosting.FailStorageFull || !strings.Contains(d.Reason, "free some") {
		t.Errorf("the deployment is left %s, %s: %s", d.Status, d.Code, d.Reason)
	}
}

func TestDeploy_BringsMissingBlobsAgainButNotForEver(t *testing.T) {
	c := newControl(t)
	c.finishFails = hosting.Errorf(hosting.CodeIncomplete, "2 blobs are missing")
	p := newPerson(t, folder(t, filepath.Join(c.dir, "static"), page))
	p.run("deploy").failed(ExitFailed, "2 blobs are missing")
	finishes := 0
	for _, a := range c.asked {
		if strings.HasSuffix(a, "/finish") {
			finishes++
		}
	}
	if want := bringAttempts + 1; finishes != want { // and once to say why it failed
		t.Errorf("finished %d times, want %d", finishes, want)
	}
}

func TestDeploy_RefusesToPublishFairwaysOwnData(t *testing.T) {
	c := newControl(t)
	folder(t, c.dir, page)
	p := newPerson(t, c.dir)
	for _, args := range [][]string{{"deploy"}, {"deploy", ".", "--prebuilt"}, {"deploy", "data", "--prebuilt"}} {
		p.run(args...).failed(ExitFailed, "the data of Fairway itself")
	}
	folder(t, c.dir, map[string]string{"package.json": buildable})
	p.run("deploy").failed(ExitFailed, "the data of Fairway itself")
	if len(c.deployments) != 0 {
		t.Errorf("%d deployments were made", len(c.deployments))
	}
}

func TestDeploy_WrongUseIsToldBeforeAnythingIsTried(t *testing.T) {
	c := newControl(t)
	dir := folder(t, filepath.Join(c.dir, "static"), page)
	folder(t, dir, map[string]string{"app/package.json": buildable, "empty/notes.md": "x"})
	p := newPerson(t, dir)
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"deploy", ".", "--git", "https://git.test/x.git"}, ExitUsage, "not both"},
		{[]string{"deploy", ".", "--ref", "main"}, ExitUsage, "--ref"},
		{[]string{"deploy", "--ref", "main"}, ExitUsage, "names no repository"},
		{[]string{"deploy", "--git", "https://git.test/x.git", "--prebuilt"}, ExitUsage, "for folders"},
		{[]string{"deploy", "app", "--spa"}, ExitUsage, "build script"},
		{[]string{"deploy", "a", "b"}, ExitUsage, "what to do with \"b\""},
		{[]string{"deploy", "--wrong"}, ExitUsage, "--wrong"},
		{[]string{"deploy", "nowhere"}, ExitNotFound, "no folder"},
		{[]string{"deploy", "index.html"}, ExitUsage, "is a file"},
		{[]string{"deploy", "empty"}, ExitFailed, "nothing to publish"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			p := *p
			p.t = t
			p.run(tc.args...).failed(tc.code, tc.says)
		})
	}
	if len(c.asked) != 0 {
		t.Errorf("the API was asked: %v", c.asked)
	}
}

func TestDeploy_MarksWhereLinesAreLeftOut(t *testing.T) {
	c := newControl(t)
	log := buildLog()
	log[2].Text = unseen
	c.logs["dpl_aaaaaaaaaaaaaaaaaaaaaaaaaa"] = log
	r := newPerson(t, c.dir).run("deploy", "--git", "https://git.test/ann/shop.git").ok()
	if !strings.Contains(r.err, "(1 line left out: the build prints faster than that. The log has them)") {
		t.Errorf("it prints\n%s", r.err)
	}
	r = newPerson(t, c.dir).run("logs", "-f", "shop", "--json").ok()
	if !strings.Contains(r.out, `{"type":"gap","gap":{"first":3,"last":3}}`) {
		t.Errorf("it prints\n%s", r.out)
	}
}

func TestDeploy_JSONIsOneObjectALineAndEndsWithTheAddress(t *testing.T) {
	c := newControl(t)
	c.logs["dpl_aaaaaaaaaaaaaaaaaaaaaaaaaa"] = buildLog()
	r := newPerson(t, c.dir).run("deploy", "--git", "https://git.test/ann/shop.git", "--json").ok()
	var kinds []string
	var last event
	for line := range strings.Lines(r.out) {
		last = event{}
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		kinds = append(kinds, last.Type)
	}
	if want := []string{"state", "log", "log", "log", "log", "end"}; !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
	if last.URL != "https://shop.localhost" || last.Deployment == nil || last.Deployment.Status != hosting.StatusReady {
		t.Errorf("the last event is %+v", last)
	}
	if r.err != "" {
		t.Errorf("stderr with --json: %q", r.err)
	}
	folder(t, filepath.Join(c.dir, "static"), page)
	p := newPerson(t, filepath.Join(c.dir, "static"))
	r = p.run("deploy", "--json").ok()
	if strings.Count(r.out, "\n") != 1 || !json.Valid([]byte(r.out)) {
		t.Errorf("files as they are print %q", r.out)
	}
}

func TestDeploy_ATakenNameSaysHowToChooseAnother(t *testing.T) {
	c := newControl(t)
	c.taken = true
	p := newPerson(t, folder(t, filepath.Join(c.dir, "static"), page))
	p.run("deploy").failed(ExitFailed, `the slug "static" is taken`, "--project")
}

func TestProjectName_IsTheFoldersButForOutputs(t *testing.T) {
	for dir, want := range map[string]string{
		"/home/ann/shop": "shop", "/home/ann/shop/dist": "shop", "/home/ann/shop/.output/public": "shop", "/": "site", "/dist": "site",
	} {
		if got := projectName(dir); got != want {
			t.Errorf("projectName(%q) = %q, want %q", dir, got, want)
		}
	}
}

func packFolder(t *testing.T, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := builder.Pack(t.Context(), dir, &b, hosting.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
