package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// manual runs the commands that docs/cli.md shows, in their order, against the fake control
// plane, and gives back the page with what they printed.
type manual struct {
	t                  *testing.T
	c                  *control
	machine, elsewhere *person
	now                *person
	shown              *strings.Replacer // addresses of the test as those of the page
	meant              *strings.Replacer // and back
}

const manualPage = "../../docs/cli.md"

func newManual(t *testing.T) *manual {
	c, ann := stocked(t)
	c.claimed = false
	c.logs[c.deployments[2].ID] = buildLog()
	at := c.remote(t)
	// What the page's commands read.
	put(t, "bolt://"+filepath.Join(c.dir, "state.db"), "kept")
	folder(t, c.dir, map[string]string{"static/index.html": "<h1>hello</h1>", "static/.env": "API_URL=https://api.example.com\nLOCALE=en\n", "static/key.txt": "hunter2\n",
		"web/package.json":   `{"scripts": {"build": "astro build"}, "dependencies": {"astro": "^5.13.0"}, "engines": {"node": ">=20"}}`,
		"web/pnpm-lock.yaml": "", "web/astro.config.mjs": "export default {\n  outDir: 'www',\n};\n", "shop/package.json": `{"dependencies": {"next": "^15.0.0"}}`,
		"shop/next.config.ts": "export default {\n  output: 'standalone',\n};\n"})
	ann.dir = filepath.Join(c.dir, "static")
	bo := newStranger(t)
	approving(bo)
	bo.terminal = true
	bo.env["NO_COLOR"] = "1"
	bo.env["TERM"] = "dumb"
	return &manual{
		t: t, c: c, machine: ann, elsewhere: bo, now: ann,
		shown: strings.NewReplacer(at.URL, "https://fairway.example.com", c.dir, "/srv/fairway"),
		meant: strings.NewReplacer("https://fairway.example.com", at.URL, "/srv/fairway", c.dir),
	}
}

var challenge = regexp.MustCompile(`\?challenge=\S+`)

// run returns what a person sees of a command: both streams, as they come.
func (m *manual) run(line string) string {
	line, file, piped := strings.Cut(line, " <")
	m.now.stdin = ""
	if piped {
		b, err := os.ReadFile(filepath.Join(m.now.dir, file))
		if err != nil {
			m.t.Fatal(err)
		}
		m.now.stdin = string(b)
	}
	var seen bytes.Buffer
	root := m.now.root(&seen, &seen, words(m.meant.Replace(line))[1:])
	if err := root.ExecuteContext(m.now.ctx); err != nil && !strings.HasPrefix(lastLine(seen.String()), "fairway: ") {
		m.t.Errorf("%s: %v", line, err)
	}
	return challenge.ReplaceAllString(m.shown.Replace(seen.String()), "?challenge=...")
}

// words splits a line as a shell would, as far as the page needs it.
func words(line string) (words []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func (m *manual) page(text string) string {
	var b strings.Builder
	console := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "<!-- elsewhere"):
			m.now, m.c.claimed = m.elsewhere, true
		case strings.HasPrefix(line, "<!-- on the machine"):
			m.now = m.machine
		case strings.HasPrefix(line, "```"):
			console = line == "```console\n"
		}
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case console && is:
			b.WriteString(line + m.run(strings.TrimSpace(command)))
		case !console || strings.HasPrefix(line, "```"):
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestManual_ShowsWhatTheCommandsPrint(t *testing.T) {
	text, err := os.ReadFile(manualPage)
	if err != nil {
		t.Fatal(err)
	}
	got := newManual(t).page(string(text))
	if *update {
		if err := os.WriteFile(manualPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(text) {
		t.Errorf("docs/cli.md shows something else; run go test ./internal/cli -update and look at the difference")
	}
	if strings.Contains(got, "hunter2") {
		t.Error("the page shows a secret")
	}
}

func TestManual_HasEveryCommand(t *testing.T) {
	text, err := os.ReadFile(manualPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range Commands(Env{}) {
		names := []string{cmd.Name()}
		for _, sub := range cmd.Commands() {
			names = append(names, cmd.Name()+" "+sub.Name())
		}
		for _, name := range names {
			if !cmd.Hidden && !strings.Contains(string(text), "\n$ fairway "+name) {
				t.Errorf("docs/cli.md does not show fairway %s", name)
			}
		}
	}
}
