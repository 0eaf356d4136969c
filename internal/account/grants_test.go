package account_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// The vectors of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var cli = hosting.NewToken{Name: "CLI on ann's laptop", Scope: hosting.ScopeDeploy, Days: 30}

func (w *crew) grant(c hosting.Caller) string {
	w.t.Helper()
	code, err := w.Grant(w.ctx(), c, challenge, cli)
	w.ok(err)
	return code
}

func TestExchange_GivesTheGrantedTokenOnce(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	code := w.grant(ann)
	if all := w.dump(); strings.Contains(all, code) || strings.Contains(all, "fwy_") {
		t.Fatal("the code, or the token already, is stored")
	}
	tok, err := w.Exchange(w.ctx(), code, verifier)
	w.ok(err)
	if tok.User != ann.User || tok.Team != ann.Team.ID || tok.Name != cli.Name || tok.Scope != cli.Scope ||
		tok.ExpiresAt.Sub(tok.CreatedAt) != 30*24*time.Hour || !strings.HasPrefix(tok.Secret, "fwy_") {
		t.Errorf("got %+v", tok.Token)
	}
	if got := w.log(ann.Team.ID); len(got) != 2 || !strings.HasPrefix(got[0], "ann token.create CLI on") || got[1] != "ann token.grant "+cli.Name {
		t.Errorf("the log says %q", got)
	}
	_, err = w.Exchange(w.ctx(), code, verifier)
	w.refused(err, hosting.CodeUnauthenticated)
}

func TestExchange_WorksOnceOfAThousandTimes(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	code := w.grant(ann)
	good, errs := together(1000, func(int) error {
		_, err := w.Exchange(w.ctx(), code, verifier)
		return err
	})
	if good != 1 || len(w.tokenNames(ann)) != 1 {
		t.Fatalf("%d of 1000 got a token, %d are stored", good, len(w.tokenNames(ann)))
	}
	for _, err := range errs {
		w.refused(err, hosting.CodeUnauthenticated)
	}
}

// Each refusal is the same to whoever asks, burns the code, and makes no token.
func TestExchange_RefusesAllElseAlikeAndBurnsTheCode(t *testing.T) {
	refusals := map[string]struct {
		before   func(*crew, hosting.Caller)
		verifier string
	}{
		"another verifier":  {verifier: strings.Repeat("a", 43)},
		"a longer verifier": {verifier: verifier + "a"},
		"no verifier":       {verifier: ""},
		"the challenge":     {verifier: challenge},
		"a minute later":    {before: func(w *crew, _ hosting.Caller) { w.pass(time.Minute) }},
		"suspended": {before: func(w *crew, c hosting.Caller) {
			w.change(c.User, func(u *state.User) { u.Suspended = true })
		}},
		"another password": {before: func(w *crew, c hosting.Caller) {
			w.change(c.User, func(u *state.User) { u.Entered++ })
		}},
		"no person any more": {before: func(w *crew, c hosting.Caller) {
			w.put(func(tx state.Tx) error { return w.sys.Users.Delete(tx, state.K(string(c.User))) })
		}},
		"no member any more": {before: func(w *crew, c hosting.Caller) { w.ok(w.Leave(w.ctx(), c)) }},
		"a viewer by now":    {before: func(w *crew, c hosting.Caller) { w.enrol(c.Team, c.User, hosting.RoleViewer) }},
		"too many tokens by now": {before: func(w *crew, c hosting.Caller) {
			for range 100 {
				w.token(c, "t")
			}
		}},
	}
	for name, r := range refusals {
		t.Run(name, func(t *testing.T) {
			w := newCrew(t)
			dev := w.joined(w.team("acme", "ann"), "dev", hosting.RoleDeveloper)
			code := w.grant(dev)
			proof := r.verifier
			if r.before != nil {
				r.before(w, dev)
				proof = verifier
			}
			tokens := rows(w.dump(), "s\x00token\x00")
			_, err := w.Exchange(w.ctx(), code, proof)
			_, unknown := w.Exchange(w.ctx(), "no such code", verifier)
			if w.refused(err, hosting.CodeUnauthenticated); err.Error() != unknown.Error() {
				t.Errorf("told %q, and of an unknown code %q", err, unknown)
			}
			all := w.dump()
			if strings.Contains(all, stored(code)) {
				t.Error("the code was not burnt")
			}
			if rows(all, "s\x00token\x00") != tokens {
				t.Error("a token was made")
			}
			_, err = w.Exchange(w.ctx(), code, verifier)
			w.refused(err, hosting.CodeUnauthenticated)
		})
	}
	t.Run("nothing of these", func(t *testing.T) {
		w := newCrew(t)
		code := w.grant(w.joined(w.team("acme", "ann"), "dev", hosting.RoleDeveloper))
		w.pass(59 * time.Second)
		_, err := w.Exchange(w.ctx(), code, verifier)
		w.ok(err)
	})
}

func TestExchange_LeavesLinksOfOtherKinds(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	w.put(func(tx state.Tx) error {
		return w.sys.Links.Insert(tx, &state.Link{
			Hash: stored("reset"), Kind: state.LinkReset, User: ann.User, Entered: 1, ExpiresAt: w.now().Add(time.Hour), Challenge: challenge,
			Team: ann.Team.ID, Token: cli,
		})
	})
	before := w.dump()
	_, err := w.Exchange(w.ctx(), "reset", verifier)
	w.refused(err, hosting.CodeUnauthenticated)
	if w.dump() != before {
		t.Error("the link is gone")
	}
}

func TestExchange_KeepsTheCodeWhereFairwayFails(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	code := w.grant(ann)
	w.mute.Store(true)
	_, err := w.Exchange(w.ctx(), code, verifier)
	if !errors.Is(err, errMuted) {
		t.Fatal(err)
	}
	w.mute.Store(false)
	_, err = w.Exchange(w.ctx(), code, verifier)
	w.ok(err)
}

func TestGrant_RefusesWhatCreateTokenWould(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	view := w.joined(ann, "view", hosting.RoleViewer)
	w.project(w.team("other", "olga").Team.ID, "blog")
	for name, c := range map[string]struct {
		caller    hosting.Caller
		challenge string
		in        hosting.NewToken
		code      hosting.Code
	}{
		"no challenge":      {ann, "", cli, hosting.CodeInvalid},
		"a plain challenge": {ann, verifier[:42], cli, hosting.CodeInvalid},
		"no name":           {ann, challenge, hosting.NewToken{Scope: hosting.ScopeRead}, hosting.CodeInvalid},
		"viewer":            {view, challenge, cli, hosting.CodeForbidden},
		"other's project":   {ann, challenge, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Project: "blog"}, hosting.CodeNotFound},
		"operator":          {operator(ann.Team), challenge, cli, hosting.CodeNotFound},
		"nobody special":    {ann, challenge, cli, ""},
	} {
		before := w.dump()
		code, err := w.Grant(w.ctx(), c.caller, c.challenge, c.in)
		if hosting.CodeOf(err) != c.code || (code == "") != (err != nil) || (w.dump() == before) != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGrant_PinsTheProject(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	id := w.project(ann.Team.ID, "shop")
	code, err := w.Grant(w.ctx(), ann, challenge, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Project: "shop"})
	w.ok(err)
	// Another project takes the name before the code is redeemed.
	w.put(func(tx state.Tx) error { return w.db.Team(ann.Team.ID).Projects.Delete(tx, state.K(string(id))) })
	w.project(ann.Team.ID, "shop")
	_, err = w.Exchange(w.ctx(), code, verifier)
	w.refused(err, hosting.CodeUnauthenticated)
}
