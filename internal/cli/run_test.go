package cli

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

// person runs commands in a folder, in the process of the test.
type person struct {
	t        *testing.T
	dir      string
	env      map[string]string
	environ  []string
	terminal bool
	width    int
	stdin    string
	typing   bool // a person types the stdin
	browser  func(address string)
	started  []string
	exits    []int
	ctx      context.Context
}

func newPerson(t *testing.T, dir string) *person {
	return &person{t: t, dir: dir, env: map[string]string{}, ctx: t.Context()}
}

// ran is what a command left behind.
type ran struct {
	t        *testing.T
	out, err string
	code     int
}

func (p *person) run(args ...string) ran {
	p.t.Helper()
	var out, errOut bytes.Buffer
	err := p.root(&out, &errOut, args).ExecuteContext(p.ctx)
	return ran{t: p.t, out: out.String(), err: errOut.String(), code: ExitCode(err)}
}

func (p *person) root(out, errOut io.Writer, args []string) *cobra.Command {
	root := &cobra.Command{Use: "fairway", SilenceUsage: true}
	stdin := strings.NewReader(p.stdin)
	var readSecret func(context.Context) (string, error)
	if p.typing {
		readSecret = func(context.Context) (string, error) { return readLine(stdin) }
	}
	root.AddCommand(Commands(Env{
		Stdin: stdin, ReadSecret: readSecret, Host: "desk", Stdout: out, Stderr: errOut, Dir: p.dir, Width: p.width,
		Getenv:     func(name string) string { return p.env[name] },
		Environ:    func() []string { return p.environ },
		IsTerminal: func(io.Writer) bool { return p.terminal },
		Now:        func() time.Time { return noon },
		Start: func(name string, args ...string) error {
			p.started = append(p.started, name+" "+strings.Join(args, " "))
			if p.browser != nil {
				p.browser(args[len(args)-1])
			}
			return nil
		},
		Exit: func(code int, err error) error {
			p.exits = append(p.exits, code)
			return err
		},
	})...)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetArgs(args)
	return root
}

// ok wants a command to have worked.
func (r ran) ok() ran {
	r.t.Helper()
	if r.code != 0 {
		r.t.Fatalf("exit code %d, stderr:\n%s", r.code, r.err)
	}
	return r
}

// failed wants a code, and one line of error that begins and goes on as asked.
func (r ran) failed(code int, parts ...string) {
	r.t.Helper()
	last := r.err[strings.LastIndex(strings.TrimSuffix(r.err, "\n"), "\n")+1:]
	if r.code != code || !strings.HasPrefix(last, "fairway: ") {
		r.t.Errorf("exit code %d, want %d; stderr:\n%s", r.code, code, r.err)
	}
	if n := strings.Count(r.err, "fairway: "); n != 1 {
		r.t.Errorf("the error is told %d times:\n%s", n, r.err)
	}
	for _, part := range parts {
		if !strings.Contains(last, part) {
			r.t.Errorf("the error does not say %q: %s", part, last)
		}
	}
}

// golden compares both streams with testdata/<name>.txt.
func (r ran) golden(name string) ran {
	r.t.Helper()
	golden(r.t, name, "stdout:\n"+r.out+"\nstderr:\n"+r.err)
	return r
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

// folder makes a folder of files, by path.
func folder(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	return lines[len(lines)-1]
}
