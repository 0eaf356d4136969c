package platform_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/cli"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/platform"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
	"github.com/scale-mesh/fairway/internal/runner/runnertest"
)

// mainVar makes the test's program the command line, which containers run.
const mainVar = "PLATFORM_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVar) == "" {
		os.Exit(m.Run())
	}
	root := &cobra.Command{Use: "fairway", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(cli.Commands(cli.OS())...)
	os.Exit(cli.ExitCode(root.Execute()))
}

// certify makes a certificate for localhost, and a file by which others trust it.
func certify(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sheet := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, sheet, sheet, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// elsewhere is a platform whose builds are tasks.
type elsewhere struct {
	*platform.Platform
	*client.Client
	ecs *ecstest.Server
}

func openElsewhere(t *testing.T, bubblewrap, query string) elsewhere {
	t.Helper()
	cert, ca := certify(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tasks := ecstest.New(ecstest.Config{
		Dir: t.TempDir(), Bubblewrap: bubblewrap,
		Definitions: []ecstest.TaskDefinition{{
			Family: "fairway", Container: "fairway", Command: []string{self, "job"}, StopTimeout: 5 * time.Second,
			Environment: []string{mainVar + "=1", "PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + ca},
		}},
	})
	t.Cleanup(tasks.Close)
	service := httptest.NewServer(tasks)
	t.Cleanup(service.Close)

	var p *platform.Platform
	public := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.API().ServeHTTP(w, r) }))
	public.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	public.StartTLS()
	t.Cleanup(public.Close)
	_, port, _ := net.SplitHostPort(public.Listener.Addr().String())
	p, err = platform.Open(t.Context(), platform.Config{
		Data: t.TempDir(), Executable: "/bin/false", PublicURL: "https://localhost:" + port,
		Runner: "ecs://builds/fairway?region=eu-central-1&subnets=subnet-1&endpoint=" + service.URL + query,
		Getenv: func(name string) string {
			return map[string]string{"AWS_ACCESS_KEY_ID": ecstest.AccessKey, "AWS_SECRET_ACCESS_KEY": "shibboleth"}[name]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	operator := httptest.NewServer(p.Admin())
	t.Cleanup(operator.Close)
	c, err := client.New(client.Options{Base: operator.URL + "/api"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return elsewhere{p, c, tasks}
}

// deploy brings an archive of the files.
func (e elsewhere) deploy(t *testing.T, in hosting.NewDeployment, settings hosting.ProjectUpdate, files map[string]string) hosting.Deployment {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var source bytes.Buffer
	if _, err := builder.Pack(t.Context(), dir, &source, hosting.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	project, err := e.CreateProject(t.Context(), hosting.NewProject{Name: in.Project})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.UpdateProject(t.Context(), string(project.ID), settings); err != nil {
		t.Fatal(err)
	}
	in.Source = hosting.SourceArchive
	answer, err := e.Deploy(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.PutSource(t.Context(), answer.Deployment.ID, &source, int64(source.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ended waits for the end of a deployment.
func (e elsewhere) ended(t *testing.T, d hosting.Deployment) hosting.Deployment {
	t.Helper()
	for _, err := range e.Watch(t.Context(), d.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := e.FindDeployment(t.Context(), d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// page returns what a site shows.
func (e elsewhere) page(t *testing.T, host, path string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://"+host+path, nil)
	w := httptest.NewRecorder()
	e.Sites().ServeHTTP(w, r)
	b, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s%s: %d %s", host, path, w.Code, b)
	}
	return strings.TrimSpace(string(b))
}

// spy tells whether a build finds the attempt's token with any process that it can see, and that
// it sees the environment of others.
const spy = `mkdir dist
secret=FAIRWAY_JOB_TOK
cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' >found
grep -a -c "^${secret}EN=" found >dist/tokens.txt
grep -a -c "^FAIRWAY_JOB_ID=" found >dist/jobs.txt
echo hello >dist/index.html
rm found
true`

// A build on ECS begins with nothing but what RunTask says, calls the API over TLS, and publishes.
func TestTasks_BuildAndPublish(t *testing.T) {
	for name, program := range map[string]string{"as processes": "", "in bubblewrap": "bwrap"} {
		t.Run(name, func(t *testing.T) {
			if program != "" {
				path, err := exec.LookPath(program)
				if err == nil {
					err = exec.Command(path, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true").Run()
				}
				if err != nil {
					t.Skipf("bubblewrap does not run here: %v", err)
				}
				program = path
			}
			e := openElsewhere(t, program, "")
			command, output := "sh spy.sh", "dist"
			d := e.deploy(t, hosting.NewDeployment{Project: "spied"}, hosting.ProjectUpdate{BuildCommand: &command, OutputDir: &output}, map[string]string{"spy.sh": spy})
			d = e.ended(t, d)
			arns := e.ecs.Tasks()
			if d.Status != hosting.StatusReady || len(arns) != 1 {
				t.Fatalf("%s %s %s; tasks %v: %s", d.Status, d.Code, d.Reason, arns, e.ecs.Output(arns[0]))
			}
			if got := e.page(t, "spied.localhost", "/"); got != "hello" {
				t.Errorf("the site shows %q", got)
			}
			if got := e.page(t, "spied.localhost", "/tokens.txt"); got != "0" {
				t.Errorf("the build finds the token %s times", got)
			}
			if got := e.page(t, "spied.localhost", "/jobs.txt"); os.Getuid() == 0 && got == "0" {
				t.Error("the build does not see the job's environment: the test looks at the wrong place")
			}
			var request string
			for _, x := range e.ecs.Exchanges() {
				if x.Operation == "RunTask" {
					request = x.Request
				}
			}
			if !strings.Contains(request, `"FAIRWAY_JOB_TOKEN"`) || !strings.Contains(request, `"https://localhost:`) || strings.Contains(request, "RoleArn") {
				t.Errorf("ECS was asked %s", request)
			}
			// It may be told to end after it has published, and says so then.
			if out := e.ecs.Output(arns[0]); out != "" && out != "fairway: stopped\n" {
				t.Errorf("the job prints %s", out)
			}
		})
	}
}

func TestTasks_OfACanceledBuildEnd(t *testing.T) {
	e := openElsewhere(t, "", "&launch_type=FARGATE_SPOT")
	command, output := "echo sleeping; sleep 300", "."
	d := e.deploy(t, hosting.NewDeployment{Project: "sleepy", Target: hosting.TargetPreview}, hosting.ProjectUpdate{BuildCommand: &command, OutputDir: &output}, map[string]string{"index.html": "x"})
	runnertest.WaitFor(t, "the build", func() bool {
		lines, err := e.ReadLog(t.Context(), d.ID, 0, 100)
		return err == nil && len(lines) > 0 && lines[len(lines)-1].Text == "sleeping"
	})
	if _, err := e.Cancel(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	if d = e.ended(t, d); d.Status != hosting.StatusCanceled {
		t.Fatalf("%s %s %s", d.Status, d.Code, d.Reason)
	}
	runnertest.WaitFor(t, "the end of the task", func() bool {
		all := e.ecs.Exchanges()
		last := all[len(all)-1]
		return e.ecs.Calls("StopTask") == 1 && strings.Contains(last.Answer, `"lastStatus":"STOPPED"`)
	})
	for _, x := range e.ecs.Exchanges() {
		if x.Operation == "RunTask" && !strings.Contains(x.Request, `"FARGATE_SPOT"`) {
			t.Errorf("the first attempt at a preview is %s", x.Request)
		}
	}
}

func TestTasks_NeedAnAddressThatTheyReach(t *testing.T) {
	const runner = "ecs://builds/fairway?region=eu-central-1&subnets=subnet-1"
	keys := func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "shibboleth"}[name]
	}
	for _, tc := range []struct {
		name   string
		config platform.Config
		says   string
	}{
		{"a domain of its own", platform.Config{Runner: runner, Domain: "example.com", ControlHost: "fairway.example.net"}, ""},
		{"an address of localhost", platform.Config{Runner: runner, PublicURL: "https://localhost:1"}, ""},
		{"another port", platform.Config{Runner: runner, Domain: "example.com", ControlHost: "fairway.example.net", PublicURL: "https://fairway.example.net:8443/"}, ""},
		{"localhost", platform.Config{Runner: runner}, "cannot reach localhost"},
		{"not over TLS", platform.Config{Runner: runner, Domain: "example.com", ControlHost: "fairway.example.net", PublicURL: "http://fairway.example.net"}, "not https"},
		{"another host", platform.Config{Runner: runner, Domain: "example.com", ControlHost: "fairway.example.net", PublicURL: "https://proxy.example.org"}, "answers on fairway.example.net alone"},
		{"no subnets", platform.Config{Runner: "ecs://builds/fairway", Domain: "example.com", ControlHost: "fairway.example.net"}, "needs subnets"},
		{"keys in the address", platform.Config{Runner: "ecs://me:shibboleth@builds/fairway"}, "holds no keys"},
		{"a runner that is not known", platform.Config{Runner: "eks://me:shibboleth@builds/fairway"}, "known: process:, ecs:"},
	} {
		tc.config.Data, tc.config.Executable, tc.config.Getenv = t.TempDir(), "/bin/false", keys
		p, err := platform.Open(t.Context(), tc.config)
		if err == nil {
			err = p.Close()
		}
		if tc.says == "" && err != nil || tc.says != "" && (!hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "shibboleth")) {
			t.Errorf("%s: %v, want an error that says %q", tc.name, err, tc.says)
		}
	}
}
