package controlapi_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// accessTable is testdata/access.csv: what each caller is answered on each route.
type accessTable struct {
	callers []string
	rows    map[string]map[string]string // "METHOD path" -> caller -> answer
}

func readAccess(t *testing.T) accessTable {
	t.Helper()
	b, err := os.ReadFile("testdata/access.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.Comment = '#'
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := accessTable{callers: all[0][2:], rows: map[string]map[string]string{}}
	for _, row := range all[1:] {
		pattern := row[0] + " " + row[1]
		if table.rows[pattern] != nil {
			t.Errorf("%s stands twice in the table", pattern)
		}
		table.rows[pattern] = map[string]string{}
		for i, caller := range table.callers {
			table.rows[pattern][caller] = row[i+2]
		}
	}
	return table
}

// foreign callers may learn nothing of the team, and change nothing of it.
var foreign = []string{"nobody", "stranger", "elsewhere", "expired"}

func TestAccess_IsWhatTheTableSays(t *testing.T) {
	table, v := readAccess(t), newVictims(t)
	patterns := v.open(t).api.Patterns()
	for _, pattern := range patterns {
		if table.rows[pattern] == nil {
			t.Errorf("%s has no row in the table", pattern)
		}
	}
	for pattern := range table.rows {
		if !slices.Contains(patterns, pattern) {
			t.Errorf("the table has %s, which is no route", pattern)
		}
	}
	asked := 0
	for _, pattern := range patterns {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			if row := table.rows[pattern]; row != nil {
				for _, p := range v.check(t, pattern, row, nil) {
					t.Error(p)
				}
			}
		})
		asked += len(table.callers)
	}
	t.Logf("figure: %d routes x %d callers = %d requests, each as the table says; 0 leaks", len(patterns), len(table.callers), asked)
}

// TestAccess_ALoweredPermissionIsNoticed is the control: each route in turn asks for no more
// than to be known, and the table must differ from that. (What asks for less already, and
// reading, which every member may, asks for nothing at all.)
func TestAccess_ALoweredPermissionIsNoticed(t *testing.T) {
	table, v := readAccess(t), newVictims(t)
	world := v.open(t)
	noticed := 0
	for _, pattern := range world.api.Patterns() {
		p, asks := world.api.May(pattern)
		if !asks || p == hosting.PermitKnown || p == hosting.PermitRead || pattern == "DELETE /api/user/sessions/{session}" {
			continue
		}
		noticed++
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			problems := v.check(t, pattern, table.rows[pattern], func(w *victimWorld) { w.api.SetMay(pattern, hosting.PermitKnown) })
			if len(problems) == 0 {
				t.Error("nobody notices that anybody who is known may ask for it")
			}
		})
	}
	t.Logf("figure: the permission of %d routes lowered in turn, each noticed", noticed)
}

// TestAccess_AnOpenedRouteIsNoticed is the control for those routes, too, that ask for no more
// than to be known, or to be a member.
func TestAccess_AnOpenedRouteIsNoticed(t *testing.T) {
	table, v := readAccess(t), newVictims(t)
	world := v.open(t)
	noticed := 0
	for _, pattern := range world.api.Patterns() {
		if _, asks := world.api.May(pattern); !asks {
			continue
		}
		noticed++
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			row := map[string]string{"nobody": table.rows[pattern]["nobody"]}
			if len(v.check(t, pattern, row, func(w *victimWorld) { w.api.Open(pattern) })) == 0 {
				t.Error("nobody notices that everybody may ask for it")
			}
		})
	}
	t.Logf("figure: %d routes opened in turn, each noticed", noticed)
}

