package controlapi_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// openAPI is what the tests look at in the document.
type openAPI struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Tags        []string
		Security    []map[string][]string
		Parameters  []struct {
			Name, In string
			Required bool
		}
		Responses map[string]struct{ Description string }
	}
	Components struct {
		Schemas         map[string]any
		SecuritySchemes map[string]any
	}
}

func document(t *testing.T, w *world) openAPI {
	t.Helper()
	resp := w.ask("GET", "/api/openapi.json", "", "Authorization", "")
	var d openAPI
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

var pathParameter = regexp.MustCompile(`\{([a-z]+)\}`)

func TestDocument_DescribesEachOperation(t *testing.T) {
	d := document(t, newWorld(t))
	if d.OpenAPI != "3.1.0" || d.Info.Title != "Fairway" || d.Info.Version != "test" {
		t.Errorf("begins with %q, %+v", d.OpenAPI, d.Info)
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			at := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 || len(op.Security) != 1 {
				t.Errorf("%s is described by %+v", at, op)
			}
			ids[op.OperationID] = true
			var named []string
			for _, p := range op.Parameters {
				if p.In == "path" && p.Required {
					named = append(named, p.Name)
				}
			}
			var inPath []string
			for _, m := range pathParameter.FindAllStringSubmatch(path, -1) {
				inPath = append(inPath, m[1])
			}
			if !slices.Equal(named, inPath) {
				t.Errorf("%s names the parameters %v, has %v", at, named, inPath)
			}
			if _, ok := op.Responses["default"]; !ok || len(op.Responses) < 2 {
				t.Errorf("%s answers %v", at, op.Responses)
			}
			for scheme := range op.Security[0] {
				if d.Components.SecuritySchemes[scheme] == nil {
					t.Errorf("%s wants the unknown %s", at, scheme)
				}
			}
		}
	}
}

func TestDocument_RefersToNothingThatIsAbsent(t *testing.T) {
	w := newWorld(t)
	var whole any
	if err := json.NewDecoder(w.ask("GET", "/api/openapi.json", "").Body).Decode(&whole); err != nil {
		t.Fatal(err)
	}
	schemas := document(t, w).Components.Schemas
	used := map[string]bool{"SocketMessage": true} // by a description
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				name := strings.TrimPrefix(ref, "#/components/schemas/")
				used[name] = true
				if schemas[name] == nil {
					t.Errorf("%s is absent", ref)
				}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(whole)
	for name := range schemas {
		if !used[name] {
			t.Errorf("the schema %s is not used", name)
		}
	}
}
