package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
)

// claimHostile is cloud.5: a build that takes all that it can reach gets nothing of the platform's
// and nothing of another project's; and a job's token is good for its own attempt alone.
//
// Builds are tasks of a server of ECS. With podman, as in make prove, each is a container of the
// builder's image; else it is a sandbox of this machine's programs. The first has its walls down,
// and has to find every secret.
func claimHostile(c *C) {
	if err := rootWith("ip", "nft"); err != nil {
		if *prove {
			c.Fatal(err)
		}
		c.Skip(err)
	}
	h := newHostile(c)
	h.victim = h.begin("victim", map[string]string{"secret.txt": h.canaries["another project's file"]}, "sleep 900", map[string]string{
		"PLAIN": h.canaries["another project's variable"], "SECRET": h.canaries["another project's secret variable"],
	})
	h.running(h.victim)

	h.enclosure.raise(false)
	h.tasks.Define(h.unwalled())
	bare := h.dump("walls-down")
	h.judgeControl(bare)

	h.enclosure.raise(true)
	h.tasks.Define(h.walled())
	var size int64
	for i := range c.Size {
		size += h.judge(h.dump(fmt.Sprintf("hostile-%d", i)))
	}
	if h.image != "" {
		h.lookIntoImage()
	}
	c.Figure("%d hostile builds %s published %d MB of what they could reach (the last: %s): none of the %d secrets that a build with the walls down found, nor another job's token, is in it",
		c.Size, h.way(), size>>20, h.last, h.found)
	h.steal()
}

// rootWith says what is missing where network namespaces cannot be made.
func rootWith(programs ...string) error {
	if os.Getuid() != 0 {
		return fmt.Errorf("network namespaces need root")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("make check-tools installs it: %w", err)
		}
	}
	return nil
}

const hostileControl = "control.fairway.test"

type hostile struct {
	*C
	fleet     *fleet
	s         *Server
	api       *client.Client
	tasks     *ecstest.Server
	enclosure *enclosure
	image     string            // of the builder, "" in bubblewrap
	canaries  map[string]string // what is looked for, by what it is
	own       string            // what each dump has to have
	files     string            // folder of what tasks are given
	victim    hosting.DeploymentID
	found     int
	last      string // what the last dump has seen
}

func newHostile(c *C) *hostile {
	c.Helper()
	h := &hostile{C: c, fleet: newFleet(c), canaries: map[string]string{}, files: c.TempDir()}
	for _, what := range []string{
		"password of Redis", "keys of the task's role", "keys of the instance", "an answer of the platform's port",
		"environment of the task", "another project's variable", "another project's secret variable", "another project's file",
	} {
		h.canaries[what] = h.secret()
	}
	h.own = h.secret()
	database, state := h.fleet.database()
	redis := h.fleet.redis("--requirepass", h.canaries["password of Redis"])
	if *prove {
		h.image = c.image("builder")
	}

	env := append(state, h.fleet.objects(h.fleet.gateway), "FAIRWAY_BUILDS=4",
		"FAIRWAY_LOGS=redis://default@"+redis+"/0?password=env:REDIS_PASSWORD", "REDIS_PASSWORD="+h.canaries["password of Redis"],
		"FAIRWAY_CONTROL_HOST="+hostileControl)
	h.s = h.fleet.server(env...)
	h.fleet.control = h.s
	h.enclosure = newEnclosure(c, h.s.HTTPS)
	h.tasks = ecstest.New(h.ecs())
	c.Cleanup(h.tasks.Close)
	h.enclosure.metadata, h.enclosure.instance = h.tasks.Metadata(), h.canaries["keys of the instance"]
	service := httptest.NewServer(h.tasks)
	c.Cleanup(service.Close)
	h.s.env = append(h.s.env, fmt.Sprintf("FAIRWAY_PUBLIC_URL=https://%s:%d", hostileControl, h.s.HTTPS),
		"FAIRWAY_RUNNER=ecs://builds/fairway?region=eu-central-1&subnets=subnet-1&endpoint="+service.URL)
	h.s.Start()
	h.api = h.s.Client()
	c.Cleanup(h.api.Close)

	h.enclosure.canary(2019, h.canaries["an answer of the platform's port"])
	h.enclosure.door(5432, database.Addr)
	h.enclosure.door(6379, redis)
	h.enclosure.door(7070, h.fleet.gateway)
	h.secretsOfThePlatform()
	h.tasks.Define(h.walled())
	return h
}

