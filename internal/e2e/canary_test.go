package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// leaky is a project whose build prints every variable that it has in every form that it
// knows of, and leaks what was planted for the control.
func leaky(planted map[string]string) map[string]string {
	pkg, _ := json.Marshal(map[string]any{
		"name": "leaky", "private": true, "version": "1.0.0", "scripts": map[string]string{"build": "node build.js"},
	})
	backwards := map[string]string{} // so that the source itself holds none of them
	for place, secret := range planted {
		b := []byte(secret)
		slices.Reverse(b)
		backwards[place] = string(b)
	}
	plants, _ := json.Marshal(backwards)
	return map[string]string{"package.json": string(pkg), "build.js": `
const fs = require("fs"), { spawnSync } = require("child_process");
for (const [name, v] of Object.entries(process.env)) {
  if (!name.startsWith("CANARY_")) continue;
  const b = Buffer.from(v);
  console.log(name + " plain " + v);
  console.error(name + " to stderr " + v);
  console.log("base64 " + b.toString("base64") + " " + Buffer.from("u:" + v).toString("base64") + " " + Buffer.from("u" + v + "!").toString("base64url"));
  console.log("url " + encodeURIComponent(v) + " json " + JSON.stringify({ v }) + " hex " + b.toString("hex") + " " + b.toString("hex").toUpperCase());
  process.stdout.write("in two parts " + v.slice(0, 11));
  process.stdout.write(v.slice(11) + "\n");
}
const planted = ` + string(plants) + `;
for (const place in planted) planted[place] = planted[place].split("").reverse().join("");
for (const place of ["deployment log", "data folder logs"]) if (planted[place]) console.log("planted " + planted[place]);
if (planted["jobs folder"]) fs.writeFileSync("planted.txt", planted["jobs folder"]);
if (planted["command line of a process"]) spawnSync("node", ["-e", "setTimeout(() => {}, 400)", planted["command line of a process"]]);
fs.mkdirSync("dist", { recursive: true });
fs.writeFileSync("dist/index.html", "<!doctype html><title>leaky</title><p>" + (planted["data folder objects"] || "nothing"));
`}
}

// plantedIn are the places into each of which one secret is leaked on purpose.
var plantedIn = []string{
	"API", "deployment log", "server output", "panic", "metrics", "command line of a process", "environment of a process",
	"jobs folder", "data folder state.db", "data folder routes.db", "data folder objects",
	"data folder logs",
}

// claimCanaries is people.5: many secrets go through real use; none of them is found anywhere,
// and one that is leaked on purpose is found in each place.
func claimCanaries(c *C) {
	k := &canaries{C: c, sweep: newSweep(), planted: map[string]string{}, used: map[string]int{}}
	for _, place := range plantedIn {
		k.planted[place] = k.secret()
		k.sweep.Add("planted: "+place, k.planted[place])
	}
	k.s = NewServer(c, unlimited, "FAIRWAY_SIGNUP=open", "FAIRWAY_UNSANDBOXED_BUILDS=on", "NPM_CONFIG_PLANTED="+k.planted["environment of a process"])
	k.ann = k.s.Owner()
	k.add("link", k.ann.Link)
	k.add("session", k.ann.Secret())
	k.files()
	k.people(c.Size / 10)
	k.tokens(c.Size * 15 / 100)
	k.links(c.Size / 20)
	k.builds(c.Size / 2)

	k.answers()
	k.logs()
	k.outside()
	k.s.Stop()
	k.sweep.LookInto(k.s.Data, "data folder", "token", "key")
	k.judge()
}

type canaries struct {
	*C
	s           *Server
	ann         *Person
	sweep       *sweep
	planted     map[string]string
	used        map[string]int // kind -> how many
	deployments []hosting.DeploymentID
	teams       []string // that were made for invitations
	answered    int
	watched     *procs
}

// secret makes one of a letter and 23 letters and digits, at random as all else: it can be a
// site's name too.
func (k *canaries) secret() string {
	b := make([]byte, 24)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz234567"[k.Rand.IntN(32)]
	}
	b[0] = 'a' + b[0]%26
	return string(b)
}

