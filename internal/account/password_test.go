package account

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

func noPassword(u *state.User) { u.Password = "" }

func TestHash_IsArgon2idWithTheParametersOfASVS(t *testing.T) {
	g := newGate(Config{Hashes: HashLimits{}})
	stored, err := g.hash(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") || len(strings.Split(stored, "$")) != 6 {
		t.Fatalf("stored as %.40s...", stored)
	}
	if other, _ := g.hash(t.Context(), good); other == stored {
		t.Error("two hashes of a password are alike: there is no salt")
	}
	for password, want := range map[string]bool{good: true, good + " ": false, "": false, strings.ToUpper(good): false} {
		if ok, stale, err := g.verify(stored, password); ok != want || stale || err != nil {
			t.Errorf("%q is %v (stale %v, %v)", password, ok, stale, err)
		}
	}
	// The vector of the reference implementation's test.c: m=2^8, t=2, p=1, "password", "somesalt".
	vector := "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if ok, stale, err := g.verify(vector, "password"); !ok || !stale || err != nil {
		t.Errorf("the reference's hash is %v (stale %v, %v)", ok, stale, err)
	}
}

func TestVerify_SaysNoWhereThereIsNoHash(t *testing.T) {
	g := newGate(Config{Hashes: HashLimits{}})
	g.derive = func(_ string, salt []byte, p argon.Params) []byte { return p.Dummy().Key } // as if it were guessed
	if ok, _, err := g.verify("", "anything"); ok || err != nil {
		t.Errorf("nobody's password is %v, %v", ok, err)
	}
}

func TestCheckPassword_RefusesWhatIsGuessedFirst(t *testing.T) {
	for password, want := range map[string]string{
		"short":                      "5 characters",
		"elevenchars":                "characters",
		strings.Repeat("ab c", 65):   "characters",
		"not utf-8 at all \xff":      "characters",
		"Password1234":               "common",
		"QWERTYuiop12":               "common",
		"unbelievable":               "common",
		"zzzzzzzzzzzzzzzzzzzzzzzzz":  "pattern",
		"4567890123456789":           "pattern",
		"987654321098":               "pattern",
		"abcdefghijklmno":            "pattern",
		"fooafooafooa":               "pattern",
		"fooafooafooafo":             "pattern",
		"Catharina2026!":             "your name",
		"2026catharina":              "your name",
		"CatharinaCatharina":         "your name",
		"c.a.t.h.a.r.i.n.a":          "your name",
		"katharine.m.99":             "your name",
		"katharine.m@site.test":      "your name",
		"fairway12345":               "your name",
		"purple anchor":              "",
		"Catharina likes tea":        "",
		strings.Repeat("x y z-", 40): "",
		"密码密码很长的一个句子呢":               "",
		"            1":              "",
		"48201957361048":             "",
		"Tr0ub4dor&3-x":              "",
	} {
		err := checkPassword(password, "katharine.m@site.test", "Catharina")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("checkPassword(%q) = %v, want %q", password, err, want)
		}
		if err != nil && (!hosting.Is(err, hosting.CodeInvalid) || len(password) > 6 && strings.Contains(err.Error(), password)) {
			t.Errorf("%q is refused with %v", password, err)
		}
	}
}

func TestCommon_HoldsThreeThousandThatThePolicyWouldTake(t *testing.T) {
	long := 0
	lines := bufio.NewScanner(strings.NewReader(commonText))
	for lines.Scan() {
		if p := lines.Text(); len(p) >= minPassword && strings.ToLower(p) == p && common()[p] {
			long++
		}
	}
	if long < 3000 || len(common()) != long {
		t.Errorf("%d of %d entries are in the form that is looked up", long, len(common()))
	}
	for p := range common() {
		if checkPassword(strings.ToUpper(p), "a@b.test", "Ann") == nil {
			t.Fatalf("%q is taken", p)
		}
	}
}

