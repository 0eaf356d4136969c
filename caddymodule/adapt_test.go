package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what the adapter gives into the files")

const separator = "\n----------\n"

// TestAdapt_GivesWhatTheFilesSay adapts each Caddyfile in testdata and compares the JSON, or
// the error, that stands behind the line of hyphens. Adding a case is adding a file.
func TestAdapt_GivesWhatTheFilesSay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, _ := strings.Cut(string(content), separator)
			got := adapt(t, caddyfile)
			if *update {
				if err := os.WriteFile(path, []byte(caddyfile+separator+got+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != strings.TrimSpace(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestAdapt_TheRootCaddyfile holds that what `make run` uses is taken as it is, with nothing
// set in the environment.
func TestAdapt_TheRootCaddyfile(t *testing.T) {
	content, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	got := adapt(t, string(content))
	for _, want := range []string{`"domain": "localhost"`, `"http_port": 8080`, `"data": "./data"`, `"handler": "fairway_api"`, `"handler": "fairway"`, `"module": "fairway"`, `unix/./data/admin.sock|0600`} {
		if !strings.Contains(got, want) {
			t.Errorf("the adapted Caddyfile has no %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "control_host") {
		t.Error("the control host does not follow the domain")
	}
	if api, sites := strings.Index(got, `"fairway_api"`), strings.Index(got, `"handler": "fairway"`); api > sites {
		t.Error("the sites come before the API, and would answer for the control host")
	}
}

func adapt(t *testing.T, caddyfile string) string {
	t.Helper()
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		return err.Error()
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, out, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return pretty.String()
}
