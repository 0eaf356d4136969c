package domains_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

// describe tells all that a storage says of some names.
func describe(s certmagic.Storage, names ...string) (said []string) {
	ctx := context.Background()
	kind := func(err error) string {
		switch {
		case err == nil:
			return "ok"
		case errors.Is(err, fs.ErrNotExist):
			return "absent"
		}
		return "error"
	}
	for _, n := range names {
		value, err := s.Load(ctx, n)
		// FileStorage calls it an error to load a folder, and we call it absent.
		if info, statErr := s.Stat(ctx, n); statErr != nil || info.IsTerminal {
			said = append(said, fmt.Sprintf("load %q: %q %s", n, value, kind(err)))
		}
		info, err := s.Stat(ctx, n)
		if !info.IsTerminal {
			info.Size = 0 // of a folder it means nothing
		}
		said = append(said, fmt.Sprintf("stat %q: %q %d %v %s", n, info.Key, info.Size, info.IsTerminal, kind(err)))
		if n != "" { // the root
			said = append(said, fmt.Sprintf("exists %q: %v", n, s.Exists(ctx, n)))
		}
		if err == nil && info.IsTerminal {
			continue // what listing a value means is left open
		}
		for _, recursive := range []bool{false, true} {
			found, err := s.List(ctx, n, recursive)
			slices.Sort(found)
			said = append(said, fmt.Sprintf("list %q %v: %q %s", n, recursive, found, kind(err)))
		}
	}
	return said
}

// TestCertificates_AreAStorageAsCertmagicsOwn does the same to both, and compares all they say.
func TestCertificates_AreAStorageAsCertmagicsOwn(t *testing.T) {
	c := newCloud(t)
	ours, theirs := storage{c.control("").Certificates}, &certmagic.FileStorage{Path: t.TempDir()}
	crt, key, meta := certs("ca", "shop.example.com")
	other, _, _ := certs("ca", "wildcard_.example.com")
	names := []string{crt, key, meta, other, "certificates", "certificates/ca", "certificates/ca/shop.example.com",
		"certificates/c", "ocsp", "ocsp/x-1", "acme/ca/users/Ann@Example.com/ann.key", "acme/ca", "last_clean.json", "none", ""}
	n := 0
	for _, step := range []struct {
		what string
		do   func(s certmagic.Storage) error
	}{
		{"nothing", func(certmagic.Storage) error { return nil }},
		{"a certificate", func(s certmagic.Storage) error { return s.Store(t.Context(), crt, []byte("1")) }},
		{"its key", func(s certmagic.Storage) error { return s.Store(t.Context(), key, []byte("key")) }},
		{"an empty value", func(s certmagic.Storage) error { return s.Store(t.Context(), meta, nil) }},
		{"a wildcard's", func(s certmagic.Storage) error { return s.Store(t.Context(), other, []byte("*")) }},
		{"a later one", func(s certmagic.Storage) error { return s.Store(t.Context(), crt, []byte("22")) }},
		{"an account", func(s certmagic.Storage) error {
			return s.Store(t.Context(), "acme/ca/users/Ann@Example.com/ann.key", []byte("a"))
		}},
		{"a name at the root", func(s certmagic.Storage) error { return s.Store(t.Context(), "last_clean.json", []byte("{}")) }},
		{"a staple", func(s certmagic.Storage) error { return s.Store(t.Context(), "ocsp/x-1", []byte("good")) }},
		{"one gone", func(s certmagic.Storage) error { return s.Delete(t.Context(), key) }},
		{"what is not there gone", func(s certmagic.Storage) error { return s.Delete(t.Context(), "none") }},
		{"a folder gone", func(s certmagic.Storage) error { return s.Delete(t.Context(), "certificates/ca/shop.example.com") }},
	} {
		for _, s := range []certmagic.Storage{ours, theirs} {
			if err := step.do(s); err != nil {
				t.Fatalf("%s: %T: %v", step.what, s, err)
			}
		}
		all := names
		if step.what == "nothing" {
			all = names[:len(names)-1] // the root is a folder before anything is in it, or is not
		}
		got, want := describe(ours, all...), describe(theirs, all...)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("after %s:\n%s\n%s", step.what, strings.Join(got[i:min(i+1, len(got))], ""), strings.Join(want[i:min(i+1, len(want))], ""))
			}
			n++
		}
	}
	if n < 400 {
		t.Errorf("only %d answers were compared", n)
	}
	if i, err := ours.Stat(t.Context(), "ocsp/x-1"); err != nil || time.Since(i.Modified) > time.Minute || time.Since(i.Modified) < 0 {
		t.Errorf("it was stored at %v, %v", i.Modified, err)
	}
}

