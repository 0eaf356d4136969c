package controlapi

import (
	"context"
	"net/http"
	"time"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// SessionCookie is the name of the session's cookie. Browsers take a cookie of this prefix only
// from the host itself, over TLS, for all of its paths (RFC 6265bis, section 4.1.3.2): no site
// on another host can set it.
const SessionCookie = "__Host-fairway"

// sessionSecret returns what the request's session cookie holds, "" where there is none. Over
// plain HTTP there is none. Two are an error, never a choice: one of them is not ours.
func sessionSecret(r *http.Request) (string, error) {
	if r.TLS == nil {
		return "", nil
	}
	switch cookies := r.CookiesNamed(SessionCookie); len(cookies) {
	case 0:
		return "", nil
	case 1:
		return cookies[0].Value, nil
	}
	return "", &Problem{
		Status: http.StatusBadRequest, Code: hosting.CodeInvalid,
		Detail: "the request carries two session cookies", Hint: "delete the cookies of this site, and sign in again",
	}
}

// sessionCookie is the cookie of a new session. The session's own end is the server's to keep;
// the browser's copy is dropped then, too.
func sessionCookie(s account.SignedIn) http.Cookie {
	return http.Cookie{
		Name: SessionCookie, Value: s.Secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: max(1, int(s.Session.ExpiresAt.Sub(s.Session.CreatedAt)/time.Second)),
	}
}

// noSessionCookie takes the session's cookie away.
func noSessionCookie() http.Cookie {
	return http.Cookie{Name: SessionCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func setSession(w http.ResponseWriter, s account.SignedIn) {
	c := sessionCookie(s)
	http.SetCookie(w, &c)
}

func clearSession(w http.ResponseWriter) {
	c := noSessionCookie()
	http.SetCookie(w, &c)
}

type secretKey struct{}

// withSecret keeps the session's secret for the one route that ends it.
func withSecret(ctx context.Context, secret string) context.Context {
	return context.WithValue(ctx, secretKey{}, secret)
}

// secretOf returns the secret of the session that the request came with.
func secretOf(ctx context.Context) string {
	s, _ := ctx.Value(secretKey{}).(string)
	return s
}
