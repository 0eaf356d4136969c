package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"golang.org/x/sys/unix"

	"github.com/scale-mesh/fairway/internal/hosting"
)

var ratioSeconds = flag.Int("ratios", 0, "seconds of each run of the benchmark against peers; 0 only tries it out")

// sizes are of the bodies that are served, with the goals against file_server.
var sizes = []struct {
	name string
	size int
	goal float64
}{{"1 KiB", 1 << 10, 2.2}, {"10 KiB", 10 << 10, 1.6}, {"100 KiB", 100 << 10, 2.0}}

// bench is Fairway with a site, and peers that serve the same, each alone on the first core
// while its clients have the second.
type bench struct {
	*C
	ours  *Server
	dir   string // of the files that peers serve
	ports map[string]int
	pair  int       // interleaved
	cores [2]string // of servers and of their clients
	each  time.Duration
}

// TestRatios prints Fairway's requests a second against peers'. It judges answers, not speed:
// that is for who reads it.
func TestRatios(t *testing.T) {
	for _, tool := range []string{"wrk", "h2load", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: make check-tools installs it", tool)
		}
	}
	b := &bench{C: &C{T: t}, pair: 5, each: time.Duration(*ratioSeconds) * time.Second, ports: map[string]int{}}
	if *ratioSeconds == 0 {
		b.pair, b.each = 1, time.Second // wrk knows whole seconds only
	}
	b.cores = twoCores(t)
	b.start()
	fmt.Printf("\nFairway %s, %s, %d cores, Linux %s; server on core 0; on core 1 wrk -t1 -c32 over HTTP/1.1, h2load -t1 -c32 -m4 over TLS;\n%d interleaved pairs of %v; ratio of medians, in brackets that of the worst and the best pair\n\n",
		b.commit(), cpuModel(), runtime.NumCPU(), kernel(), b.pair, b.each)
	fmt.Printf("%-9s%-44s%12s%12s%9s%18s%8s\n", "body", "against", "ours /s", "theirs /s", "ratio", "", "goal")
	for _, s := range sizes {
		b.row(s.name, "file_server", s.size, "", s.goal, "files")
		b.row(s.name, "file_server, precompressed, br", s.size, "br", s.goal, "packed")
		b.row(s.name, "respond", s.size, "", 1, "respond")
		if b.ports["nginx"] != 0 {
			b.row(s.name, "nginx", s.size, "", 0, "nginx")
		}
		b.rowOf(s.name, "file_server, TLS, HTTP/2", s.size, "", 0, "tls")
		b.rowOf(s.name, "file_server, precompressed, br, TLS, HTTP/2", s.size, "br", 0, "tlspacked")
		if *ratioSeconds == 0 {
			break
		}
	}
}

// twoCores returns the first two processors that this process may use; on a machine of one, that
// one twice, which tries the benchmark out and measures nothing.
func twoCores(t *testing.T) (cores [2]string) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := 0; i < 1024 && n < 2; i++ {
		if set.IsSet(i) {
			cores[n] = strconv.Itoa(i)
			n++
		}
	}
	if n < 2 {
		cores[1] = cores[0]
	}
	return cores
}

func (b *bench) commit() string {
	return strings.TrimSpace(git(b, "../..", "describe", "--always", "--dirty"))
}

func kernel() string {
	v, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(v))
}

func cpuModel() string {
	v, _ := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(v); m != nil {
		return string(m[1])
	}
	return runtime.GOARCH
}