func TestList_GoesOnBehindAPage(t *testing.T) {
	c := newCloud(t)
	n := c.control("")
	for i := range 30 { // enough for pages to end within folders, were they of a thousand
		crt, key, meta := certs("ca", fmt.Sprintf("h%d.example.com", i))
		for _, name := range []string{crt, key, meta} {
			n.store(name, "x")
		}
	}
	defer domains.SetPage(4)()
	for recursive, want := range map[bool]int{false: 30, true: 120} {
		if found, err := n.List(t.Context(), "certificates/ca", recursive); err != nil || len(found) != want {
			t.Errorf("recursive %v: %d, %v; want %d", recursive, len(found), err, want)
		}
	}
	if err := n.Delete(t.Context(), "certificates"); err != nil {
		t.Fatal(err)
	}
	if n.Exists(t.Context(), "certificates") {
		t.Error("a folder of many pages was not removed whole")
	}
}

func TestLoad_AnswersFromTheMirrorWhereTheStoreFails(t *testing.T) {
	for fault, faults := range map[string]objecttest.Faults{
		"fails": down, "hangs": {Delay: 1000 * time.Hour}, "lies": {Wrong: 1}, "ends early": {Short: 1}, "goes on": {Long: 1},
	} {
		for _, role := range []string{"control", "edge"} {
			t.Run(fault+" "+role, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCloud(t)
					crt, key, _ := certs("ca", "shop.example.com")
					control := c.control("")
					control.store(crt, "one")
					control.store(key, "other")
					n := control
					if role == "edge" {
						n = c.edge("")
					}
					n.has(crt, "one") // and is mirrored

					c.objects.Set(faults)
					began := time.Now()
					n.has(crt, "one")
					if d := time.Since(began); d > 3*time.Second {
						t.Errorf("it was waited for %v", d)
					}
					if found, err := n.List(t.Context(), "certificates/ca", false); err != nil || len(found) != 1 {
						t.Errorf("listed %q, %v", found, err)
					}
					if !n.Exists(t.Context(), crt) || !n.Exists(t.Context(), "certificates/ca") {
						t.Error("what the mirror has does not exist")
					}
					if n.log.Len() == 0 {
						t.Error("nothing is said of it")
					}

					// Without a mirror nothing is there, and nothing is said to be absent.
					bare := c.node("", map[string]domains.Locks{"control": c.db}[role])
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if got, err := bare.Load(ctx, crt); err == nil || errors.Is(err, fs.ErrNotExist) {
						t.Errorf("without a mirror: %q, %v", got, err)
					}
					if faults.Fail+float64(faults.Delay) > 0 { // those that lie do so about values alone
						if !bare.Exists(ctx, crt) || !bare.Exists(ctx, "certificates/none") {
							t.Error("what cannot be told is said not to exist")
						}
						if _, err := bare.List(ctx, "certificates", true); err == nil || errors.Is(err, fs.ErrNotExist) {
							t.Errorf("without a mirror, listed: %v", err)
						}
						if _, err := bare.Stat(ctx, crt); err == nil || errors.Is(err, fs.ErrNotExist) {
							t.Errorf("without a mirror, described: %v", err)
						}
					}

					c.objects.Set(healthy)
					time.Sleep(5 * time.Second)
					bare.has(crt, "one")
					n.lacks("certificates/none")
					if n.Exists(t.Context(), "certificates/none") {
						t.Error("what is absent exists")
					}
				})
			})
		}
	}
}