// secret is one of 32 letters and digits.
func (h *hostile) secret() string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[h.Rand.IntN(62)]
	}
	return string(b)
}

func (h *hostile) way() string {
	if h.image != "" {
		return "in the builder's image, by podman,"
	}
	return "in bubblewrap"
}

// secretsOfThePlatform are those that its processes have, and what it keeps in files.
func (h *hostile) secretsOfThePlatform() {
	h.Helper()
	h.canaries["password of PostgreSQL"] = h.s.setting("DB_PASSWORD")
	h.canaries["key of the object store and of ECS"] = fleetSecret
	for what, name := range map[string]string{"key of the platform": "key", "token of the operator": "token", "key of the edges": "edge-key"} {
		b, err := os.ReadFile(filepath.Join(h.s.Data, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			h.Fatal(err)
		}
		h.canaries[what] = strings.TrimSpace(string(b))
	}
}

func (h *hostile) ecs() ecstest.Config {
	c := ecstest.Config{Dir: h.TempDir(), AccessKeys: []string{fleetKey}, Network: h.enclosure.network}
	program := "bwrap"
	if h.image != "" {
		program = "podman"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		h.Fatalf("%v: make check-tools installs it", err)
	}
	if h.image != "" {
		c.Podman = path
	} else {
		c.Bubblewrap = path
	}
	return c
}

// walled is the definition of a build as the operations manual wants it.
func (h *hostile) walled() ecstest.TaskDefinition {
	d := ecstest.TaskDefinition{
		Family: "fairway", Container: "fairway", Image: h.image, StopTimeout: 5 * time.Second,
		Environment: []string{"SSL_CERT_FILE=/fairway-ca.pem"},
		Mounts:      []string{h.root() + ":/fairway-ca.pem"},
		Hosts:       []string{h.enclosure.platform + " " + hostileControl},
	}
	if h.image != "" {
		return d
	}
	d.Command, d.Environment = []string{"/fairway", "job"}, append(d.Environment, "PATH="+os.Getenv("PATH"))
	d.Mounts = append(d.Mounts, binary(h, "fairway", "make fairway")+":/fairway")
	for _, folder := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc"} {
		if _, err := os.Stat(folder); err == nil {
			d.Folders = append(d.Folders, folder)
		}
	}
	return d
}

// root is the authority of the control plane's certificate, for tasks.
func (h *hostile) root() string {
	h.Helper()
	file := filepath.Join(h.files, "ca.pem")
	pem, err := os.ReadFile(filepath.Join(h.s.Data, "caddy/pki/authorities/local/root.crt"))
	if err == nil {
		err = os.WriteFile(file, pem, 0o644)
	}
	if err != nil {
		h.Fatal(err)
	}
	return file
}

// unwalled is a definition that does all that the manual warns of: a shell before the job, a role,
// secrets in the environment, and a disk on which the platform left its own.
func (h *hostile) unwalled() ecstest.TaskDefinition {
	h.Helper()
	d := h.walled()
	leaks := filepath.Join(h.files, "leaks")
	for what, secret := range h.canaries {
		if slices.Contains([]string{"keys of the task's role", "keys of the instance", "an answer of the platform's port", "environment of the task"}, what) {
			continue
		}
		if err := os.MkdirAll(leaks, 0o755); err != nil {
			h.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(leaks, strings.ReplaceAll(what, " ", "-")), []byte(secret), 0o644); err != nil {
			h.Fatal(err)
		}
	}
	job := "fairway"
	if h.image == "" {
		job = "/fairway"
	}
	d.Command = []string{"/bin/sh", "-c", `printf '%s\n' "$FAIRWAY_JOB_TOKEN" | env -u FAIRWAY_JOB_TOKEN ` + job + ` job; exit $?`}
	d.Mounts = append(d.Mounts, leaks+":/leaks")
	d.Environment = append(d.Environment, "NPM_CONFIG_PLANTED="+h.canaries["environment of the task"])
	d.RoleSecret = h.canaries["keys of the task's role"]
	return d
}

