package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// openapi is what the tests read of Fairway's OpenAPI document.
type openapi struct {
	Paths      map[string]map[string]*operation
	Components struct{ Schemas map[string]*schema }
}

type operation struct {
	Method      string `json:"-"`
	Path        string `json:"-"`
	OperationID string
	Security    []map[string][]string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   *schema
	}
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema *schema }
	}
}

// schema is a JSON schema, as far as values are made from it.
type schema struct {
	Ref        string `json:"$ref"`
	Type       any    // a name, or a list of them
	Format     string
	Enum       []any
	Properties map[string]*schema
	Items      *schema
	Required   []string
	MinLength  int
	MaxLength  int
	Minimum    *float64
	Maximum    *float64
}

// Operations lists all of them, in a fixed order.
func (d openapi) Operations() (all []*operation) {
	for path, methods := range d.Paths {
		for method, op := range methods {
			if op == nil || op.OperationID == "" {
				continue // parameters of the whole path, or a summary
			}
			op.Method, op.Path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	return all
}

// UnmarshalJSON reads an operation, and nothing from the members of a path that are none.
func (o *operation) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		return nil
	}
	type plain operation
	return json.Unmarshal(b, (*plain)(o))
}

// claimOpenAPI is people.6: the document is one, a client made from it walks the whole
// journey, and nothing that is sent to its operations breaks the server.
func claimOpenAPI(c *C) {
	s := NewServer(c, unlimited, "FAIRWAY_SIGNUP=open", "FAIRWAY_UNSANDBOXED_BUILDS=on")
	link := s.linkOf(s.Operate("POST", "/operator/owner-link", nil))
	doc := s.Operate("GET", "/openapi.json", nil).Is(http.StatusOK).Body
	k := newKit(c, "openapi")
	k.validates(doc)
	k.journey(s, doc, link)
	ann := s.NewPerson("Owner")
	ann.Email, ann.Password = journeyEmail, journeyPassword
	ann.LogIn(ann.Password).OK()
	ann.Identify()
	c.fuzz(s, ann)
}

const (
	journeyEmail    = "owner@people.test"
	journeyPassword = "the long password of the owner"
)

// kit is a folder of programs for Node.js, with what npm fetches for them.
type kit struct {
	*C
	dir string
}

// newKit makes one of the files of internal/e2e/<name>, and installs, once for each lock file,
// what npm has to fetch.
func newKit(c *C, name string) *kit {
	c.Helper()
	from := filepath.Join(root(c), "internal/e2e", name)
	lock, err := os.ReadFile(filepath.Join(from, "package-lock.json"))
	if err != nil {
		c.Fatal(err)
	}
	k := &kit{c, filepath.Join(root(c), "bin", fmt.Sprintf("%s-%.12x", name, sha256.Sum256(lock)))}
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		c.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		c.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err := errors.Join(err, os.WriteFile(filepath.Join(k.dir, filepath.Base(file)), b, 0o644)); err != nil {
			c.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(k.dir, "node_modules/.package-lock.json")); err != nil {
		if out, err := k.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
			c.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	return k
}

// run runs a program in the kit's folder.
func (k *kit) run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = k.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (k *kit) write(name, content string) {
	k.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(content), 0o644); err != nil {
		k.Fatal(err)
	}
}

// validates checks the document against the schema of OpenAPI 3.1. Documents that are broken
// in one place must be refused by the same check.
func (k *kit) validates(doc string) {
	k.Helper()
	k.write("openapi.json", doc)
	out, err := k.run("node", "validate.mjs", "openapi.json")
	if err != nil {
		k.Fatalf("the document is not valid:\n%s", out)
	}
	var whole openapi
	if err := json.Unmarshal([]byte(doc), &whole); err != nil {
		k.Fatal(err)
	}
	for what, broken := range map[string]string{
		"no title":             strings.Replace(doc, `"title":"Fairway"`, `"titel":"Fairway"`, 1),
		"a parameter nowhere":  strings.Replace(doc, `"in":"path"`, `"in":"nowhere"`, 1),
		"a reference to none":  strings.Replace(doc, `"#/components/schemas/`, `"#/components/schemas/No`, 1),
		"a word for a boolean": strings.Replace(doc, `"required":true`, `"required":"yes"`, 1),
	} {
		if broken == doc {
			k.Errorf("void: the document cannot be broken by %s", what)
		}
		k.write("broken.json", broken)
		if out, err := k.run("node", "validate.mjs", "broken.json"); err == nil {
			k.Errorf("a document with %s is found valid: %s", what, out)
		}
	}
	k.Figure("OpenAPI document of %d operations valid, 4 broken ones refused", len(whole.Operations()))
}

// journey makes a client from the document, and has it do all that a person does first.
func (k *kit) journey(s *Server, doc, link string) {
	k.Helper()
	k.write("openapi.json", doc)
	k.write("site.tgz", string(pack(k, map[string]string{"index.html": "<h1>first</h1>"})))
	k.write("second.tgz", string(pack(k, map[string]string{"index.html": "<h1>second</h1>"})))
	if out, err := k.run("node_modules/.bin/openapi-typescript", "openapi.json", "-o", "api.d.ts"); err != nil {
		k.Fatalf("no client can be made: %v\n%s", err, out)
	}
	if out, err := k.run("node_modules/.bin/tsc", "-p", "."); err != nil {
		k.Fatalf("the client does not type-check: %v\n%s", err, out)
	}
	k.mistypedIsRefused()
	cmd := exec.Command("node", "out/journey.js")
	cmd.Dir = k.dir
	cmd.Env = append(os.Environ(), "FAIRWAY_URL="+s.Control(), "OWNER_LINK="+link, "EMAIL="+journeyEmail, "PASSWORD="+journeyPassword,
		"NODE_EXTRA_CA_CERTS="+filepath.Join(s.Data, "caddy/pki/authorities/local/root.crt"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		k.Fatalf("the journey: %v\n%s", err, out)
	}
	s.Get(s.Site("journey")).Is(http.StatusOK, "first") // it was rolled back
	steps := strings.Count(string(out), "\n")
	if !strings.HasSuffix(string(out), "done\n") {
		k.Fatalf("the journey did not end:\n%s", out)
	}
	k.Figure("a client generated from it type-checks and walked %d steps", steps-1)
}

// mistypedIsRefused is the control of the type check: it must see a name that is not in the
// document.
func (k *kit) mistypedIsRefused() {
	k.Helper()
	b, err := os.ReadFile(filepath.Join(k.dir, "journey.ts"))
	if err != nil {
		k.Fatal(err)
	}
	wrong := strings.Replace(string(b), "password: password", "passwort: password", 1)
	k.write("mistyped.ts", wrong)
	defer func() { _ = os.Remove(filepath.Join(k.dir, "mistyped.ts")) }()
	out, err := k.run("node_modules/.bin/tsc", "-p", ".", "--noEmit")
	if wrong == string(b) || err == nil || !strings.Contains(out, "passwort") {
		k.Errorf("void: a mistyped client type-checks: %v\n%s", err, out)
	}
}

func TestOpenAPI_OperationsAreRead(t *testing.T) {
	var doc openapi
	err := json.Unmarshal([]byte(`{"paths": {"/b": {"summary": "x", "parameters": [], "post": {"operationId": "two"}}, "/a": {"get": {"operationId": "one"}}}}`), &doc)
	if err != nil {
		t.Fatal(err)
	}
	if ops := doc.Operations(); len(ops) != 2 || ops[0].OperationID != "one" || ops[1].Method != "POST" || ops[1].Path != "/b" {
		t.Errorf("read %+v", ops)
	}
}
