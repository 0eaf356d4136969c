package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const docs = "../../docs"

// rows is the table of docs/frameworks.md.
func rows() string {
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	var b strings.Builder
	b.WriteString("| name | framework | seen by | command, without a script | output | unknown paths | a cache would keep |\n|---|---|---|---|---|---|---|\n")
	for _, p := range presets {
		unknown := "404"
		if p.Fallback == spa {
			unknown = "`index.html`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", code(p.Slug), p.Name, strings.ReplaceAll(p.When.String(), "|", `\|`),
			code(p.Build), code(p.Output), unknown, code(strings.Join(p.Cache, "`, `")))
	}
	return b.String()
}

func TestPage_HasTheTable(t *testing.T) {
	const begin, end = "<!-- The table is written by: go test ./builder/detect -update -->\n\n", "\n<!-- End of the table. -->"
	file := filepath.Join(docs, "frameworks.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	sameAs(t, file, []byte(before+begin+rows()+end+after))
	if head, _, _ := strings.Cut(before, "\n\n"); !strings.Contains(before, strconv.Itoa(len(presets)-len(plain))) {
		t.Errorf("the page does not say that there are %d: %s", len(presets)-len(plain), head)
	}
}

// schemaOf makes the JSON schema of fairway.json from its struct and the table.
func schemaOf() map[string]any {
	properties := map[string]any{}
	fields := reflect.TypeFor[Own]()
	for i := range fields.NumField() {
		tag := fields.Field(i).Tag
		p := map[string]any{"type": "string", "description": tag.Get("doc")}
		for _, bound := range []string{"minLength", "maxLength"} {
			if n, err := strconv.Atoi(tag.Get(bound)); err == nil {
				p[bound] = n
			}
		}
		if values := tag.Get("enum"); values != "" {
			p["enum"] = strings.Split(values, ",")
		}
		properties[tag.Get("json")] = p
	}
	var slugs []string
	for _, p := range presets {
		slugs = append(slugs, p.Slug)
	}
	properties["framework"].(map[string]any)["enum"] = slugs
	return map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": ownFile,
		"description": "What a project says about how Fairway builds it. What is absent is found.",
		"type":        "object", "additionalProperties": false, "properties": properties,
	}
}

func TestSchema_IsThatOfTheFile(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schemaOf()); err != nil {
		t.Fatal(err)
	}
	sameAs(t, filepath.Join(docs, "fairway.schema.json"), b.Bytes())
}

func TestOwn_GoesBeforeTheSettings(t *testing.T) {
	fsys := own(`{"buildCommand": "make site", "outputDir": "www"}`)
	p, err := Find(fsys, hosting.BuildSettings{BuildCommand: "make", InstallCommand: "make deps"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Build != "make site" || p.Install != "make deps" || p.Output != "www" || !p.OutputSet {
		t.Errorf("got %+v", p)
	}
	why := strings.Join(p.Why, "\n")
	for _, says := range []string{"not the project's setting buildCommand", "make site because of buildCommand of fairway.json", "make deps because of the setting installCommand"} {
		if !strings.Contains(why, says) {
			t.Errorf("%q is not among\n%s", says, why)
		}
	}
}

func TestOwn_IsRefusedWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"no JSON":               {`{`, "not a JSON object"},
		"null":                  {`null`, "not a JSON object"},
		"a list":                {`[]`, "not a JSON object"},
		"an unknown field":      {`{"rootDir": "web"}`, `"rootDir", which is not known: the fields are framework, installCommand, buildCommand, outputDir, fallback`},
		"another case":          {`{"OutputDir": "web"}`, "not known"},
		"a number":              {`{"outputDir": 7}`, "another type"},
		"a folder outside":      {`{"outputDir": "../x"}`, "outputDir"},
		"an absolute folder":    {`{"outputDir": "/etc"}`, "outputDir"},
		"no folder":             {`{"outputDir": ""}`, "empty"},
		"an unknown framework":  {`{"framework": "nextjsx"}`, "docs/frameworks.md"},
		"an unknown fallback":   {`{"fallback": "404"}`, "write none or spa"},
		"a command with a NUL":  {`{"buildCommand": "a\u0000b"}`, "NUL"},
		"a framework, no build": {`{"framework": "other"}`, "no build script"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := own(c.text)
			if name == "a framework, no build" {
				fsys["package.json"].Data = []byte("{}")
			}
			p, err := Find(fsys, hosting.BuildSettings{})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	// The control: the same folder, with nothing wrong in it.
	if _, err := Find(own(`{}`), hosting.BuildSettings{}); err != nil {
		t.Error(err)
	}
}

func TestOwn_NamesEachFramework(t *testing.T) {
	for _, p := range presets {
		fsys := own(`{"framework": "` + p.Slug + `"}`)
		for _, name := range []string{"package.json", "index.html"} {
			plan, err := Find(fsys, hosting.BuildSettings{})
			if err == nil && plan.Framework != p.Slug || err != nil && hosting.CodeOf(err) == hosting.CodeInternal {
				t.Errorf("%s beside %s: got %s, %v", p.Slug, name, plan.Framework, err)
			}
			delete(fsys, "package.json") // a page alone
			fsys["index.html"] = &fstest.MapFile{}
		}
	}
}