// An edge whose store hangs waits for it once, not for each value of each handshake.
func TestLoad_AnEdgeWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		control, edge := c.control(""), c.edge("")
		for i := range 10 {
			crt, _, _ := certs("ca", fmt.Sprintf("h%d", i))
			control.store(crt, "v")
			edge.has(crt, "v")
		}
		c.objects.Set(objecttest.Faults{Delay: 1000 * time.Hour})
		began := time.Now()
		for i := range 10 {
			crt, _, _ := certs("ca", fmt.Sprintf("h%d", i))
			edge.has(crt, "v")
		}
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("ten values took %v", d)
		}
		c.objects.Set(healthy)
		crt, _, _ := certs("ca", "h0")
		control.store(crt, "new")
		edge.has(crt, "v")
		time.Sleep(5 * time.Second)
		edge.has(crt, "new")

		// Who orders has to know, and asks each time.
		c.objects.Set(down)
		control.has(crt, "new")
		before := c.objects.Calls().Get
		control.has(crt, "new")
		if c.objects.Calls().Get == before {
			t.Error("the control plane did not ask")
		}
	})
}

func TestLoad_WhatTheStoreSaysIsGoneIsGoneFromTheMirror(t *testing.T) {
	c := newCloud(t)
	crt, _, _ := certs("ca", "shop.example.com")
	one, two, edge := c.control(""), c.control(""), c.edge("")
	one.store(crt, "one")
	two.has(crt, "one")
	edge.has(crt, "one")
	if err := one.Delete(t.Context(), crt); err != nil {
		t.Fatal(err)
	}
	two.lacks(crt)
	if edge.Exists(t.Context(), crt) {
		t.Error("it exists still")
	}
	c.objects.Set(down)
	for _, n := range []node{one, two, edge} {
		n.cannotTell(crt)
	}
}

func TestStore_IsDurableInTheObjectStoreOrFails(t *testing.T) {
	c := newCloud(t)
	crt, _, _ := certs("ca", "shop.example.com")
	n := c.control("")
	n.store(crt, "one")
	c.objects.Set(down)
	for what, err := range map[string]error{
		"stored": n.Store(t.Context(), crt, []byte("two")), "removed": n.Delete(t.Context(), crt),
	} {
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without a store: %v", what, err)
		}
	}
	n.has(crt, "one")
	// Done, but not known to be: the store says what holds.
	c.objects.Set(objecttest.Faults{Lose: 1})
	if err := n.Store(t.Context(), crt, []byte("three")); err == nil {
		t.Error("a put whose answer was lost succeeded")
	}
	c.objects.Set(healthy)
	n.has(crt, "three")
	before := c.objects.Calls().Flush
	n.store(crt, "four")
	if c.objects.Calls().Flush == before {
		t.Error("it was not flushed")
	}
	c.objects.Set(down)
	n.has(crt, "four")
	c.control(n.dir + "/../other").cannotTell(crt)
}