// start publishes the files, and starts the peers on the same ones.
func (b *bench) start() {
	b.Helper()
	b.dir = b.TempDir()
	files := map[string]string{"index.html": "<!doctype html><title>bench</title>"}
	for _, s := range sizes {
		files[fileOf(s.size)] = textOf(s.size)
	}
	for name, text := range files {
		for suffix, body := range map[string][]byte{"": []byte(text), ".br": packed(text)} {
			if err := os.WriteFile(filepath.Join(b.dir, name+suffix), body, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ours = NewFastServer(b, unlimited, "GOMAXPROCS=1")
	b.pin(b.ours.cmd.Process.Pid)
	b.ports["ours"], b.ports["ours by TLS"] = b.ours.HTTP, b.ours.HTTPS
	api := b.ours.Client()
	defer api.Close()
	if _, err := api.CreateProject(context.Background(), hosting.NewProject{Name: "Bench", Slug: "bench"}); err != nil {
		b.Fatal(err)
	}
	if _, err := b.ours.publish(context.Background(), api, "bench", files); err != nil {
		b.Fatal(err)
	}
	b.startCaddy()
	b.startNginx()
}

func fileOf(size int) string { return fmt.Sprintf("b%d.txt", size) }

// textOf is text of exactly so many bytes, which shrinks as text does.
func textOf(size int) string {
	var t strings.Builder
	for i := 0; t.Len() < size; i++ {
		fmt.Fprintf(&t, "line %d of the harbour master's log, %x\n", i, i*i*7919)
	}
	return t.String()[:size]
}

func packed(text string) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, 11)
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Close()
	return out.Bytes()
}

// startCaddy runs the same binary as plain Caddy, with the settings of the shipped Caddyfile
// that concern requests.
func (b *bench) startCaddy() {
	b.Helper()
	var conf strings.Builder
	conf.WriteString("{\n\tadmin off\n\tpersist_config off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tlog {\n\t\tlevel WARN\n\t}\n}\n")
	for name, directive := range map[string]string{
		"files":  "root * " + b.dir + "\n\tfile_server",
		"packed": "root * " + b.dir + "\n\tfile_server {\n\t\tprecompressed br gzip\n\t}",
	} {
		b.ports[name] = freePort(b)
		fmt.Fprintf(&conf, "http://:%d {\n\t%s\n}\n", b.ports[name], directive)
	}
	for name, more := range map[string]string{"tls": "", "tlspacked": " {\n\t\tprecompressed br gzip\n\t}"} {
		b.ports[name] = freePort(b)
		fmt.Fprintf(&conf, "https://bench.localhost:%d {\n\ttls internal\n\troot * %s\n\tfile_server%s\n}\n", b.ports[name], b.dir, more)
	}
	b.ports["respond"] = freePort(b)
	fmt.Fprintf(&conf, "http://:%d {\n\theader Content-Type text/plain\n", b.ports["respond"])
	for _, s := range sizes {
		fmt.Fprintf(&conf, "\trespond /%s `%s`\n", fileOf(s.size), textOf(s.size))
	}
	conf.WriteString("}\n")
	path := filepath.Join(b.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	b.peer(exec.Command(b.ours.bin, "run", "--config", path), "GOMAXPROCS=1", "HOME="+b.TempDir())
	b.await("files")
}

// startNginx is left out where there is none: it is printed for comparison, without a goal.
func (b *bench) startNginx() {
	b.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		b.Log("nginx is not installed, and left out")
		return
	}
	b.ports["nginx"] = freePort(b)
	dir := b.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root; " // the files are in a folder of root's alone
	}
	conf := user + fmt.Sprintf(`worker_processes 1; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
	types { text/plain txt; } default_type text/html; access_log off; sendfile on; keepalive_requests 1000000000; etag on;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server { listen 127.0.0.1:%[2]d; root %[3]s; }
}`, dir, b.ports["nginx"], b.dir)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	b.peer(exec.Command("nginx", "-c", path, "-p", dir))
	b.await("nginx")
}

// peer starts a server on the first core, until the test ends.
func (b *bench) peer(cmd *exec.Cmd, env ...string) {
	b.Helper()
	cmd.Args = append([]string{"taskset", "-c", b.cores[0], cmd.Path}, cmd.Args[1:]...)
	path, err := exec.LookPath("taskset")
	if err != nil {
		b.Fatal(err)
	}
	cmd.Path, cmd.Env = path, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out := new(output)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if b.Failed() {
			b.Logf("%s: %s", cmd.Args[3], out)
		}
	})
}

func (b *bench) pin(pid int) {
	b.Helper()
	if out, err := exec.Command("taskset", "-acp", b.cores[0], strconv.Itoa(pid)).CombinedOutput(); err != nil {
		b.Fatalf("taskset: %v: %s", err, out)
	}
}

func (b *bench) url(who, path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d/%s", b.ports[who], path)
}

