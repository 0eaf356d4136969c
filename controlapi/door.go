package controlapi

import (
	"context"
	"errors"
	"net/http"
	"path"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/usage"
)

// entrance is a request on its way through a door: what was found out about it so far.
type entrance struct {
	w       *response
	r       *http.Request
	pattern string // of the mux, "" where no route matched
	rule    rule
	caller  hosting.Caller  // who asks; the zero Caller is nobody
	edge    usage.EdgeToken // that asks, on a route for edges
	cookie  bool            // the caller was known by a cookie, which other sites' pages send too
	foreign bool            // a page of one of Config.AllowedOrigins sent it
	team    string          // the team that the request names, "" if it names none
	reply   *reply          // it runs under an idempotency key
}

// step is one thing that a door looks at. Its error is the answer.
type step func(*entrance) error

// Public answers the world: to the configured hosts alone, to nothing that another site's page
// sent with a cookie, to each caller what the route's rule allows, and that not too often.
func (a *API) Public() http.Handler {
	door := a.door(
		a.checkHost, a.shareWithOrigins, a.identify, a.checkCrossSite, a.checkSetup, a.limit, a.checkRule, a.deduplicate,
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// RFC 9112, section 6.1: had the request a Content-Length too, which net/http does not
		// tell, a proxy before us may see another end of its body.
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		if !a.preflight(w, r) {
			door.ServeHTTP(w, r)
		}
	})
}

// Trusted takes whoever asks for the operator: it belongs behind the admin socket, whose file
// mode is the check. It expects paths below /api. Nothing there is limited, and it works
// before the installation has an owner.
func (a *API) Trusted() http.Handler {
	return a.door(a.identifyOperator, a.checkRule, a.deduplicate, func(e *entrance) error {
		e.r = withoutUpgrades(e.r)
		return nil
	})
}

// Jobs answers the job routes alone, each to its own attempt's token.
func (a *API) Jobs() http.Handler {
	return a.door(func(e *entrance) error {
		if !e.rule.job {
			return notFound(e.r)
		}
		return nil
	})
}

// door is what every request passes. Its rule is that of the pattern that the mux itself
// matched, so that no second reading of the path can disagree with it.
func (a *API) door(steps ...step) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &response{ResponseWriter: rw}
		a.setHeaders(w.Header(), r)
		defer a.recovered(w, r)
		escaped := r.URL.EscapedPath()
		clean := path.Clean(escaped) == escaped // the mux would answer others with a redirect
		h, pattern := a.mux.Handler(r)
		e := &entrance{w: w, r: r, pattern: pattern, rule: a.mux.rules[pattern]}
		err := a.takeTeam(e)
		for i := 0; i < len(steps) && err == nil; i++ {
			err = steps[i](e)
		}
		switch {
		case errors.Is(err, errAnswered{}):
		case err != nil:
			a.refused(e, err)
			a.fail(w, e.r, err)
		case !clean:
			a.fail(w, r, notFound(r))
		case pattern == "":
			a.fail(w, r, unmatched(h, r))
		default:
			e.serve(a)
		}
	})
}

// serve hands the request to its route.
func (e *entrance) serve(a *API) {
	ctx := e.r.Context()
	if e.caller.Via != "" {
		ctx = context.WithValue(ctx, callerKey{}, e.caller)
	}
	if e.rule.edge {
		ctx = context.WithValue(ctx, edgeKey{}, e.edge)
	}
	ctx = context.WithValue(ctx, fromKey{}, a.from(e.r))
	ctx = context.WithValue(ctx, admittedKey{}, func() error { return a.readmit(e) })
	if e.reply == nil {
		a.mux.ServeHTTP(e.w, e.r.WithContext(ctx))
		return
	}
	rec := &recorder{response: e.w}
	defer a.keepReply(ctx, e.reply, rec)
	a.mux.ServeHTTP(rec, e.r.WithContext(ctx))
	rec.whole = true
}

// checkRule asks whether the caller may ask for the route, before anything of the body is
// read. This is the one place where a permission is asked for.
func (a *API) checkRule(e *entrance) error {
	if e.pattern == "" || e.rule.open || e.rule.own() {
		return nil
	}
	return e.caller.May(e.rule.may)
}

// refused writes down who was kept out (ASVS 5.0, 16.3.2): the route's pattern and ids, and
// nothing that the caller could have formed.
func (a *API) refused(e *entrance, err error) {
	switch code := newProblem(err).Code; code {
	case hosting.CodeUnauthenticated, hosting.CodeForbidden, hosting.CodeLimited:
		a.cfg.Log.Info("a request was refused", "code", code, "route", e.pattern, "addr", a.from(e.r).Addr, "user", e.caller.User, "token", e.caller.Token)
	}
}

type admittedKey struct{}

// readmit looks once more who the caller of a request is by now, and whether they still may.
func (a *API) readmit(e *entrance) error {
	again := &entrance{w: e.w, r: e.r, pattern: e.pattern, rule: e.rule, foreign: e.foreign, team: e.team}
	identify := a.identify
	if e.caller.Via == hosting.ViaSocket {
		identify = a.identifyOperator
	}
	if err := identify(again); err != nil {
		return err
	}
	return a.checkRule(again)
}

// stillAdmitted is for streams, which outlive what they were admitted by: a session that ends,
// or a role that is taken away, ends them, too.
func stillAdmitted(ctx context.Context) error {
	if again, ok := ctx.Value(admittedKey{}).(func() error); ok {
		return again()
	}
	return nil
}
