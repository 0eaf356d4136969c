package domains_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestEdge_ReadsCertificatesAndOrdersNone(t *testing.T) {
	c := newCloud(t)
	crt, _, _ := certs("ca", "shop.example.com")
	token := "acme/ca/challenge_tokens/shop.example.com.json"
	control, edge := c.control(""), c.edge("")
	account := "acme/ca/users/ann@example.com/ann.key"
	for _, name := range []string{crt, token, account, "ocsp/x", "last_clean.json", "pki/authorities/local/root.key"} {
		control.store(name, "of the control plane")
	}
	edge.has(crt, "of the control plane")
	edge.has(token, "of the control plane")
	for what, err := range map[string]error{
		"stored":  edge.Store(t.Context(), crt, []byte("other")),
		"removed": edge.Delete(t.Context(), "certificates"),
		"locked":  edge.Lock(t.Context(), "issue_cert_shop.example.com"),
		"account": edge.Lock(t.Context(), "reg_acct_ann"),
		"answered": func() error {
			_, err := edge.Reseal(t.Context())
			return err
		}(),
	} {
		if !errors.Is(err, domains.ErrEdge) || !strings.Contains(err.Error(), "only the control plane orders certificates") {
			t.Errorf("%s at an edge: %v", what, err)
		}
	}
	// The same at the control plane.
	if err := errors.Join(
		control.Lock(t.Context(), "issue_cert_shop.example.com"), control.Unlock(t.Context(), "issue_cert_shop.example.com"),
	); err != nil {
		t.Error(err)
	}

	// What is the control plane's own, an edge neither sees nor can open.
	for _, name := range []string{account, "pki/authorities/local/root.key", "ocsp/x"} {
		edge.lacks(name)
	}
	if err := move(t, c.objects, "certs/acme/ca/users/ann_40example.com/ann.key", "certs/"+crt); err != nil {
		t.Fatal(err)
	}
	if err := c.edge("").cannotTell(crt); !errors.Is(err, domains.ErrDamaged) {
		t.Errorf("the account's key where an edge looks: %v", err)
	}

	// What an edge stores for itself it has, over a restart, and nobody else.
	for _, name := range []string{"ocsp/x", "last_clean.json", account} {
		edge.store(name, "of the edge")
	}
	puts := c.objects.Calls().Put
	again := c.edge(edge.dir)
	for _, name := range []string{"ocsp/x", "last_clean.json", account} {
		again.has(name, "of the edge")
		control.has(name, "of the control plane")
		if !again.Exists(t.Context(), name) {
			t.Errorf("%s does not exist", name)
		}
		if i, err := again.Stat(t.Context(), name); err != nil || !i.IsTerminal {
			t.Errorf("%s is %v, %v", name, i, err)
		}
	}
	if found, err := again.List(t.Context(), "ocsp", false); err != nil || len(found) != 1 {
		t.Errorf("listed %q, %v", found, err)
	}
	if err := again.Delete(t.Context(), "ocsp"); err != nil {
		t.Error(err)
	}
	again.lacks("ocsp/x")
	if found, err := again.List(t.Context(), "ocsp", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("listed %q, %v", found, err)
	}
	if n := c.objects.Calls().Put; n != puts {
		t.Errorf("an edge stored %d objects", n-puts)
	}
}

// certmagic asks for a host's own certificate first, then for a wildcard's, and for those of
// every issuer; an error ends the search. So a dead store must not keep an edge from the one
// certificate that it has.
func TestEdge_FindsTheCertificateThatItHasWhenTheStoreIsDead(t *testing.T) {
	c := newCloud(t)
	control, edge := c.control(""), c.edge("")
	give := func(issuer, site string) {
		crt, key, meta := certs(issuer, site)
		for _, name := range []string{crt, key, meta} {
			control.store(name, name)
			edge.has(name, name)
		}
	}
	give("one", "shop.example.com")
	give("two", "wildcard_.example.org")
	half, _, _ := certs("two", "half.example.net")
	control.store(half, half)
	edge.has(half, half)

	c.objects.Set(down)
	for _, n := range []node{edge, c.edge(edge.dir)} {
		for _, at := range []struct{ issuer, site string }{
			{"two", "shop.example.com"}, // the other issuer has it
			{"one", "shop.example.org"}, // a wildcard covers it
			{"two", "shop.example.org"},
			{"one", "wildcard_.example.org"}, // the wildcard of the other issuer
		} {
			crt, key, meta := certs(at.issuer, at.site)
			for _, name := range []string{crt, key, meta} {
				n.lacks(name)
			}
		}
		crt, _, _ := certs("two", "wildcard_.example.org")
		n.has(crt, crt)
		// Nothing covers these.
		for _, at := range []struct{ issuer, site string }{
			{"one", "other.example.com"}, {"one", "a.shop.example.org"}, {"one", "half.example.net"}, {"one", "example.org"},
		} {
			crt, _, _ := certs(at.issuer, at.site)
			n.cannotTell(crt)
		}
		n.cannotTell("certificates/one/shop.example.org/else")
	}
	// Who orders is never told so.
	crt, _, _ := certs("two", "shop.example.com")
	control.cannotTell(crt)
}

// cuttable is a state store that a process can be cut off from.
type cuttable struct {
	state.Store
	off atomic.Bool
}

func (c *cuttable) Update(ctx context.Context, fn func(state.Tx) error) error {
	if c.off.Load() {
		return errors.New("cut off")
	}
	return c.Store.Update(ctx, fn)
}

func TestLock_ExcludesAmongControlPlanesAndIsTakenFromTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		one, two := c.control(""), c.control("")
		lock := func(n node, d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			return n.Lock(ctx, "issue_cert_shop.example.com")
		}
		if err := lock(one, time.Second); err != nil {
			t.Fatal(err)
		}
		for _, n := range []node{one, two} {
			if err := lock(n, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a lock that somebody has: %v", err)
			}
		}
		if err := two.Lock(t.Context(), "issue_cert_other.example.com"); err != nil {
			t.Errorf("another: %v", err)
		}
		if err := one.Unlock(t.Context(), "issue_cert_shop.example.com"); err != nil {
			t.Error(err)
		}
		if err := lock(two, time.Second); err != nil {
			t.Errorf("one that was given back: %v", err)
		}
		if err := one.Unlock(t.Context(), "issue_cert_shop.example.com"); err == nil {
			t.Error("what was not taken was given back")
		}

		// A process that ends gives its locks back.
		if err := two.Close(); err != nil {
			t.Error(err)
		}
		if err := lock(one, 2*time.Second); err != nil {
			t.Errorf("one whose holder ended: %v", err)
		}
		if err := two.Lock(t.Context(), "x"); err == nil {
			t.Error("after Close there are locks")
		}
		if err := two.Unlock(t.Context(), "issue_cert_shop.example.com"); err != nil {
			t.Errorf("a lock that Close gave back: %v", err)
		}
		if err := one.Unlock(t.Context(), "issue_cert_shop.example.com"); err != nil {
			t.Error(err)
		}

		// One that is killed does not.
		cut := &cuttable{Store: c.db.Store}
		if err := lock(c.node("", state.DB{Store: cut}), time.Second); err != nil {
			t.Fatal(err)
		}
		cut.off.Store(true)
		if err := lock(one, 10*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("10 s after its holder died: %v", err)
		}
		if err := lock(one, 20*time.Second); err != nil {
			t.Errorf("30 s after its holder died: %v", err)
		}
	})
}
