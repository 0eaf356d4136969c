package domains_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

// authority issues certificates, and counts them.
type authority struct {
	name   string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	life   func() (from, to time.Time)
	issued atomic.Int64
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(1e6 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	a := &authority{name: name, key: key, cert: cert}
	a.life = func() (from, to time.Time) { return time.Now().Add(-time.Hour), time.Now().Add(90 * 24 * time.Hour) }
	return a
}

// old has certificates of which four fifths of their life are over, so that they are due.
func (a *authority) old() (from, to time.Time) {
	return time.Now().Add(-80 * 24 * time.Hour), time.Now().Add(20 * 24 * time.Hour)
}

func (a *authority) IssuerKey() string { return a.name }

func (a *authority) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	leaf := &x509.Certificate{SerialNumber: big.NewInt(100 + a.issued.Add(1)), DNSNames: csr.DNSNames}
	leaf.NotBefore, leaf.NotAfter = a.life()
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, csr.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// magic starts certmagic over a node, with nothing in memory.
func magic(t *testing.T, n node, issuers ...certmagic.Issuer) *certmagic.Config {
	t.Helper()
	var config *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return config, nil }, Logger: zap.NewNop(),
	})
	t.Cleanup(cache.Stop)
	config = certmagic.New(cache, certmagic.Config{
		Storage: storage{n.Certificates}, Issuers: issuers, Logger: zap.NewNop(), OCSP: certmagic.OCSPConfig{DisableStapling: true},
		OnDemand: &certmagic.OnDemandConfig{DecisionFunc: func(context.Context, string) error { return nil }},
	})
	return config
}

