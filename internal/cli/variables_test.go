package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestEnv_SetsListsAndRemoves(t *testing.T) {
	c, p := stocked(t)
	if r := p.run("env", "shop").ok(); !strings.Contains(r.err, "has no variables") {
		t.Errorf("said %q", r.err)
	}
	p.run("env", "set", "shop", "API_URL=https://api.example.com/?a=b", "--target", "production").ok().golden("env_set")
	p.stdin = "hunter2\n"
	p.run("env", "set", "shop", "API_KEY", "--secret").ok()
	if v := c.vars[1]; v.Value != "hunter2" || !v.Secret || c.vars[0].Value != "https://api.example.com/?a=b" || len(c.vars) != 3 {
		t.Errorf("set %+v", c.vars)
	}
	r := p.run("env", "shop").ok().golden("env")
	if j := p.run("env", "shop", "--json").ok(); strings.Contains(r.out+j.out, "hunter2") {
		t.Error("a secret is shown")
	}
	p.run("env", "rm", "shop", "API_KEY", "--target", "preview").ok()
	p.run("env", "rm", "shop", "API_URL").ok()
	if len(c.vars) != 1 || c.vars[0].Target != hosting.TargetProduction {
		t.Errorf("left are %+v", c.vars)
	}
	p.run("env", "rm", "shop", "API_URL").failed(ExitNotFound, "no such variable")
	p.run("env", "none").failed(ExitNotFound, `no project "none"`)
}

func TestEnvSet_KeepsValuesOutOfWhatItSays(t *testing.T) {
	c, p := stocked(t)
	p.typing, p.stdin = true, "hunter2\n"
	r := p.run("env", "set", "shop", "KEY", "--secret").ok()
	if !strings.Contains(r.err, "The value of KEY (not shown): ") || strings.Contains(r.err+r.out, "hunter2") || c.vars[0].Value != "hunter2" {
		t.Errorf("typed: %q, %+v", r.err, c.vars)
	}
	if r := p.run("env", "set", "shop", "KEY=hunter3", "--secret").ok(); !strings.Contains(r.err, "was visible") || strings.Contains(r.err, "hunter3") {
		t.Errorf("given: %q", r.err)
	}
	p.typing = false
	for args, stdin := range map[string]string{"KEY=hunter2 hunter2": "", "hunter2-": "x", "KEY": "", "KEY ": strings.Repeat("hunter2 ", maxTyped)} {
		p.stdin = stdin
		r := p.run(append([]string{"env", "set", "shop"}, strings.SplitN(args, " ", 2)...)...)
		if r.code != ExitUsage || strings.Contains(r.err, "hunter2") {
			t.Errorf("%q ends with %d: %s", args, r.code, r.err)
		}
	}
	p.stdin = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
	p.run("env", "set", "shop", "PEM", "--target", "preview").ok()
	if v := c.vars[len(c.vars)-1]; v.Value != strings.TrimSuffix(p.stdin, "\n") {
		t.Errorf("piped lines became %q", v.Value)
	}
	p.run("env", "set", "shop", "EMPTY=").ok()
	p.run("env", "set", "shop").failed(ExitUsage, "NAME", "--file")
	p.run("env", "set", "shop", "A=1", "--file", ".env").failed(ExitUsage, "NAME", "--file")
}

func TestEnvSet_TakesAFile(t *testing.T) {
	c, p := stocked(t)
	folder(t, p.dir, map[string]string{
		".env": "# shop\nexport A=1\nB='two # words'\nC=\"line\\nline\"\n\nD = four # said\n", "bad.env": "A=1\nhunter2\n", "none.env": "# nothing\n",
	})
	p.run("env", "set", "shop", "--file", ".env", "--target", "preview").ok().golden("env_file")
	var got []string
	for _, v := range c.vars {
		got = append(got, v.Name+"="+v.Value)
	}
	if want := []string{"A=1", "B=two # words", "C=line\nline", "D=four"}; !slices.Equal(got, want) {
		t.Errorf("set %q, want %q", got, want)
	}
	r := p.run("env", "set", "shop", "--file", "bad.env")
	r.failed(ExitUsage, "bad.env, line 2")
	if strings.Contains(r.err, "hunter2") {
		t.Errorf("said %q", r.err)
	}
	p.run("env", "set", "shop", "--file", "none.env").failed(ExitUsage, "no variables")
	p.run("env", "set", "shop", "--file", "nowhere").failed(ExitNotFound, "no file")
	p.run("env", "set", "shop", "--file", "data").failed(ExitUsage, "no file of variables")
	var l client.List[hosting.Variable]
	decode(t, p.run("env", "set", "shop", "--file", ".env", "--json").ok(), &l)
	if len(l.Items) != 8 {
		t.Errorf("set %+v", l)
	}
}

