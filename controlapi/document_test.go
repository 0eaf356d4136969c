package controlapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// codes are all that a person may see.
var codes = []hosting.Code{
	hosting.CodeInvalid, hosting.CodeUnauthenticated, hosting.CodeForbidden, hosting.CodeNotFound, hosting.CodeConflict, hosting.CodeGone,
	hosting.CodeTooLarge, hosting.CodeIncomplete, hosting.CodeMismatch, hosting.CodeStorageFull, hosting.CodeUnavailable, hosting.CodeLimited,
	hosting.CodeQuota, hosting.CodeSetup, hosting.CodeInternal,
}

func TestProblems_AreToldWithEachCode(t *testing.T) {
	told, names := map[hosting.Code]bool{}, map[string]bool{}
	for _, f := range failures {
		p := f.example()
		told[f.code] = true
		if meanings[p.Status] == "" || p.Title == "" || p.Detail == "" || names[f.name] {
			t.Errorf("%s is told as %+v", f.name, p)
		}
		names[f.name] = true
	}
	for _, code := range codes {
		if !told[code] {
			t.Errorf("nothing is told of %s", code)
		}
	}
	if responses := New(bare(t, &bytes.Buffer{})).huma.OpenAPI().Components.Responses; len(responses) != len(meanings) {
		t.Errorf("%d statuses have a meaning, and %d are described", len(meanings), len(responses))
	}
}

// bodies calls see with each JSON body of the document that is not a problem.
func bodies(doc *huma.OpenAPI, see func(at string, m *huma.MediaType)) {
	for _, path := range doc.Paths {
		for _, op := range operationsOf(path) {
			if takesJSON(op) {
				see(op.OperationID+", body", op.RequestBody.Content["application/json"])
			}
			for status, r := range op.Responses {
				if m := r.Content["application/json"]; m != nil {
					see(op.OperationID+", "+status, m)
				}
			}
		}
	}
}

func TestExamples_AreAsTheirSchemasSay(t *testing.T) {
	doc := New(bare(t, &bytes.Buffer{})).huma.OpenAPI()
	used, seen := map[string]bool{}, 0
	bodies(doc, func(at string, m *huma.MediaType) {
		if m.Example == nil {
			t.Errorf("%s has no example of %s", at, m.Schema.Ref)
			return
		}
		seen++
		used[strings.TrimPrefix(m.Schema.Ref, "#/components/schemas/")] = true
		for _, wrong := range invalid(t, doc, m.Schema, m.Example) {
			t.Errorf("%s: %s", at, wrong)
		}
	})
	for name := range examples() {
		if !used[name] {
			t.Errorf("the example of %s is nowhere shown", name)
		}
	}
	if seen < 70 {
		t.Errorf("only %d examples were seen", seen)
	}
	broken := map[string]any{"name": 1, "unknown": true}
	if len(invalid(t, doc, &huma.Schema{Ref: "#/components/schemas/TeamUpdate"}, broken)) < 2 {
		t.Error("void: a broken example is found valid")
	}
}

func invalid(t *testing.T, doc *huma.OpenAPI, s *huma.Schema, example any) (wrong []string) {
	t.Helper()
	b, err := json.Marshal(example)
	var v any
	if err != nil || json.Unmarshal(b, &v) != nil {
		t.Fatalf("%v does not marshal: %v", example, err)
	}
	result := &huma.ValidateResult{}
	huma.Validate(doc.Components.Schemas, s, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, v, result)
	for _, e := range result.Errors {
		wrong = append(wrong, e.Error())
	}
	return wrong
}

func TestReference_ShowsEachOperation(t *testing.T) {
	cfg := bare(t, &bytes.Buffer{})
	cfg.Hosts, cfg.ControlURL, cfg.Version = []string{"localhost"}, "https://localhost:8443", "1.2.3"
	a := New(cfg)
	answer := httptest.NewRecorder()
	a.Trusted().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/docs", nil))
	page := answer.Body.String()
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/html; charset=utf-8" ||
		answer.Header().Get("Content-Security-Policy") != pagePolicy {
		t.Fatalf("answered %d %v", answer.Code, answer.Header())
	}
	for _, path := range a.huma.OpenAPI().Paths {
		for _, op := range operationsOf(path) {
			if strings.Count(page, `<details id="`+op.OperationID+`">`) != 1 {
				t.Errorf("%s is not shown once", op.OperationID)
			}
		}
	}
	for _, part := range []string{
		"Version 1.2.3", "<code>POST /api/teams</code>", "Counts as api (100 a minute) and as sensitive (5 a minute)", "For developers of the team",
		"12 to 256 characters; none of the common ones (at least 12 characters; at most 256 characters)",
		"curl \\\n  -X POST \\\n  &#39;https://localhost:8443/api/deploy&#39; \\\n  -H &#34;Authorization: Bearer $FAIRWAY_TOKEN&#34; \\\n  -H &#39;Content-Type: application/json&#39; \\\n  -d &#39;{&#34;project&#34;:&#34;shop&#34;,&#34;ref&#34;:&#34;main&#34;}&#39;",
		`<details id="problem-429">`, "setup_needed", "<code>items[].settings.rootDir</code>",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not hold %q", part)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page holds a script, or what the template refused to write")
	}
}

func TestQuoted_IsOneWordOfAShell(t *testing.T) {
	for in, want := range map[string]string{"a b": `'a b'`, "it's": `'it'\''s'`, "$HOME`x`": "'$HOME`x`'", "": "''"} {
		if got := quoted(in); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}

func TestMore_NamesOperationsThatThereAre(t *testing.T) {
	ids := map[string]bool{}
	for _, path := range New(bare(t, &bytes.Buffer{})).huma.OpenAPI().Paths {
		for _, op := range operationsOf(path) {
			ids[op.OperationID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(more)) {
		if !ids[id] {
			t.Errorf("there is no operation %s", id)
		}
	}
}
