package builder_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	canary = "s3cr3t/+canary?<é>\"7f2d\\end" // another text in each form
	pem    = "-----BEGIN TEST KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nlast-line-of-it\n-----END TEST KEY-----"
)

// printer prints a variable in each form, in its own lines and in one long one, and writes
// what it got into the site.
const printer = `
	const fs = require('fs'), out = [];
	for (const v of [process.env.CANARY, process.env.PEM]) {
		const b = Buffer.from(v), hex = b.toString('hex');
		out.push(v, JSON.stringify(v), JSON.stringify(JSON.stringify({v})), encodeURIComponent(v), encodeURI(v),
			new URLSearchParams({v}).toString(), hex, hex.toUpperCase(), b.toString('base64'), b.toString('base64url'),
			Buffer.from('x' + v + 'yz').toString('base64'), Buffer.from('xy' + v + 'z').toString('base64'),
			b.toString('base64').replace(/.{64}/g, '$&\n'), '\u001b[31m' + v.slice(0, 9) + '\u001b[32m' + v.slice(9));
	}
	for (const text of out) {
		console.log(text);
		if (!process.env.FAIL) console.error('.'.repeat(16380) + text); // else stdout has the last word
	}
	console.log('OPEN is ' + process.env.OPEN + ', HOME is ' + (process.env.HOME === 'mine') + ', step ' + process.argv[2]);
	if (process.env.FAIL) {
		console.log('cannot log in with ' + process.env.CANARY);
		process.exitCode = 1;
		return; // exit would cut the output off
	}
	fs.mkdirSync('dist', {recursive: true});
	fs.writeFileSync('dist/index.html', '<p>built');
	fs.writeFileSync('dist/' + process.argv[2] + '.json', JSON.stringify(process.env));
`

func variables(secret bool) []hosting.JobVariable {
	return []hosting.JobVariable{
		{Name: "CANARY", Value: canary, Secret: secret}, {Name: "PEM", Value: pem, Secret: secret},
		{Name: "OPEN", Value: "for-everybody"}, {Name: "HOME", Value: "mine"}, {Name: "FAIRWAY_STEP", Value: "mine"}, {Name: "FAIRWAY_OTHER", Value: "mine"},
		{Name: "PATH", Value: "/nowhere"}, {Name: "TMPDIR", Value: "/nowhere"},
	}
}

// printing is a control whose job prints its variables in the install and the build command.
func printing(t *testing.T, vars ...hosting.JobVariable) *control {
	t.Helper()
	r := newRepository(t)
	r.commit("by "+canary, "print.js", printer, "index.html", page)
	job := r.job("")
	job.Variables = vars
	job.Settings = hosting.BuildSettings{
		InstallCommand: "node print.js install", BuildCommand: "env | sort >dist/env.txt; echo \"$CANARY\" | base64; node print.js build # " + canary, OutputDir: "dist",
	}
	return newControl(t, job)
}

// leaks lists the forms of a secret, made by other hands than the masker's, that a text holds.
func leaks(text string) (found []string) {
	for _, secret := range append(strings.Split(pem, "\n"), canary) {
		quoted, _ := json.Marshal(secret)
		twice, _ := json.Marshal(string(quoted[1 : len(quoted)-1]))
		b := []byte(secret)
		for name, form := range map[string]string{
			"plain": secret, "JSON": string(quoted[1 : len(quoted)-1]), "JSON in JSON": string(twice[1 : len(twice)-1]),
			"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "hex": hex.EncodeToString(b),
			"HEX":    strings.ToUpper(hex.EncodeToString(b)),
			"base64": base64.StdEncoding.EncodeToString(b)[:len(b)*8/6], "base64, behind 1": base64.StdEncoding.EncodeToString(append([]byte("x"), b...))[2 : (len(b)+1)*8/6],
			"base64, behind 2": base64.StdEncoding.EncodeToString(append([]byte("xy"), b...))[3 : (len(b)+2)*8/6],
			"base64url":        base64.RawURLEncoding.EncodeToString(b)[:len(b)*8/6],
		} {
			if strings.Contains(text, form) {
				found = append(found, name+" of "+secret)
			}
		}
	}
	return found
}