func TestEnvSet_SaysHowFarItCame(t *testing.T) {
	c, p := stocked(t)
	folder(t, p.dir, map[string]string{".env": "A=1\nB=2\n"})
	c.limits = 1
	p.run("env", "set", "shop", "--file", ".env").failed(ExitFailed, "too many requests")
	c.failVariable = "B"
	r := p.run("env", "set", "shop", "--file", ".env")
	if r.code != ExitUsage || !strings.Contains(r.err, "1 variable set, up to A.") {
		t.Errorf("ended with %d: %s", r.code, r.err)
	}
}

func TestDotenv_ReadsWhatToolsWrite(t *testing.T) {
	for in, want := range map[string]string{
		"A=1":                     "[{A 1}]",
		"\ufeffA=1\r\nB=2\r\n":    "[{A 1} {B 2}]",
		"A=":                      "[{A }]",
		"A= # empty":              "[{A }]",
		"A=b#c":                   "[{A b#c}]",
		"A=b\t# c":                "[{A b}]",
		"A=a=b":                   "[{A a=b}]",
		"  export  A = b  ":       "[{A b}]",
		"A='$B \\n'":              "[{A $B \\n}]",
		`A="q\"q\\ \x $B"`:        `[{A q"q\ \x $B}]`,
		"A='two\nlines' # x\nB=1": "[{A two\nlines} {B 1}]",
		"#x\n\n \t\n":             "[]",
		"A=it's":                  "[{A it's}]",
	} {
		if got, err := parseDotenv(in); err != nil || fmt.Sprint(got) != want {
			t.Errorf("parseDotenv(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, line := range map[string]string{
		"hunter2": "line 1", "A=1\nB": "line 2", "1A=hunter2": "line 1", "A B=hunter2": "line 1", "A='hunter2\n": "line 1",
		"A='x\ny'\nB=\"hunter2": "line 3", "A='x' hunter2": "line 1", "=hunter2": "line 1", "export=1\nexport A B=1": "line 2",
	} {
		if got, err := parseDotenv(in); err == nil || !strings.HasPrefix(err.Error(), line) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("parseDotenv(%q) = %q, %v; want an error of %s", in, got, err, line)
		}
	}
}

func FuzzDotenv_ReadsBackWhatIsQuoted(f *testing.F) {
	f.Add("A=1\nB='2'\n", "value \"with\" 'quotes' \\ and\nlines")
	f.Add("export A=\"\\n\"", "")
	f.Fuzz(func(t *testing.T, file, value string) {
		vars, err := parseDotenv(file)
		for _, v := range vars {
			if !isName(v.name) {
				t.Errorf("%q gave the name %q", file, v.name)
			}
		}
		if err != nil && len(vars) != 0 {
			t.Errorf("%q gave both %v and %v", file, vars, err)
		}
		value = strings.ReplaceAll(value, "\r\n", "\n")
		quoted := `NAME="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		if got, err := parseDotenv(quoted); err != nil || len(got) != 1 || got[0].value != value {
			t.Errorf("%q came back as %q, %v", value, got, err)
		}
	})
}

func TestConfirm_WantsTheNameTyped(t *testing.T) {
	c, p := stocked(t)
	p.typing = true
	for _, typed := range []string{"", "no\n", "y\n", "prj_a\n"} {
		p.stdin = typed
		if r := p.run("projects", "delete", "shop"); r.code != ExitFailed || !strings.Contains(r.err, "nothing was deleted") {
			t.Errorf("%q typed ends with %d: %s", typed, r.code, r.err)
		}
	}
	p.stdin = "shop\n"
	p.run("projects", "delete", "shop", "--json").failed(ExitUsage, "--yes")
	if len(c.projects) != 2 {
		t.Fatal("it was deleted")
	}
	p.run("projects", "delete", "shop").ok().golden("projects_delete_typed")
	p.stdin = "the-shop\n"
	p.run("teams", "delete", "the-shop").ok()
	if len(c.projects) != 1 || len(c.teams) != 1 {
		t.Errorf("left are %d projects and %d teams", len(c.projects), len(c.teams))
	}
}

func TestTyped_GivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	never := make(chan struct{})
	defer close(never)
	cancel()
	if _, err := typed(ctx, func() (string, error) { <-never; return "", nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestReadLine_LeavesWhatFollows(t *testing.T) {
	in := strings.NewReader("one\ntwo")
	if line, err := readLine(in); line != "one" || err != nil || in.Len() != 3 {
		t.Errorf("read %q, %v; left %d", line, err, in.Len())
	}
	if line, err := readLine(in); line != "two" || err == nil {
		t.Errorf("read %q, %v", line, err)
	}
}