func TestValues_AreSealedAndBoundToTheirNames(t *testing.T) {
	c := newCloud(t)
	crt, key, _ := certs("ca", "shop.example.com")
	account := "acme/ca/users/ann@example.com/ann.key"
	control, edge := c.control(""), c.edge("")
	secrets := map[string]string{crt: "the certificate", key: "the private key", account: "the account's key", "ocsp/x": "the staple"}
	for name, v := range secrets {
		control.store(name, v)
	}
	edge.has(key, "the private key")
	if err := edge.Store(t.Context(), "ocsp/x", []byte("the staple")); err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, dir := range []string{c.folder, control.dir, edge.dir} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			for _, v := range secrets {
				if bytes.Contains(b, []byte(v)) {
					t.Errorf("%s can be read in %s", v, path)
				}
			}
			if st, err := d.Info(); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("the mode of %s is %v, %v", path, st.Mode(), err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files != 4+4+2 {
		t.Errorf("%d files were looked at", files)
	}
	if b, err := os.ReadFile(filepath.Join(c.folder, "certs/acme/ca/users/ann_40example.com/ann.key")); err != nil || len(b) == 0 {
		t.Fatalf("control: %v", err)
	}

	// Somebody who can write the bucket puts one value in another's place.
	if err := move(t, c.objects, "certs/"+key, "certs/"+crt); err != nil {
		t.Fatal(err)
	}
	for _, n := range []node{c.control(""), c.edge("")} {
		err := n.cannotTell(crt)
		if !errors.Is(err, domains.ErrDamaged) || !hosting.Is(err, hosting.CodeMismatch) {
			t.Errorf("a value in another's place: %v", err)
		}
		if !strings.Contains(n.log.String(), "ERROR") {
			t.Error("no alarm")
		}
		n.has(key, "the private key")
	}
	control.has(crt, "the certificate") // by its mirror
	if !strings.Contains(control.log.String(), "ERROR") {
		t.Error("the mirror answered, and there was no alarm")
	}
}

func move(t *testing.T, s object.Store, from, to string) error {
	t.Helper()
	body, info, err := s.Get(t.Context(), from)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return s.Put(t.Context(), to, body, object.Check{Size: info.Size})
}

func TestMirror_ThatIsDamagedIsNoAnswerAndIsMended(t *testing.T) {
	c := newCloud(t)
	crt, key, _ := certs("ca", "shop.example.com")
	n := c.control("")
	n.store(crt, "one")
	n.store(key, "two")
	path := func(name string) string { return filepath.Join(n.dir, "mirror", name) }
	if err := os.Rename(path(key), path(crt)); err != nil {
		t.Fatal(err)
	}
	c.objects.Set(down)
	if err := n.cannotTell(crt); !errors.Is(err, domains.ErrDamaged) {
		t.Errorf("a damaged mirror: %v", err)
	}
	if err := n.cannotTell(key); errors.Is(err, domains.ErrDamaged) {
		t.Errorf("a mirror that has nothing: %v", err)
	}
	c.objects.Set(healthy)
	n.has(crt, "one")
	n.has(key, "two")
	c.objects.Set(down)
	n.has(crt, "one")
	n.has(key, "two")
}

func TestReseal_LeavesNothingUnderTheOldKey(t *testing.T) {
	c := newCloud(t)
	crt, _, _ := certs("ca", "shop.example.com")
	old := c.control("")
	old.store(crt, "one")
	old.store("acme/ca/users/a/a.key", "account")
	before, err := old.Stat(t.Context(), crt)
	if err != nil {
		t.Fatal(err)
	}
	was := c.key
	c.key = newKey(t)
	c.control("").cannotTell(crt)
	n := c.rotated(was)
	n.has(crt, "one")
	if n, err := n.Reseal(t.Context()); n != 2 || err != nil {
		t.Fatalf("sealed anew: %d, %v", n, err)
	}
	if n, err := n.Reseal(t.Context()); n != 0 || err != nil {
		t.Errorf("sealed anew again: %d, %v", n, err)
	}
	now := c.control("")
	now.has(crt, "one")
	now.has("acme/ca/users/a/a.key", "account")
	c.edge("").has(crt, "one")
	if after, err := now.Stat(t.Context(), crt); err != nil || !after.Modified.Equal(before.Modified) {
		t.Errorf("it was stored at %v, and now at %v, %v", before.Modified, after.Modified, err)
	}
	c.objects.Set(down)
	c.control(n.dir).has(crt, "one") // the mirror went along
}

// TestMirror_AThousandHostsOutliveTheStore is an edge that is restarted while all else is dead.
func TestMirror_AThousandHostsOutliveTheStore(t *testing.T) {
	const hosts = 1000
	c := newCloud(t)
	control, edge := c.control(""), c.edge("")
	names := make([]string, hosts)
	var all sync.WaitGroup
	for i := range names {
		names[i], _, _ = certs("ca", fmt.Sprintf("h%d.example.com", i))
		all.Go(func() {
			if err := control.Store(t.Context(), names[i], []byte(names[i])); err != nil {
				t.Error(err)
			}
			edge.has(names[i], names[i])
		})
	}
	all.Wait()
	c.objects.Set(down)
	loaded := func(n node) (ok, absent int) {
		for _, name := range names {
			got, err := n.Load(t.Context(), name)
			if err == nil && string(got) == name {
				ok++
			}
			if errors.Is(err, fs.ErrNotExist) {
				absent++
			}
		}
		return ok, absent
	}
	if ok, absent := loaded(c.edge(edge.dir)); ok != hosts || absent != 0 {
		t.Errorf("with its mirror, %d of %d loaded, and %d were said to be absent", ok, hosts, absent)
	}
	if ok, absent := loaded(c.edge("")); ok != 0 || absent != 0 {
		t.Errorf("without a mirror, %d of %d loaded, and %d were said to be absent", ok, hosts, absent)
	}
}