// begin makes a project with variables and starts a build of its files.
func (h *hostile) begin(slug string, files map[string]string, build string, variables map[string]string) hosting.DeploymentID {
	h.Helper()
	ctx := context.Background()
	output := "dist"
	_, err := h.api.CreateProject(ctx, hosting.NewProject{Name: slug, Slug: slug})
	if err == nil {
		_, err = h.api.UpdateProject(ctx, slug, hosting.ProjectUpdate{BuildCommand: &build, OutputDir: &output})
	}
	for name, value := range variables {
		if err == nil {
			_, err = h.api.SetVariable(ctx, slug, name, client.SetVariable{Value: value, Targets: []hosting.Target{hosting.TargetProduction}, Secret: name == "SECRET"})
		}
	}
	if err != nil {
		h.Fatal(err)
	}
	answer, err := h.api.Deploy(ctx, hosting.NewDeployment{Project: slug, Source: hosting.SourceArchive})
	if err != nil {
		h.Fatal(err)
	}
	source := pack(h, files)
	if _, err := h.api.PutSource(ctx, answer.ID, bytes.NewReader(source), int64(len(source))); err != nil {
		h.Fatal(err)
	}
	return answer.ID
}

// running waits until a build's own command runs.
func (h *hostile) running(id hosting.DeploymentID) {
	h.Helper()
	h.s.eventually(2*time.Minute, "the build runs", func() bool {
		lines, err := h.api.ReadLog(context.Background(), id, 0, 100)
		h.stillGoes(id)
		return err == nil && slices.ContainsFunc(lines, func(l hosting.LogLine) bool { return strings.HasPrefix(l.Text, "$ ") })
	})
}

// stillGoes fails where a deployment has come to an end that is not meant.
func (h *hostile) stillGoes(id hosting.DeploymentID) hosting.Deployment {
	h.Helper()
	d, err := h.api.FindDeployment(context.Background(), id)
	if err != nil {
		h.Fatal(err)
	}
	if d.Status == hosting.StatusFail {
		arn, _ := h.task(id)
		h.Fatalf("%s %s %s: %s", d.Status, d.Code, d.Reason, h.tasks.Output(arn))
	}
	return d
}

// task returns the task that was started for a deployment, and its token.
func (h *hostile) task(id hosting.DeploymentID) (arn, token string) {
	h.Helper()
	for _, x := range h.tasks.Exchanges() {
		if x.Operation != "RunTask" || !strings.Contains(x.Request, `"`+string(id)+`"`) {
			continue
		}
		var request struct {
			Overrides struct {
				ContainerOverrides []struct {
					Environment []struct{ Name, Value string }
				}
			}
		}
		var answer struct{ Tasks []struct{ TaskArn string } }
		if json.Unmarshal([]byte(x.Request), &request) != nil || json.Unmarshal([]byte(x.Answer), &answer) != nil || len(answer.Tasks) != 1 {
			continue
		}
		for _, v := range request.Overrides.ContainerOverrides[0].Environment {
			if v.Name == "FAIRWAY_JOB_TOKEN" {
				arn, token = answer.Tasks[0].TaskArn, v.Value
			}
		}
	}
	if token == "" {
		h.Fatalf("no task was started for %s", id)
	}
	return arn, token
}

// dumped is what a hostile build brought to light.
type dumped struct {
	token  string
	sweep  *sweep
	seen   map[string]int
	knocks map[string]int
}

