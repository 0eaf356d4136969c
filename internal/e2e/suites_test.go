package e2e

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// contracts are the suites of conformance, by what implements each: in a process or a folder, and
// against the real server.
var contracts = []struct {
	name  string
	tests map[string][]string // by package
}{
	{"state", map[string][]string{"./internal/state/bolt": {"TestStore_KeepsTheContract"}, "./internal/state/postgres": {"TestStore_KeepsTheContract"}}},
	{"objects", map[string][]string{"./internal/object/file": {"TestStore_KeepsTheContract"}, "./internal/object/s3": {"TestStore_KeepsTheContract", "TestStore_KeepsTheContractOfAPresigner"}}},
	{"logs", map[string][]string{"./internal/logs/file": {"TestStore_KeepsTheContract"}, "./internal/logs/redis": {"TestStore_KeepsTheContract"}}},
	{"bell", map[string][]string{"./internal/bell/local": {"TestBell_KeepsTheContract"}, "./internal/bell/redis": {"TestBell_KeepsTheContract"}}},
	{"runner", map[string][]string{"./internal/runner/process": {"TestRunner_KeepsTheContract"}, "./internal/runner/ecs": {"TestRunner_KeepsTheContract"}}},
}

// claimSuites is cloud.1: each suite over every implementation; the server that stands for ECS
// held to the model of the service and to the aws command line; and, where claims are proven, its
// tasks also as containers of the builder's image, the server's image started, and the client and the
// Terraform of examples/aws against moto.
func claimSuites(c *C) {
	if *prove {
		c.Setenv("FAIRWAY_TEST_IMAGE", c.image("builder"))
	}
	some := c.Rand.Perm(len(contracts))[:min(c.Size, len(contracts))]
	for _, i := range some {
		for pkg, tests := range contracts[i].tests {
			goTest(c, pkg, tests...)
		}
	}
	goTest(c, "./internal/runner/ecs/ecstest", "TestAnswers_AreThoseOfTheModel", "TestServer_SpeaksWithTheCommandLineOfAWS")
	if !*prove {
		return
	}
	goTest(c, "./internal/runner/ecs", "TestRunner_AgainstMoto")
	goTest(c, "./internal/runner/ecs/ecstest", "TestTask_EndsAsECSTells", "TestTask_LeavesNothing")
	c.Figure("tasks of ECS as processes, in bubblewrap, and in podman from the builder's image")
	c.serverImage(c.image("server"))
	m := newMoto(c)
	m.apply()
}

// moto is the cloud of other people, with what it lacks put before it.
type moto struct {
	*C
	url    string
	mu     sync.Mutex // guards groups
	groups map[string]url.Values
}

func newMoto(c *C) *moto {
	c.Helper()
	m := &moto{C: c, groups: map[string]url.Values{}}
	f := &fleet{C: c}
	addr := f.run("moto_server", func(addr string) []string {
		host, port, _ := strings.Cut(addr, ":")
		return []string{"-H", host, "-p", port}
	}, "HOME="+os.Getenv("HOME"))
	next := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil && m.lacks(w, form) {
			return
		}
		next.ServeHTTP(w, r)
	}))
	c.Cleanup(front.Close)
	m.url = front.URL
	return m
}