func (b *bench) await(who string) {
	b.Helper()
	b.ours.eventually(20*time.Second, who+" answers", func() bool {
		resp, err := http.Get(b.url(who, fileOf(sizes[0].size)))
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// row measures pairs and prints their ratio.
func (b *bench) row(body, against string, size int, accept string, goal float64, who string) {
	b.Helper()
	path := fileOf(size)
	b.answersRight("ours", path, accept)
	b.answersRight(who, path, accept)
	var ours, theirs, ratios []float64
	for range b.pair {
		x, y := b.wrk("ours", path, accept), b.wrk(who, path, accept)
		ours, theirs, ratios = append(ours, x), append(theirs, y), append(ratios, x/y)
	}
	b.print(body, against, ours, theirs, ratios, goal)
}

func (b *bench) print(body, against string, ours, theirs, ratios []float64, goal float64) {
	slices.Sort(ratios)
	wanted := ""
	if goal > 0 {
		wanted = fmt.Sprintf("%.1fx", goal)
	}
	fmt.Printf("%-9s%-44s%12.0f%12.0f%8.2fx%18s%8s\n", body, against, middle(ours), middle(theirs), middle(ours)/middle(theirs),
		fmt.Sprintf("(%.2f to %.2f)", ratios[0], ratios[len(ratios)-1]), wanted)
}

// rowOf is row over TLS and HTTP/2.
func (b *bench) rowOf(body, against string, size int, accept string, goal float64, who string) {
	b.Helper()
	path := fileOf(size)
	var ours, theirs, ratios []float64
	for range b.pair {
		x, y := b.h2load("ours by TLS", path, accept), b.h2load(who, path, accept)
		ours, theirs, ratios = append(ours, x), append(theirs, y), append(ratios, x/y)
	}
	b.print(body, against, ours, theirs, ratios, goal)
}

var h2PerSecond = regexp.MustCompile(`finished in [^,]+, ([0-9.]+) req/s`)

// h2load returns how many requests a second a server answers over TLS and HTTP/2. Each has to
// be answered by 200; what with is compared over HTTP/1.1.
func (b *bench) h2load(who, path, accept string) float64 {
	b.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", b.ports[who])
	args := []string{"-c", b.cores[1], "h2load", "-t1", "-c32", "-m4", "-D", strconv.Itoa(max(1, int(b.each.Seconds()))), "--connect-to=" + address}
	if accept != "" {
		args = append(args, "-H", "accept-encoding: "+accept)
	}
	out, err := exec.Command("taskset", append(args, fmt.Sprintf("https://bench.localhost:%d/%s", b.ports[who], path))...).CombinedOutput()
	m := h2PerSecond.FindSubmatch(out)
	if err != nil || m == nil || !bytes.Contains(out, []byte(" 0 failed, 0 errored, 0 timeout")) || !bytes.Contains(out, []byte(" 0 3xx, 0 4xx, 0 5xx")) || !bytes.Contains(out, []byte("Application protocol: h2")) {
		b.Fatalf("h2load of %s: %v\n%s", who, err, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func middle(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// answersRight compares one answer with the file.
func (b *bench) answersRight(who, path, accept string) {
	b.Helper()
	req, err := http.NewRequest("GET", b.url(who, path), nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Host = "bench.localhost"
	header := http.Header{"Accept-Encoding": {accept}}
	v := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer v.CloseIdleConnections()
	req.Header = header
	a := edgeAnswerOf(v, req)
	want, err := os.ReadFile(filepath.Join(b.dir, path))
	if err != nil {
		b.Fatal(err)
	}
	plain, err := edgePlain(a)
	if a.err != nil || err != nil || a.status != 200 || !bytes.Equal(plain, want) || (accept != "") != (a.header.Get("Content-Encoding") == accept && accept != "") {
		b.Fatalf("%s answers %s (%q) with %d, %d bytes in %q: %v %v", who, path, accept, a.status, len(plain), a.header.Get("Content-Encoding"), a.err, err)
	}
}

var perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// wrk returns how many requests a second a server answers.
func (b *bench) wrk(who, path, accept string) float64 {
	b.Helper()
	args := []string{"-c", b.cores[1], "wrk", "-t1", "-c32", fmt.Sprintf("-d%ds", int(b.each.Seconds())), "-H", "Host: bench.localhost"}
	if accept != "" {
		args = append(args, "-H", "Accept-Encoding: "+accept)
	}
	out, err := exec.Command("taskset", append(args, b.url(who, path))...).CombinedOutput()
	m := perSecond.FindSubmatch(out)
	if err != nil || m == nil || bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		b.Fatalf("wrk of %s: %v\n%s", who, err, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