func (k *canaries) add(kind, secret string) {
	k.used[kind]++
	k.sweep.Add(fmt.Sprintf("%s %d", kind, k.used[kind]), secret)
}

// files are the secrets that the data folder holds as files of their own, and nowhere else.
func (k *canaries) files() {
	k.Helper()
	for _, name := range []string{"token", "key"} {
		b, err := os.ReadFile(filepath.Join(k.s.Data, name))
		if err != nil {
			k.Fatal(err)
		}
		k.add("file", strings.TrimSpace(string(b)))
	}
}

// people sign up, sign in, mistake their password, change it, and sign out.
func (k *canaries) people(n int) {
	k.Helper()
	for i := range n {
		p := k.s.NewPerson(fmt.Sprintf("Person%d", i))
		p.Password = k.secret()
		k.add("password", p.Password)
		p.signUp("")
		k.add("session", p.Secret())
		switch i % 4 {
		case 0:
			p.LogIn(k.wrong("password")).Is(http.StatusUnauthorized)
		case 1:
			next := k.secret()
			k.add("password", next)
			p.ChangePassword(next)
			k.add("session", p.Secret())
		case 2:
			q := p.Again()
			k.add("session", q.Secret())
			q.Do("POST", "/user/logout", nil).OK()
			q.http.CloseIdleConnections()
		}
		p.http.CloseIdleConnections()
	}
}

// wrong is a secret that is tried and is nobody's.
func (k *canaries) wrong(kind string) string {
	s := k.secret()
	k.add("wrong "+kind, s)
	return s
}

// tokens are made, told again by the key of the request, used, and some revoked; others are
// tried that nobody made.
func (k *canaries) tokens(n int) {
	k.Helper()
	v := k.s.visitorFrom(freshAddress(), 1)
	defer v.CloseIdleConnections()
	for i := range n {
		in := map[string]any{"name": fmt.Sprintf("token %d", i), "scope": "read", "days": 1}
		key := http.Header{"Idempotency-Key": {fmt.Sprintf("token-%d", i)}}
		var token struct {
			ID     string
			Secret string
		}
		k.ann.Ask("POST", k.ann.teamPath("tokens"), in, key).OK().Into(&token)
		again := k.ann.Ask("POST", k.ann.teamPath("tokens"), in, key).OK()
		if !strings.Contains(again.Body, token.Secret) {
			k.Errorf("the same key was answered with another token: %s", again.Body)
		}
		k.add("token", token.Secret)
		bearer := token.Secret
		if i%10 == 9 {
			bearer = "fwy_" + k.wrong("token")
		}
		r := request(k, "GET", k.s.Control()+"/api/user", nil)
		r.Header.Set("Authorization", "Bearer "+bearer)
		if a := do(k, v, r); (a.Status == http.StatusOK) != (bearer == token.Secret) {
			k.Errorf("a token was answered %d", a.Status)
		}
		if i%20 != 0 { // a person may have 100
			k.ann.Do("DELETE", k.ann.teamPath("tokens/"+token.ID), nil).OK()
		}
	}
}

// links are made for new passwords and invitations, and half of them used.
func (k *canaries) links(n int) {
	k.Helper()
	path := ""
	for i := range n {
		if i%80 == 0 { // a team has at most 100 open invitations
			var team hosting.Team
			k.ann.Do("POST", "/teams", map[string]any{"name": fmt.Sprintf("Crew %d", i)}).OK().Into(&team)
			k.teams = append(k.teams, string(team.ID))
			path = "/teams/" + string(team.ID) + "/invitations"
		}
		p := k.s.NewPerson(fmt.Sprintf("Guest%d", i))
		var inv hosting.Invitation
		k.ann.Do("POST", path, map[string]any{"email": p.Email, "role": "viewer"}).OK().Into(&inv)
		link := k.s.linkOf(k.s.Operate("POST", "/operator/invitations/"+string(inv.ID)+"/link", nil))
		k.add("link", link)
		if i%2 == 0 {
			continue
		}
		p.signUp(link)
		reset := k.s.linkOf(k.s.Operate("POST", "/operator/users/"+string(p.User.ID)+"/reset-link", nil))
		k.add("link", reset)
		next := k.secret()
		k.add("password", next)
		p.Do("POST", "/user/reset", map[string]any{"link": reset, "password": next}).OK()
		p.http.CloseIdleConnections()
	}
}

