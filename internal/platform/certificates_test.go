package platform

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCertificates_OutliveARotationOfTheKey(t *testing.T) {
	objects, data, edge, old := "file://"+t.TempDir(), t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "old.key")
	const name = "certificates/ca/shop.example.com/shop.example.com.crt"
	config := Config{Data: data, Objects: objects, Role: RoleControl, Executable: "/bin/false"}
	loads := func(p *Platform) error {
		got, err := p.Certificates().Load(t.Context(), name)
		if err == nil && string(got) != "the certificate" {
			t.Errorf("loaded %q", got)
		}
		return err
	}
	shut := func(p *Platform) {
		t.Helper()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := open(t, config)
	if err := p.Certificates().Store(t.Context(), name, []byte("the certificate")); err != nil {
		t.Fatal(err)
	}
	shut(p)
	if err := os.Rename(filepath.Join(data, "key"), old); err != nil {
		t.Fatal(err)
	}
	p = open(t, config)
	if loads(p) == nil {
		t.Error("a new key opens what the one before it sealed")
	}
	shut(p)
	config.OldKey = "file://" + old
	p = open(t, config)
	if err := p.resealCertificates(t.Context()); err != nil { // as the loop does
		t.Fatal(err)
	}
	shut(p)
	config.OldKey = ""
	p = open(t, config)
	if err := loads(p); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	key, err := os.ReadFile(filepath.Join(data, "edge-key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(edge, "edge-key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := loads(open(t, Config{Data: edge, Objects: objects, Role: RoleEdge})); err != nil {
		t.Errorf("at an edge: %v", err)
	}
}
