package internal_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/runner/ecs"
)

var (
	settingName = regexp.MustCompile(`\bFAIRWAY_[A-Z0-9_]*[A-Z0-9]\b`)
	// What runs elsewhere than in a server: the command line, and jobs.
	notSettings  = []string{"FAIRWAY_URL", "FAIRWAY_TOKEN", "FAIRWAY_JOB_ID", "FAIRWAY_JOB_API"}
	ecsAddress   = regexp.MustCompile(`ecs://[^\s"'|,)]*(?:,[^\s"'|,)]+)*`)
	interpolated = regexp.MustCompile(`\$\{[^{}]*\}`)
)

// exampleFiles are what an operator copies: their paths and texts.
func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	read := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(b, 0) < 0 {
			files[filepath.ToSlash(path)] = string(b)
		}
	}
	for _, path := range []string{"../Dockerfile", "../builder/Dockerfile", "../docs/moving.md"} {
		read(path)
	}
	err := filepath.WalkDir("../examples", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"sites", ".terraform", "secrets"}, d.Name()):
			return fs.SkipDir
		case !d.IsDir() && !strings.Contains(d.Name(), "tfstate"):
			read(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// settings are the names in the first column of the table of docs/operations.md.
func settings(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "\n## Settings\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var names []string
	for line := range strings.Lines(text) {
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
			names = append(names, settingName.FindAllString(cells[1], -1)...)
		}
	}
	if len(names) < 20 {
		t.Fatalf("the table of settings has only %q", names)
	}
	return names
}

func unknownSettings(text string, known []string) (names []string) {
	for _, name := range settingName.FindAllString(text, -1) {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestExamples_UseSettingsThatThereAre(t *testing.T) {
	known := append(settings(t), notSettings...)
	if got := unknownSettings("FAIRWAY_DOMAIN=x\nFAIRWAY_DOMIAN=x", known); !slices.Equal(got, []string{"FAIRWAY_DOMIAN"}) {
		t.Errorf("of a known and an unknown one, %q are unknown", got) // the control
	}
	used := 0
	for path, text := range exampleFiles(t) {
		used += len(settingName.FindAllString(text, -1))
		for _, name := range unknownSettings(text, known) {
			t.Errorf("%s: %s is not in the table of docs/operations.md", path, name)
		}
	}
	if used < 100 {
		t.Errorf("only %d uses of settings were found", used)
	}
}

// The Caddyfile of the examples is the root's with other certificates: what Fairway is told is the same.
func TestExamples_CaddyfilePassesOnEverySetting(t *testing.T) {
	block := func(path string) []string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(b), "\n\tfairway {\n")
		text, _, _ = strings.Cut(text, "\n\t}\n")
		var lines []string
		for line := range strings.Lines(text) {
			// Ports and domain have other defaults there.
			if line, _, _ = strings.Cut(strings.TrimSpace(line), ":"); line != "" && line[0] != '#' {
				lines = append(lines, strings.TrimRight(line, `}"`))
			}
		}
		return lines
	}
	want, got := block("../Caddyfile"), block("../examples/Caddyfile")
	if len(want) < 20 || !slices.Equal(want, got) {
		t.Errorf("examples/Caddyfile has\n%s\nand the root Caddyfile\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExamples_NameRunnersThatThereAre(t *testing.T) {
	if _, err := ecs.Parse("ecs://b/f?subnets=subnet-1&launch=EC2"); err == nil {
		t.Error("void: a setting that is not known is not found") // the control
	}
	found := 0
	for path, text := range exampleFiles(t) {
		for _, address := range ecsAddress.FindAllString(interpolated.ReplaceAllString(text, "x-x"), -1) {
			if address = strings.TrimRight(address, "`.;"); address == "ecs://" || strings.Contains(address, "...") || strings.Contains(address, "CLUSTER") {
				continue // the grammar itself, in prose
			}
			found++
			// What a variable says there is one of few words, which no placeholder is.
			address = strings.Replace(address, "launch_type=x-x", "launch_type=FARGATE", 1)
			if _, err := ecs.Parse(address); err != nil {
				t.Errorf("%s: %s: %v", path, address, err)
			}
		}
	}
	if found == 0 {
		t.Error("no address of the ECS runner was found")
	}
}