// builds have up to 200 secret variables each, and print them all. One more build leaks what
// was planted.
func (k *canaries) builds(n int) {
	k.Helper()
	k.watched = k.s.watchProcs(k.sweep)
	defer k.watched.Stop()
	for project := 0; n > 0; project++ {
		slug := fmt.Sprintf("leaky-%d", project)
		k.ann.Do("POST", "/projects", map[string]any{"name": slug, "slug": slug}).OK()
		for i := range min(n, 200) {
			core := k.secret()
			k.add("variable", core)
			value := `p/"` + core + `&=é`
			k.ann.Do("PUT", fmt.Sprintf("/projects/%s/variables/CANARY_%d", slug, i), map[string]any{"value": value, "secret": true}).OK()
		}
		n -= 200
		k.deployments = append(k.deployments, k.ann.Deploy(slug, leaky(nil)).ID)
	}
	slug := k.planted["data folder routes.db"]
	k.ann.Do("POST", "/projects", map[string]any{"name": k.planted["API"], "slug": slug}).OK()
	k.deployments = append(k.deployments, k.ann.Deploy(slug, leaky(k.planted)).ID)
	k.ann.Do("PATCH", "/projects/"+slug, map[string]any{"name": "It was " + k.planted["data folder state.db"] + " " + k.planted["API"]}).OK()
}

// answers looks at all that the API tells, to the owner and to the operator.
func (k *canaries) answers() {
	k.Helper()
	var doc openapi
	k.ann.Do("GET", "/openapi.json", nil).Is(http.StatusOK).Into(&doc)
	known := k.known()
	for _, op := range doc.Operations() {
		if op.Method != http.MethodGet || strings.HasPrefix(op.Path, "/api/jobs/") || strings.HasSuffix(op.Path, "/socket") {
			continue
		}
		path := strings.TrimPrefix(op.Path, "/api")
		if op.OperationID == "explain" {
			path += "?url=" + url.QueryEscape(k.s.Site("leaky-0"))
		}
		for _, path := range fill(path, known) {
			if !strings.HasPrefix(path, "/operator/") || k.ann.User.Operator {
				k.pages(path, func(path string) Answer { return k.ann.Do("GET", path, nil) })
			}
			if !strings.HasPrefix(path, "/user/") {
				k.pages(path, func(path string) Answer { return k.s.Operate("GET", path, nil) })
			}
		}
	}
	for _, path := range []string{"/", "/signin", "/signup", "/api/docs"} {
		body := do(k, k.ann.http, request(k, "GET", k.s.Control()+path, nil)).Body
		k.sweep.Look("API page "+path, []byte(body))
	}
}

// known are the values that paths can have.
func (k *canaries) known() map[string][]string {
	var projects, users struct{ Items []struct{ ID string } }
	k.ann.Do("GET", "/projects?limit=100", nil).OK().Into(&projects)
	k.s.Operate("GET", "/operator/users?limit=100", nil).OK().Into(&users)
	known := map[string][]string{"team": append(k.teams, string(k.ann.Team.ID)), "name": {"CANARY_0"}}
	for _, p := range projects.Items {
		known["project"] = append(known["project"], p.ID)
	}
	for _, u := range users.Items {
		known["user"] = append(known["user"], u.ID)
	}
	for _, d := range k.deployments {
		known["id"] = append(known["id"], string(d))
	}
	return known
}

// fill puts every known value into a path's parameters.
func fill(path string, known map[string][]string) (filled []string) {
	before, rest, ok := strings.Cut(path, "{")
	if !ok {
		return []string{path}
	}
	name, after, _ := strings.Cut(rest, "}")
	for _, v := range known[name] {
		filled = append(filled, fill(before+url.PathEscape(v)+after, known)...)
	}
	return filled
}