// lacks answers what moto does not know of ElastiCache: groups of users, and nodes of a group of
// replicas.
func (m *moto) lacks(w http.ResponseWriter, form url.Values) bool {
	type group struct {
		UserGroupId, Status, Engine, ARN string
		UserIds                          []string `xml:"UserIds>member"`
	}
	action, id := form.Get("Action"), form.Get("UserGroupId")
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case action == "CreateUserGroup":
		m.groups[id] = form
	case action == "DescribeUserGroups":
	case action == "DescribeCacheClusters" && form.Has("CacheClusterId"):
		fmt.Fprintf(w, `<DescribeCacheClustersResponse><DescribeCacheClustersResult><CacheClusters><CacheCluster><CacheClusterId>%s</CacheClusterId>`+
			`<CacheClusterStatus>available</CacheClusterStatus><Engine>redis</Engine><EngineVersion>7.1</EngineVersion></CacheCluster></CacheClusters>`+
			`</DescribeCacheClustersResult></DescribeCacheClustersResponse>`, url.PathEscape(form.Get("CacheClusterId")))
		return true
	case action == "ListTagsForResource" && strings.Contains(form.Get("ResourceName"), ":usergroup:"):
		fmt.Fprint(w, `<ListTagsForResourceResponse><ListTagsForResourceResult><TagList/></ListTagsForResourceResult></ListTagsForResourceResponse>`)
		return true
	default:
		return false
	}
	made := m.groups[id]
	g := group{UserGroupId: id, Status: "active", Engine: made.Get("Engine"), ARN: "arn:aws:elasticache:eu-central-1:123456789012:usergroup:" + id}
	for i := 1; made.Has(fmt.Sprintf("UserIds.member.%d", i)); i++ {
		g.UserIds = append(g.UserIds, made.Get(fmt.Sprintf("UserIds.member.%d", i)))
	}
	inner := xml.StartElement{Name: xml.Name{Local: action + "Result"}}
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	var err error
	if action == "CreateUserGroup" {
		err = e.EncodeElement(g, inner)
	} else {
		err = e.EncodeElement(struct {
			Groups []group `xml:"UserGroups>member"`
		}{[]group{g}}, inner)
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	fmt.Fprintf(w, "<%sResponse>%s</%[1]sResponse>", action, b.String())
	return true
}

// madeLine is how Terraform tells of a resource that there is.
var madeLine = regexp.MustCompile(`(?m)^(\S+): Creation complete`)

// apply makes all of examples/aws at moto, and looks whether a second run changes nothing.
func (m *moto) apply() {
	m.Helper()
	dir := m.TempDir()
	files, err := filepath.Glob(filepath.Join(root(m), "examples/aws/*.tf"))
	if err != nil {
		m.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f)), b, 0o600)
		}
		if err != nil {
			m.Fatal(err)
		}
	}
	writeFiles(m, dir, map[string]string{
		"moto_override.tf": `provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
`,
		"moto.auto.tfvars": fmt.Sprintf(`bucket       = "example-fairway-sites"
domain       = "sites.example.com"
control_host = "fairway.example.org"
zone_id      = "Z0123456789ABC"
acme_email   = "ops@example.org"
image_tag    = "v1"
secrets = {
  control       = %q
  edge          = %q
  redis_control = %q
  redis_edge    = %q
}
`, m.secret("control", `{"key":"AAAA","database":"0123456789abcdef"}`), m.secret("edge", "0123456789abcdef"), m.secret("redis-control", "0123456789abcdef"), m.secret("redis-edge", "0123456789abcdef")),
	})
	init := []string{"init", "-input=false", "-no-color"}
	if plugins := os.Getenv("PLUGINS"); plugins != "" {
		init = append(init, "-plugin-dir="+plugins)
	}
	m.command(dir, "terraform", init...)
	out := m.command(dir, "terraform", "apply", "-input=false", "-auto-approve", "-no-color")
	made := len(madeLine.FindAllString(out, -1))
	if !strings.Contains(out, fmt.Sprintf("%d added, 0 changed, 0 destroyed", made)) || made == 0 {
		m.Fatalf("terraform apply made %d: %s", made, tail(out, 4000))
	}
	var services []string
	for _, cluster := range []string{"fairway", "fairway-builds"} {
		services = append(services, strings.Fields(m.command(dir, "aws", "ecs", "list-services", "--cluster", cluster, "--query", "serviceArns", "--output", "text"))...)
	}
	m.Figure("Terraform makes %d resources of examples/aws at moto, with %d services of ECS (groups of users and nodes of ElastiCache, which moto has not, by the test)", made, len(services))
}

// secret makes one, and returns its ARN.
func (m *moto) secret(name, value string) string {
	m.Helper()
	return strings.TrimSpace(m.command("", "aws", "secretsmanager", "create-secret", "--name", name, "--secret-string", value, "--query", "ARN", "--output", "text"))
}

// command runs a program that takes moto for AWS.
func (m *moto) command(dir, name string, args ...string) string {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_DEFAULT_REGION=eu-central-1", "AWS_ENDPOINT_URL="+m.url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.Fatalf("%s %v: %v\n%s", name, args, err, tail(string(out), 4000))
	}
	return string(out)
}