// unsplit is a log with the lines put together that were split.
func (c *control) unsplit() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, l := range c.log {
		b.WriteString(l.Text)
		if len(l.Text) < hosting.MaxLogLine-10 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestRun_GivesVariablesToInstallAndBuildAlone(t *testing.T) {
	bin, seen := t.TempDir(), filepath.Join(t.TempDir(), "git")
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	write(t, bin, "git", "#!/bin/sh\nenv >>"+seen+"\necho \"$@\" >>"+seen+"\nexec "+git+" \"$@\"\n")
	if err := os.Chmod(filepath.Join(bin, "git"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := printing(t, variables(true)...)
	c.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	inv := c.succeeds()
	for _, step := range []string{"install", "build"} {
		got := map[string]string{}
		if err := json.Unmarshal(published(t, c, inv, step+".json"), &got); err != nil {
			t.Fatal(err)
		}
		if got["CANARY"] != canary || got["PEM"] != pem || got["OPEN"] != "for-everybody" {
			t.Errorf("%s has the variables %q", step, got)
		}
		for _, name := range []string{"HOME", "PATH", "TMPDIR", "FAIRWAY_STEP"} {
			if v := got[name]; v == "" || v == "mine" || v == "/nowhere" {
				t.Errorf("%s: the builder's own %s became %q", step, name, v)
			}
		}
		if v, ok := got["FAIRWAY_OTHER"]; ok {
			t.Errorf("%s was given a variable of Fairway's: %q", step, v)
		}
	}
	asked, err := os.ReadFile(seen)
	if err != nil || !strings.Contains(string(asked), "GIT_TERMINAL_PROMPT") {
		t.Fatalf("what git was given was not seen: %v", err)
	}
	if found := leaks(string(asked)); len(found) > 0 || strings.Contains(string(asked), "OPEN=") {
		t.Errorf("git was given %v", found)
	}
	// The job's own environment can be read in /proc by whoever shares its user.
	own, err := os.ReadFile("/proc/self/environ")
	if err != nil || len(leaks(string(own)+strings.Join(os.Environ(), "\n"))) > 0 || strings.Contains(string(own), "for-everybody") {
		t.Errorf("the job's own environment holds variables (%v)", err)
	}
}

func TestRun_ShowsNoSecretInLogSpoolAndReason(t *testing.T) {
	for name, c := range map[string]struct{ secret, fail bool }{
		"a build that is well": {secret: true}, "a build that fails": {secret: true, fail: true},
		"the control: no secrets": {}, "the control: no secrets, failing": {fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := variables(c.secret)
			if c.fail {
				vars = append(vars, hosting.JobVariable{Name: "FAIL", Value: "1"})
			}
			ctl := printing(t, vars...)
			var spooled []byte
			ctl.onFinish = func(ctl *control) (err error) {
				spooled, err = os.ReadFile(ctl.spool)
				return err
			}
			reason := ""
			if c.fail {
				reason = ctl.fails(hosting.FailInstall)
				if !strings.Contains(reason, "cannot log in with") {
					t.Errorf("the reason does not hold what was printed: %q", reason)
				}
			} else {
				ctl.succeeds()
			}
			last := ctl.beats[len(ctl.beats)-1]
			places := map[string]string{
				"log": ctl.unsplit(), "spool": strings.ReplaceAll(string(spooled), `\\`, `\`), "reason": reason, "commit": last.Message + last.Author,
			}
			for place, text := range places {
				found := leaks(text)
				if c.secret && len(found) > 0 {
					t.Errorf("the %s shows %v", place, found)
				}
				if planted := place != "reason" || c.fail; !c.secret && planted && len(found) == 0 {
					t.Errorf("the check does not find what the %s does show:\n%.2000s", place, text)
				}
			}
			if !strings.Contains(places["log"], "OPEN is for-everybody, HOME is false, step install") || strings.Contains(places["log"], "***") != c.secret {
				t.Errorf("the log is masked wrongly:\n%.3000s", places["log"])
			}
		})
	}
}

func TestRun_MasksReasonsThatDoNotComeFromTheLog(t *testing.T) {
	// A command is cut off after 200 bytes, in the midst of the secret here.
	command := "false # " + strings.Repeat(".", 185) + canary
	for name, c := range map[string]struct {
		settings hosting.BuildSettings
		value    string
		code     string
	}{
		"a folder that is called so": {hosting.BuildSettings{BuildCommand: "true", OutputDir: "out-" + canary[:6]}, canary[:6], hosting.FailOutputMissing},
		"a command that is cut off":  {hosting.BuildSettings{BuildCommand: command, OutputDir: "."}, canary, hosting.FailBuild},
	} {
		for _, secret := range []bool{true, false} {
			job := archiveJob()
			job.Settings = c.settings
			job.Variables = []hosting.JobVariable{{Name: "A", Value: c.value, Secret: secret}}
			ctl := newControl(t, job)
			ctl.archive = archive(t, "index.html", page)
			if reason := ctl.fails(c.code); strings.Contains(reason, canary[:5]) == secret {
				t.Errorf("%s, secret %v: %q", name, secret, reason)
			}
		}
	}
}

func TestRun_SaysThatVariablesAreTooLarge(t *testing.T) {
	c := newControl(t, archiveJob())
	c.archive = archive(t, "index.html", page)
	c.job.Settings = hosting.BuildSettings{BuildCommand: "true", OutputDir: "."}
	for i := range 40 {
		c.job.Variables = append(c.job.Variables, hosting.JobVariable{Name: "V" + strings.Repeat("x", i), Value: strings.Repeat("v", 64<<10)})
	}
	if reason := c.fails(hosting.FailBuild); !strings.Contains(reason, "variables are too large") {
		t.Errorf("got %q", reason)
	}
	c = newControl(t, c.job)
	c.archive, c.job.Variables = archive(t, "index.html", page), c.job.Variables[:20]
	c.succeeds()
}

// published returns a file of the site.
func published(t *testing.T, c *control, inv hosting.Inventory, path string) []byte {
	t.Helper()
	for _, f := range inv.Files {
		if f.Path == path {
			return content(t, f, c.blobs)
		}
	}
	t.Fatalf("%s was not published: %+v", path, inv.Files)
	return nil
}