// pages looks at an answer, and at those that follow it.
func (k *canaries) pages(path string, ask func(string) Answer) {
	k.Helper()
	for next := ""; ; {
		query := ""
		if next != "" {
			query = "?limit=100&after=" + url.QueryEscape(next)
		}
		a := ask(path + query).Is(http.StatusOK)
		k.answered++
		k.sweep.Look("API "+path, []byte(a.Body))
		k.sweep.Look("API header of "+path, fmt.Append(nil, a.Header))
		var page struct{ Next string }
		_ = json.Unmarshal([]byte(a.Body), &page) // what is no list has no next
		if page.Next == "" || page.Next == next {
			return
		}
		next = page.Next
	}
}

// logs looks at every line of every build, and makes sure that the builds had the variables.
func (k *canaries) logs() {
	k.Helper()
	api := k.s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	printed := 0
	for _, id := range k.deployments {
		for after := int64(0); ; {
			lines, err := api.ReadLog(ctx, id, after, 1000)
			if err != nil {
				k.Fatal(err)
			}
			if len(lines) == 0 {
				break
			}
			for _, l := range lines {
				after = l.N
				if strings.HasPrefix(l.Text, "CANARY_") && strings.Contains(l.Text, " plain ") {
					printed++
				}
				k.sweep.Look("deployment log", []byte(l.Text))
			}
		}
	}
	if printed != k.used["variable"] {
		k.Errorf("void: the builds printed %d of %d variables", printed, k.used["variable"])
	}
}

// outside looks at what an operator sees: the terminal, the metrics, the configuration.
func (k *canaries) outside() {
	k.Helper()
	out := k.s.out.String()
	for _, bad := range []string{"panic:", "goroutine ", "a request failed"} {
		if i := strings.Index(out, bad); i >= 0 {
			k.Errorf("the server says %.500q", out[i:])
		}
	}
	k.sweep.Look("panic", []byte("panic: open "+k.planted["panic"]+"\n\ngoroutine 1 [running]:"))
	_, _ = fmt.Fprintf(k.s.out, "planted %s\n", k.planted["server output"]) // to memory
	k.sweep.Look("server output", []byte(k.s.out.String()))
	for _, path := range []string{"/metrics", "/config/", "/debug/vars", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		body := string(k.admin(path))
		if path == "/metrics" {
			body += fmt.Sprintf("planted{secret=%q} 1\n", k.planted["metrics"])
		}
		k.sweep.Look("metrics "+path, []byte(body))
	}
}

// admin asks Caddy's own endpoint.
func (k *canaries) admin(path string) []byte {
	k.Helper()
	a := k.s.onSocket("GET", path, nil)
	if a.Body == "" {
		k.Errorf("void: GET %s on the admin socket answered %d and nothing", path, a.Status)
	}
	return []byte(a.Body)
}

func (k *canaries) judge() {
	k.Helper()
	total, leaked := 0, 0
	for _, n := range k.used {
		total += n
	}
	for _, name := range k.sweep.names {
		places := k.sweep.Places(name)
		place, planted := strings.CutPrefix(name, "planted: ")
		switch {
		case planted && !slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(p, place) }):
			k.Errorf("the secret that was planted in %s was not found there, but in %v: nothing that the sweep says counts", place, places)
		case !planted && len(places) > 0:
			if leaked++; leaked <= 20 {
				k.Errorf("%s is in %v", name, places)
			}
		}
	}
	if leaked > 20 {
		k.Errorf("and %d more secrets", leaked-20)
	}
	var kinds []string
	for kind, n := range k.used {
		kinds = append(kinds, fmt.Sprintf("%d %ss", n, kind))
	}
	slices.Sort(kinds)
	k.Figure("%d secrets (%s; there are no hook secrets and clone tokens yet) in %.0f MB of %d API answers, %d logs, files, %d samples of %d processes: %d leaked; %d planted, all found",
		total, strings.Join(kinds, ", "), float64(k.sweep.bytes)/1e6, k.answered, len(k.deployments), k.watched.samples, len(k.watched.seen), leaked, len(plantedIn))
}
