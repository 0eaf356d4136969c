package seal_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/scale-mesh/fairway/internal/seal"
)

func newKey(t testing.TB) seal.Key {
	t.Helper()
	k, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRing_OpensWhatItSealedAndNothingElse(t *testing.T) {
	key, other := newKey(t), newKey(t)
	r := seal.NewRing(key)
	sealed := r.Seal("variable", "team/project/NAME", []byte("hunter2"))
	if len(sealed) != len("hunter2")+seal.Overhead {
		t.Errorf("%d bytes are sealed in %d", len("hunter2"), len(sealed))
	}
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatal("the value can be read")
	}
	if plain, err := r.Open("variable", "team/project/NAME", sealed); err != nil || string(plain) != "hunter2" {
		t.Fatalf("opened %q, %v", plain, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return r.Open("mail", "team/project/NAME", sealed) },
		"another context": func() ([]byte, error) { return r.Open("variable", "team/other/NAME", sealed) },
		"another key":     func() ([]byte, error) { return seal.NewRing(other).Open("variable", "team/project/NAME", sealed) },
		"nothing":         func() ([]byte, error) { return r.Open("variable", "team/project/NAME", nil) },
	} {
		if _, err := open(); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("%s opened it: %v", name, err)
		}
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if _, err := r.Open("variable", "team/project/NAME", damaged); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("with byte %d changed it opened: %v", i, err)
		}
	}
	if again := r.Seal("variable", "team/project/NAME", []byte("hunter2")); bytes.Equal(again, sealed) {
		t.Error("sealing is deterministic: equal values could be told from outside")
	}
}

func TestRing_OpensUnderOldKeysAndSaysThatTheyAreOld(t *testing.T) {
	old, key := newKey(t), newKey(t)
	before := seal.NewRing(old).Seal("variable", "x", []byte("v"))
	r := seal.NewRing(key, old)
	if plain, err := r.Open("variable", "x", before); err != nil || string(plain) != "v" || !r.Stale(before) {
		t.Errorf("opened %q, %v, stale %v", plain, err, r.Stale(before))
	}
	now := r.Seal("variable", "x", []byte("v"))
	if r.Stale(now) {
		t.Error("what was just sealed is stale")
	}
	if _, err := seal.NewRing(old).Open("variable", "x", now); err == nil {
		t.Error("the old key opens what the new one sealed")
	}
}

func FuzzRing(f *testing.F) {
	r := seal.NewRing(newKey(f))
	f.Add([]byte("v"), "x", []byte{1})
	f.Fuzz(func(t *testing.T, plain []byte, context string, junk []byte) {
		got, err := r.Open("p", context, r.Seal("p", context, plain))
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if _, err := r.Open("p", context, junk); err == nil {
			t.Fatal("junk opened")
		}
	})
}