// check asks for a route as every caller of the row, and returns what is not as it says.
func (v *victims) check(t *testing.T, pattern string, row map[string]string, change func(*victimWorld)) (problems []string) {
	t.Helper()
	var w *victimWorld
	for _, caller := range slices.Sorted(mapsKeys(row)) {
		if w == nil {
			if w = v.open(t); change != nil {
				change(w)
			}
		}
		before := w.digest(t, "")
		victims := w.digest(t, string(v.ids.team))
		resp, body := w.ask(t, caller, pattern)
		at := fmt.Sprintf("%s as %s", pattern, caller)
		if !answers(resp.StatusCode, row[caller]) {
			problems = append(problems, fmt.Sprintf("%s: answered %d, the table says %s: %.300s", at, resp.StatusCode, row[caller], body))
		}
		if !w.api.Answers(pattern, resp.StatusCode) {
			problems = append(problems, fmt.Sprintf("%s: the document does not know the answer %d", at, resp.StatusCode))
		}
		if leak := v.leaks(caller, string(body)); leak != "" {
			problems = append(problems, fmt.Sprintf("%s: the answer tells %q: %.300s", at, leak, body))
		}
		ok := resp.StatusCode/100 == 2
		if !ok && w.digest(t, "") != before {
			problems = append(problems, at+": it was refused, and changed what is stored")
		}
		if slices.Contains(foreign, caller) && w.digest(t, string(v.ids.team)) != victims {
			problems = append(problems, at+": it changed what the team has stored")
		}
		if ok && resp.Request.Method != http.MethodGet {
			w.close()
			w = nil // the next caller finds everything as it was
		}
	}
	if w != nil {
		w.close()
	}
	return problems
}

func mapsKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func answers(status int, want string) bool {
	return want == "ok" && status/100 == 2 || want == strconv.Itoa(status)
}

// leaks returns what of the team an answer tells to a caller who may not know of it.
func (v *victims) leaks(caller, body string) string {
	if strings.Contains(body, canaryValue) {
		return canaryValue // the value of a secret variable is told to nobody
	}
	secret := []string{"canary-shop"}
	if caller != "otherproject" {
		if !slices.Contains(foreign, caller) {
			return ""
		}
		secret = append(secret, string(v.ids.team), string(v.ids.project), string(v.ids.deployment), "victims", "CANARY_NAME", "vera@", "mel@")
	}
	for _, s := range secret {
		if strings.Contains(body, s) {
			return s
		}
	}
	return ""
}

// ask sends one well-formed request for a route, about the victims' things.
func (w *victimWorld) ask(t *testing.T, caller, pattern string) (*http.Response, []byte) {
	t.Helper()
	r := w.request(t, caller, pattern)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return w.send(t, r)
}

// request is such a request, as no browser would send it.
func (w *victimWorld) request(t *testing.T, caller, pattern string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	ids := w.v.ids
	id := string(ids.deployment)
	switch {
	case strings.HasPrefix(path, "/api/jobs/"):
		id = string(ids.upload)
	case strings.HasPrefix(path, "/api/operator/teams"):
		id = string(ids.team)
	case strings.HasPrefix(path, "/api/operator/projects"):
		id = string(ids.project)
	case strings.HasPrefix(path, "/api/operator/invitations"):
		id = string(ids.invitation)
	}
	team := ids.team
	if caller == "elsewhere" {
		team = ids.elsewhere
	}
	path = strings.NewReplacer(
		"{team}", string(team), "{project}", string(ids.project), "{id}", id, "{user}", string(ids.mel), "{token}", string(ids.token),
		"{invitation}", string(ids.invitation), "{session}", string(hosting.NewSessionID()), "{name}", "CANARY_NAME", "{edge}", "canary-edge",
		"{digest}", hosting.DigestOf([]byte("x")).String(),
	).Replace(path)
	if pattern == "GET /api/explain" {
		path += "?url=https://victims.localhost/"
	}
	if caller != "elsewhere" && caller != "root" && !strings.Contains(pattern, "{team}") {
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "team=victims"
	}
	body, kind := w.body(pattern, caller)
	r, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost"
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w.v.authorize(r, caller)
	return r
}

func (w *victimWorld) send(t *testing.T, r *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := w.server.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, answer
}
