package controlapi_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
)

// openAPI is what the tests look at in the document.
type openAPI struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Description string
		Tags        []string
		Security    []map[string][]string
		Parameters  []struct {
			Name, In string
			Required bool
		}
		Responses map[string]struct {
			Ref         string `json:"$ref"`
			Description string
			Headers     map[string]any
		}
		Limits []struct {
			Class  string
			Limit  int
			Window int
		} `json:"x-ratelimit"`
	}
	Tags       []struct{ Name, Description string }
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
	ids, tags := map[string]bool{}, map[string]bool{}
	for _, tag := range d.Tags {
		tags[tag.Name] = tag.Description != ""
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			at := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Description) < 20 || len(op.Tags) != 1 || !tags[op.Tags[0]] {
				t.Errorf("%s is described by %q %q %q %v", at, op.OperationID, op.Summary, op.Description, op.Tags)
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
			if len(op.Security) == 0 {
				t.Errorf("%s does not say who may ask", at)
			}
			for _, way := range op.Security {
				for scheme := range way {
					if d.Components.SecuritySchemes[scheme] == nil {
						t.Errorf("%s wants the unknown %s", at, scheme)
					}
				}
			}
		}
	}
}

func TestDocument_TellsEachErrorAndLimit(t *testing.T) {
	d := document(t, newWorld(t, func(c *controlapi.Config) { c.Limits = controlapi.Limits{Sensitive: 7, Logs: -1} }))
	for pattern, want := range map[string]string{
		"get /api/health":                  "400 401 421 422 500",
		"get /api/openapi.json":            "400 401 403 421 429 500 503",
		"post /api/user/login":             "400 401 403 408 409 413 415 421 422 429 500 503",
		"get /api/teams":                   "400 401 403 404 421 422 429 500 503",
		"patch /api/teams/{team}":          "400 401 403 404 408 409 413 415 421 422 429 500 503",
		"put /api/deployments/{id}/source": "400 401 403 404 408 409 411 413 421 422 429 500 503 507",
		"get /api/jobs/{id}":               "400 401 404 410 421 422 500 503",
	} {
		method, path, _ := strings.Cut(pattern, " ")
		var got []string
		for status, r := range d.Paths[path][method].Responses {
			if r.Ref != "" {
				got = append(got, status)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s can fail with %v, want %s", pattern, got, want)
		}
	}
	op := d.Paths["/api/teams/{team}"]["delete"]
	if len(op.Limits) != 2 || op.Limits[0].Class != "api" || op.Limits[0].Limit != 100 || op.Limits[1].Class != "sensitive" ||
		op.Limits[1].Limit != 7 || op.Limits[1].Window != 60 || !strings.Contains(op.Description, "sensitive (7 a minute)") {
		t.Errorf("the deletion of a team is limited by %+v, and says %q", op.Limits, op.Description)
	}
	if op.Responses["200"].Headers["RateLimit"] == nil {
		t.Errorf("its answer has the headers %v", op.Responses["200"].Headers)
	}
	if log := d.Paths["/api/deployments/{id}/logs"]["get"]; !strings.Contains(log.Description, "logs (not limited)") {
		t.Errorf("a log that is not limited says %q", log.Description)
	}
	if job := d.Paths["/api/jobs/{id}"]["get"]; job.Limits != nil {
		t.Errorf("a job's route is limited by %+v", job.Limits)
	}
}

func TestDocument_NamesKeyAndTeamWhereTheDoorReadsThem(t *testing.T) {
	d := document(t, newWorld(t))
	for pattern, want := range map[string]string{
		"post /api/projects":               "query team, header Idempotency-Key",
		"get /api/projects/{project}":      "path project, query team",
		"delete /api/teams/{team}":         "path team, header Idempotency-Key",
		"post /api/user/login":             "",
		"put /api/deployments/{id}/source": "path id, query team",
		"post /api/jobs/{id}/finish":       "path id",
	} {
		method, path, _ := strings.Cut(pattern, " ")
		var got []string
		for _, p := range d.Paths[path][method].Parameters {
			got = append(got, p.In+" "+p.Name)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s has the parameters %q, want %q", pattern, got, want)
		}
	}
}

func TestDocument_RefersToNothingThatIsAbsent(t *testing.T) {
	w := newWorld(t)
	var whole any
	if err := json.NewDecoder(w.ask("GET", "/api/openapi.json", "").Body).Decode(&whole); err != nil {
		t.Fatal(err)
	}
	components, _ := whole.(map[string]any)["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
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
				kind, name, _ := strings.Cut(strings.TrimPrefix(ref, "#/components/"), "/")
				if kind == "schemas" {
					used[name] = true
				}
				if of, _ := components[kind].(map[string]any); of[name] == nil {
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