// handshake returns the serial number of the certificate that a visitor of host gets.
func handshake(t *testing.T, config *certmagic.Config, host string) (int64, error) {
	t.Helper()
	here, there := net.Pipe()
	defer func() { _ = here.Close() }()
	server := tls.Server(there, &tls.Config{GetCertificate: config.GetCertificate, MinVersion: tls.VersionTLS13})
	go func() {
		_ = server.Handshake() // its failure is the client's, too
		_ = there.Close()
	}()
	client := tls.Client(here, &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) // which serial is looked at
	if err := client.Handshake(); err != nil {
		return 0, err
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func mustHandshake(t *testing.T, config *certmagic.Config, host string) int64 {
	t.Helper()
	serial, err := handshake(t, config, host)
	if err != nil {
		t.Errorf("%s: %v", host, err)
	}
	return serial
}

// TestCertmagic_OrdersAtTheControlPlaneAndLoadsEverywhere has certmagic itself ask, with two
// issuers as it has by default, of which the second issued nothing.
func TestCertmagic_OrdersAtTheControlPlaneAndLoadsEverywhere(t *testing.T) {
	c := newCloud(t)
	ca, unused := newAuthority(t, "ca"), newAuthority(t, "unused")
	issuers := []certmagic.Issuer{ca, unused}
	orders := func() int64 { return ca.issued.Load() + unused.issued.Load() }
	control, edge := c.control(""), c.edge("")

	first := magic(t, control, issuers...)
	serial := mustHandshake(t, first, "shop.example.com")
	if err := first.ObtainCertSync(t.Context(), "*.example.org"); err != nil {
		t.Fatal(err)
	}
	if orders() != 2 {
		t.Fatalf("%d orders", orders())
	}
	atEdge := magic(t, edge, issuers...)
	if got := mustHandshake(t, atEdge, "shop.example.com"); got != serial {
		t.Errorf("the edge has %d, the control plane %d", got, serial)
	}
	wild := mustHandshake(t, atEdge, "a.example.org")
	began := time.Now()
	if got, err := handshake(t, atEdge, "none.example.com"); err == nil {
		t.Errorf("an edge has the certificate %d for a host that nobody ordered one for", got)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("the visitor was told so after %v", d)
	}
	if got := mustHandshake(t, magic(t, c.control(""), issuers...), "shop.example.com"); got != serial {
		t.Errorf("another control plane has %d instead of %d", got, serial)
	}

	// Everything is restarted while the store is dead.
	for fault, faults := range map[string]objecttest.Faults{"down": down, "lying": {Wrong: 1}} {
		c.objects.Set(faults)
		again := magic(t, c.edge(edge.dir), issuers...)
		if got := mustHandshake(t, again, "shop.example.com"); got != serial {
			t.Errorf("%s: the edge has %d instead of %d", fault, got, serial)
		}
		for _, host := range []string{"a.example.org", "new.example.org"} {
			if got := mustHandshake(t, magic(t, c.edge(edge.dir), issuers...), host); got != wild {
				t.Errorf("%s: the edge has %d for %s instead of the wildcard's %d", fault, got, host, wild)
			}
		}
		if got, err := handshake(t, magic(t, c.edge(""), issuers...), "shop.example.com"); err == nil {
			t.Errorf("%s: an edge without a mirror has the certificate %d", fault, got)
		}
	}
	c.objects.Set(down)
	bare := magic(t, c.control(""), issuers...)
	if got, err := handshake(t, bare, "shop.example.com"); err == nil {
		t.Errorf("a control plane without store and mirror has the certificate %d", got)
	}
	// One that takes what it is given would take a new certificate, too.
	c.objects.Set(healthy)
	c.blind.on.Store(true)
	if got, err := handshake(t, bare, "shop.example.com"); err == nil {
		t.Errorf("a control plane whose store shows nothing has the certificate %d", got)
	}
	if orders() != 2 {
		t.Errorf("with the store dead, %d certificates were ordered anew", orders()-2)
	}
	c.blind.on.Store(false)
	if got := mustHandshake(t, bare, "shop.example.com"); got != serial || orders() != 2 {
		t.Errorf("once the store is there again, it is %d instead of %d", got, serial)
	}
	// The control: what the store says is absent is ordered.
	if mustHandshake(t, bare, "new.example.com"); orders() != 3 {
		t.Errorf("%d orders, want a third", orders())
	}
}

// An edge keeps a certificate in memory for as long as it runs. What it does when that one is due
// is try to renew it, and find that this was done.
func TestCertmagic_AnEdgeTakesOverWhatWasRenewed(t *testing.T) {
	c := newCloud(t)
	ca := newAuthority(t, "ca")
	fresh := ca.life
	ca.life = ca.old
	control, edge := magic(t, c.control(""), ca), magic(t, c.edge(""), ca)
	if err := control.ObtainCertSync(t.Context(), "shop.example.com"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := mustHandshake(t, edge, "shop.example.com"); got != 101 {
			t.Fatalf("the edge has %d", got)
		}
	}
	ca.life = fresh
	if err := control.RenewCertSync(t.Context(), "shop.example.com", false); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for mustHandshake(t, edge, "shop.example.com") != 102 {
		if time.Now().After(deadline) {
			t.Fatal("the edge has the old certificate still")
		}
	}
	if n := ca.issued.Load(); n != 2 {
		t.Errorf("%d certificates were issued", n)
	}
}

// An edge that is told to have a wildcard may start before the control plane has ordered it.
func TestCertmagic_AnEdgeWaitsForAWildcard(t *testing.T) {
	defer domains.SetLook(time.Millisecond)()
	c := newCloud(t)
	ca := newAuthority(t, "ca")
	control, n := magic(t, c.control(""), ca), c.edge("")
	edge := magic(t, n, ca)
	edge.OnDemand = nil
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := edge.ManageAsync(ctx, []string{"*.example.org"}); err != nil {
		t.Fatal(err)
	}
	if got, err := handshake(t, edge, "a.example.org"); err == nil {
		t.Errorf("it has %d before one was ordered", got)
	}
	if err := control.ObtainCertSync(t.Context(), "*.example.org"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for got, err := int64(0), error(nil); got != 101; got, err = handshake(t, edge, "a.example.org") {
		if time.Now().After(deadline) {
			t.Fatalf("it does not have what was ordered: %v", err)
		}
	}
	if n := ca.issued.Load(); n != 1 {
		t.Errorf("%d certificates were issued", n)
	}

	// The wait ends with whoever waits, and with the process.
	ended, end := context.WithCancel(t.Context())
	end()
	if err := n.Lock(ended, "issue_cert_*.example.com"); !errors.Is(err, domains.ErrEdge) {
		t.Errorf("who has left: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Lock(t.Context(), "issue_cert_*.example.com"); !errors.Is(err, domains.ErrEdge) {
		t.Errorf("at an edge that has ended: %v", err)
	}
}

// An edge that is let through to what is not there whole would go on to order it.
func TestLock_AnEdgeIsLetThroughToWhatIsWholeAndFresh(t *testing.T) {
	c := newCloud(t)
	ca := newAuthority(t, "ca")
	control, edge := c.control(""), c.edge("")
	issue := func() string {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := ca.Issue(t.Context(), &x509.CertificateRequest{DNSNames: []string{"shop.example.com"}, PublicKey: key.Public()})
		if err != nil {
			t.Fatal(err)
		}
		return string(cert.Certificate)
	}
	refused := func(what string) {
		t.Helper()
		if err := edge.Lock(t.Context(), "issue_cert_shop.example.com"); !errors.Is(err, domains.ErrEdge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	crt, key, meta := certs("ca", "shop.example.com")
	refused("nothing is there")
	control.store(key, "a key")
	control.store(crt, issue())
	refused("a part is not there")
	control.store(meta, "{}")
	if err := edge.Lock(t.Context(), "issue_cert_shop.example.com"); err != nil {
		t.Errorf("all is there: %v", err)
	}
	if err := edge.Unlock(t.Context(), "issue_cert_shop.example.com"); err != nil {
		t.Error(err)
	}
	ca.life = ca.old
	control.store(crt, issue())
	refused("it is due")
	control.store(crt, "no certificate")
	refused("it is none")
}