func TestLogIn_HashesAnewWhenTheParametersChanged(t *testing.T) {
	w := newWorld(t)
	id := w.owner().User.ID
	old := w.user(id).Password
	w.logIn("owner@site.test")
	if w.user(id).Password != old {
		t.Error("a hash with today's parameters was made anew")
	}
	w.gate.params.Memory *= 2
	_, err := w.LogIn(t.Context(), "owner@site.test", "wrong password", here)
	w.is(err, hosting.CodeUnauthenticated)
	if w.user(id).Password != old {
		t.Error("a wrong password was hashed and stored")
	}
	w.logIn("owner@site.test")
	renewed := w.user(id).Password
	if !strings.Contains(renewed, "m=38912,") {
		t.Errorf("the hash is still %.30s", renewed)
	}
	w.logIn("owner@site.test")
	if w.user(id).Password != renewed {
		t.Error("the hash is made anew at each login")
	}
}

// TestStored_HoldsNoSecretInPlain reads the raw file of the store, after everything that has a
// secret was used: none of them may be found in it, but for one that is planted.
func TestStored_HoldsNoSecretInPlain(t *testing.T) {
	w := newWorld(t)
	var secrets []string
	l, err := w.OwnerLink(t.Context())
	w.is(err, "")
	owner := w.signUp("owner@site.test", secretOf(l))
	invitation := w.invitation("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	unused := w.invitation("eve@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	bob := w.signUp("bob@site.test", invitation)
	w.is(w.Forgot(t.Context(), "owner@site.test", here), "")
	_, err = w.LogIn(t.Context(), "owner@site.test", "a wrong one", here)
	w.is(err, hosting.CodeUnauthenticated)
	changed, err := w.ChangePassword(t.Context(), w.caller(bob.Secret), good, "another long sentence", here)
	w.is(err, "")
	reset, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket}, owner.User.ID)
	w.is(err, "")
	token := w.token(hosting.Token{Team: hosting.DefaultTeam, User: owner.User.ID, Scope: hosting.ScopeRead})
	secrets = append(secrets, good, "a wrong one", "another long sentence", secretOf(l), invitation, unused,
		owner.Secret, bob.Secret, changed.Secret, secretOf(reset), token)
	secrets = append(secrets, w.mails.links("owner@site.test", "/reset")...)
	secrets = append(secrets, w.mails.links("owner@site.test", "/confirm")...)
	if len(secrets) < 13 {
		t.Fatalf("only %d secrets were collected", len(secrets))
	}
	const planted = "a planted secret that must be found"
	w.changeUser(owner.User.ID, func(u *state.User) { u.Name = planted })
	file, err := os.ReadFile(w.path)
	w.is(err, "")
	for i, secret := range secrets {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("secret %d of %d is stored in plain", i, len(secrets))
		}
	}
	if !bytes.Contains(file, []byte(planted)) || !bytes.Contains(file, []byte(seal.Hash(owner.Secret))) {
		t.Error("what was planted is not found: the search looks in the wrong place")
	}
}

func TestTokenSecret_ShowsMistypedOnes(t *testing.T) {
	secret := newTokenSecret()
	if len(secret) != 62 || !checkTokenSecret(secret) || secret == newTokenSecret() {
		t.Fatalf("a secret of %d characters", len(secret))
	}
	for i := range secret {
		b := []byte(secret)
		b[i] ^= 1
		if checkTokenSecret(string(b)) {
			t.Errorf("a mistyped character %d is not noticed", i)
		}
	}
	for _, s := range []string{"", "fwy_", "fwy_aaaaaa", secret[4:], secret + "a", secret[:61], strings.ToUpper(secret), " " + secret} {
		if checkTokenSecret(s) {
			t.Errorf("%q was taken", s)
		}
	}
}

// BenchmarkLogIn takes the time of logins that fail, by what of them is wrong: all three must
// cost the same.
func BenchmarkLogIn(b *testing.B) {
	g := newGate(Config{Hashes: HashLimits{}})
	stored, err := g.hash(b.Context(), good)
	if err != nil {
		b.Fatal(err)
	}
	for name, hash := range map[string]string{"wrong": stored, "unknown": ""} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if ok, _, err := g.verify(hash, "wrong password"); ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