// dump has a hostile build made, and looks at all that it published and printed.
func (h *hostile) dump(slug string) dumped {
	h.Helper()
	script, err := os.ReadFile("testdata/hostile/build.js")
	if err != nil {
		h.Fatal(err)
	}
	h.enclosure.knocked()
	id := h.begin(slug, map[string]string{"build.js": string(script), "own.txt": h.own}, "node build.js", map[string]string{"OWN": h.own})
	h.s.eventually(5*time.Minute, slug+" is published", func() bool { return h.stillGoes(id).Status == hosting.StatusReady })
	arn, token := h.task(id)
	d := dumped{token: token, sweep: newSweep(), knocks: h.enclosure.knocked()}
	for what, secret := range h.canaries {
		d.sweep.Add(what, secret)
	}
	d.sweep.Add("token of the job", token)
	d.sweep.Add("own", h.own)
	_, other := h.task(h.victim)
	d.sweep.Add("token of another job", other)
	for _, name := range []string{"environment.txt", "processes.txt", "memory.bin", "metadata.txt", "network.txt", "disk.bin"} {
		d.sweep.Look(name, []byte(h.s.Get(h.s.Site(slug)+"/"+name).Is(http.StatusOK, "").Body))
	}
	d.sweep.Look("output of the task", []byte(h.tasks.Output(arn)))
	lines, err := h.api.ReadLog(context.Background(), id, 0, 1000)
	if err != nil {
		h.Fatal(err)
	}
	for _, l := range lines {
		d.sweep.Look("log", []byte(l.Text))
	}
	seen := h.s.Get(h.s.Site(slug)+"/seen.json").Is(http.StatusOK, "").Body
	if err := json.Unmarshal([]byte(seen), &d.seen); err != nil {
		h.Fatal(err)
	}
	h.last = seen
	return d
}

// looked fails unless a dump has what is the build's own, wherever it is to have looked.
func (h *hostile) looked(d dumped) {
	h.Helper()
	for _, place := range []string{"environment.txt", "processes.txt", "memory.bin", "disk.bin"} {
		if !slices.Contains(d.sweep.Places("own"), place) {
			h.Errorf("void: the build's own variable or file is not in %s: %v", place, d.seen)
		}
	}
	if d.knocks["169.254.170.2:80"] == 0 {
		h.Errorf("void: the build did not ask for the task's metadata: %v", d.knocks)
	}
	if d.seen["cut"] > 0 {
		h.Errorf("void: %d files were too much for the dump", d.seen["cut"])
	}
	for what, least := range map[string]int{"processes": 3, "environments": 3, "ports": 2000, "open": 1, "files": 10} {
		if d.seen[what] < least {
			h.Errorf("void: the dump has %d %s: %v", d.seen[what], what, d.seen)
		}
	}
}

// judgeControl fails unless the build that has no walls around it found everything.
func (h *hostile) judgeControl(d dumped) {
	h.Helper()
	h.looked(d)
	where := map[string]string{
		"token of the job": "processes.txt", "environment of the task": "environment.txt", "keys of the task's role": "metadata.txt",
		"keys of the instance": "metadata.txt", "an answer of the platform's port": "network.txt",
	}
	for what := range h.canaries {
		if where[what] == "" {
			where[what] = "disk.bin"
		}
	}
	for what, place := range where {
		if !slices.Contains(d.sweep.Places(what), place) {
			h.Errorf("void: with the walls down, %s is not in %s: it is in %v; %v, %v", what, place, d.sweep.Places(what), d.seen, d.knocks)
			continue
		}
		h.found++
	}
	if d.knocks["the platform's ports"] < 4 || d.knocks["169.254.169.254:80"] == 0 {
		h.Errorf("void: with the walls down, the build knocked at %v", d.knocks)
	}
}

// judge fails where a dump has what it is not to have, and returns its size.
func (h *hostile) judge(d dumped) int64 {
	h.Helper()
	h.looked(d)
	for _, what := range append(slices.Sorted(maps.Keys(h.canaries)), "token of the job", "token of another job") {
		if places := d.sweep.Places(what); len(places) > 0 {
			h.Errorf("the build found the %s: in %v", what, places)
		}
	}
	if d.knocks["the platform's ports"] > 0 || d.knocks["169.254.169.254:80"] > 0 {
		h.Errorf("the build came through the walls: %v", d.knocks)
	}
	return d.sweep.bytes
}

// lookIntoImage looks at every file of the image, also those that a build does not read.
func (h *hostile) lookIntoImage() {
	h.Helper()
	out, err := exec.Command("podman", "image", "mount", h.image).Output()
	if err != nil {
		h.Fatal(err)
	}
	defer func() { _ = command("", "podman", "image", "unmount", h.image) }()
	sw := newSweep()
	for what, secret := range h.canaries {
		sw.Add(what, secret)
	}
	sw.LookInto(strings.TrimSpace(string(out)), "image")
	for what := range h.canaries {
		if places := sw.Places(what); len(places) > 0 {
			h.Errorf("the image holds the %s: in %v", what, places)
		}
	}
	h.Figure("%d MB of the image, without any", sw.bytes>>20)
}
