package caddymodule

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scale-mesh/fairway/internal/domains"
)

func init() { caddy.RegisterModule(anyHost{}) }

// anyHost lets every host have a certificate.
type anyHost struct{}

func (anyHost) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tls.permission.test_any", New: func() caddy.Module { return new(anyHost) }}
}

func (anyHost) CertificateAllowed(context.Context, string) error { return nil }

func (*anyHost) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

// freePort is one that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

// server is one Caddy after the other, in this process.
type server struct {
	t       *testing.T
	objects string // the folder that all of them share
	config  []byte // of the last one
}

// run starts Caddy with Fairway in a role and a line for the storage, and returns the port of
// its TLS, once it listens.
func (s *server) run(role, data, storage string) (port int) {
	s.t.Helper()
	plain, port := freePort(s.t), freePort(s.t)
	s.load(fmt.Sprintf(`{
	http_port %d
	https_port %d
	admin off
	persist_config off
	skip_install_trust
	storage %s
	fairway {
		data %s
		objects file://%s
		role %s
		http_port %d
		https_port %d
	}
	on_demand_tls {
		permission test_any
	}
}
https:// {
	bind 127.0.0.1
	tls internal {
		on_demand
	}
	respond hello
}`, plain, port, storage, data, s.objects, role, plain, port))
	return port
}

func (s *server) load(config string) {
	s.t.Helper()
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.config = out
	if err := caddy.Load(out, true); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) stop() {
	s.t.Helper()
	if err := caddy.Stop(); err != nil {
		s.t.Error(err)
	}
}

// serial is that of the certificate that a visitor of host gets.
func serial(port int, host string) (string, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 20 * time.Second}, Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}} // which one is looked at
	conn, err := dialer.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func TestStorage_AnEdgeServesTheCertificateOfTheControlPlane(t *testing.T) {
	s := &server{t: t, objects: t.TempDir()}
	control, edge := t.TempDir(), t.TempDir()
	s.t.Cleanup(s.stop)
	port := s.run("control", control, "fairway")
	want, err := serial(port, "shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(control, "edge-key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(edge, "edge-key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	stored := caddy.ActiveContext().Storage()
	s.stop()
	if _, err := stored.Load(t.Context(), "certificates/local/shop.example.com/shop.example.com.crt"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the server was stopped, its storage says: %v", err)
	}

	// Restarted, it has it still.
	port = s.run("control", control, "fairway")
	if got, err := serial(port, "shop.example.com"); got != want {
		t.Errorf("restarted, it serves %q, %v; want %s", got, err, want)
	}
	s.stop()

	port = s.run("edge", edge, "fairway")
	if got, err := serial(port, "shop.example.com"); got != want {
		t.Errorf("the edge serves %q, %v; want %s", got, err, want)
	}
	if got, err := serial(port, "other.example.com"); err == nil {
		t.Errorf("the edge made a certificate: %s", got)
	}
	if err := caddy.ActiveContext().Storage().Lock(t.Context(), "issue_cert_other.example.com"); !errors.Is(err, domains.ErrEdge) {
		t.Errorf("the edge gives a lock: %v", err)
	}
	if got := fmt.Sprint(caddy.ActiveContext().Storage()); got != "fairway" {
		t.Errorf("a log would show the storage as %s", got)
	}
	s.stop()

	// With a storage of its own it knows nothing of the others, and makes one.
	port = s.run("edge", edge, "file_system "+t.TempDir())
	if got, err := serial(port, "shop.example.com"); got == want || err != nil {
		t.Errorf("without the common storage an edge serves %q, %v", got, err)
	}
	s.stop()
}

// Deploys and domains never reload Caddy, but people do: the next configuration has the same
// certificates and locks.
func TestStorage_GoesOnOverAReload(t *testing.T) {
	s := &server{t: t, objects: t.TempDir()}
	s.t.Cleanup(s.stop)
	port := s.run("both", t.TempDir(), "fairway")
	want, err := serial(port, "shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	before := caddy.ActiveContext().Storage()
	if err := before.Lock(t.Context(), "issue_cert_x"); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(s.config, true); err != nil {
		t.Fatal(err)
	}
	after := caddy.ActiveContext().Storage()
	if got, err := serial(port, "shop.example.com"); got != want || after != before {
		t.Errorf("after a reload it serves %q, %v; want %s, from the same storage", got, err, want)
	}
	if err := after.Unlock(t.Context(), "issue_cert_x"); err != nil {
		t.Error(err)
	}
}

func TestStorage_SaysWhatItNeeds(t *testing.T) {
	for what, err := range map[string]error{
		"a configuration without the app": caddy.Validate(&caddy.Config{StorageRaw: json.RawMessage(`{"module":"fairway"}`)}),
		"a command":                       provisionAlone(),
	} {
		if err == nil || !strings.Contains(err.Error(), "global option fairway") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// provisionAlone does what "caddy storage export" does.
func provisionAlone() error {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	return new(Storage).Provision(ctx)
}
