package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// liar is an issuer that a test makes say what no honest one would. It is a stand-in: the real
// one is in real_test.go.
type liar struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	meta      map[string]any
	claims    map[string]any
	sign      func(claims []byte) string
	userInfo  map[string]any
	token     func(w http.ResponseWriter) bool // false: answer as usual
	asked     atomic.Int32                     // for the discovery document
	down      atomic.Bool
	tokenBody map[string]any
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		l.asked.Add(1)
		if l.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		reply(w, l.meta)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		if l.token != nil && l.token(w) {
			return
		}
		b, _ := json.Marshal(l.claims)
		body := map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": l.sign(b)}
		for k, v := range l.tokenBody {
			body[k] = v
		}
		reply(w, body)
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) { reply(w, l.userInfo) })
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	l.sign = func(b []byte) string { return signed(key, jose.ES256, b) }
	l.meta = map[string]any{
		"issuer": l.URL, "authorization_endpoint": l.URL + "/auth", "token_endpoint": l.URL + "/token", "jwks_uri": l.URL + "/keys",
		"userinfo_endpoint": l.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	}
	return l
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func signed(key any, alg jose.SignatureAlgorithm, claims []byte) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		panic(err)
	}
	o, err := s.Sign(claims)
	if err != nil {
		panic(err)
	}
	text, err := o.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// finish has l vouch for somebody, after change.
func (l *liar) finish(t *testing.T, change func(l *liar, query url.Values)) (account.External, error) {
	t.Helper()
	query := url.Values{"code": {"code"}}
	now := time.Now()
	l.claims = map[string]any{
		"iss": l.URL, "sub": "1", "aud": "web", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(),
		"email": "ann@example.com", "email_verified": true, "name": "Ann",
	}
	l.userInfo = map[string]any{"sub": "1", "email": "info@example.com", "email_verified": true, "preferred_username": "annie"}
	if change != nil {
		change(l, query)
	}
	p := provider(t, oidc.Config{Issuer: l.URL})
	_, flow, err := p.Start(t.Context(), redirect)
	if err != nil {
		return account.External{}, err
	}
	if _, set := l.claims["nonce"]; !set {
		l.claims["nonce"] = flow.Nonce
	}
	query.Set("state", flow.State)
	return p.Finish(t.Context(), flow, query)
}

func TestFinish_BelievesOnlyWhatHolds(t *testing.T) {
	half := sha256.Sum256([]byte("access"))
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*liar, url.Values) {
		return func(l *liar, _ url.Values) { l.claims[name] = value }
	}
	without := func(name string) func(*liar, url.Values) {
		return func(l *liar, _ url.Values) { delete(l.claims, name) }
	}
	both := func(fs ...func(*liar, url.Values)) func(*liar, url.Values) {
		return func(l *liar, q url.Values) {
			for _, f := range fs {
				f(l, q)
			}
		}
	}
	iss := func(supported bool, values ...string) func(*liar, url.Values) {
		return func(l *liar, q url.Values) {
			l.meta["authorization_response_iss_parameter_supported"] = supported
			for _, v := range values {
				q.Add("iss", strings.Replace(v, "SELF", l.URL, 1))
			}
		}
	}
	ann := account.External{Provider: "sso", Subject: "1", Email: "ann@example.com", Name: "Ann", Verified: true}
	unverified, nick := ann, account.External{Provider: "sso", Subject: "1", Email: "info@example.com", Name: "annie", Verified: true}
	unverified.Verified = false
	for name, c := range map[string]struct {
		change func(*liar, url.Values)
		want   account.External
		code   hosting.Code
	}{
		"the control: all is well":     {nil, ann, ""},
		"an address not verified":      {claim("email_verified", false), unverified, ""},
		"nothing said of that":         {without("email_verified"), unverified, ""},
		"verified, as text":            {claim("email_verified", "true"), ann, ""},
		"not verified, as text":        {claim("email_verified", "false"), unverified, ""},
		"verified, as a number":        {claim("email_verified", 1), unverified, ""},
		"the address in the user info": {without("email"), nick, ""},
		"the issuer in the redirect":   {iss(true, "SELF"), ann, ""},
		"it, though not announced":     {iss(false, "SELF"), ann, ""},
		"audiences, and for us":        {both(claim("aud", []string{"web", "app"}), claim("azp", "web")), ann, ""},
		"a hash of the access token":   {claim("at_hash", base64.RawURLEncoding.EncodeToString(half[:16])), ann, ""},
		"another issuer's redirect":    {iss(true, "https://evil.example.com"), account.External{}, hosting.CodeUnauthenticated},
		"no issuer, though announced":  {iss(true), account.External{}, hosting.CodeUnauthenticated},
		"two issuers":                  {iss(true, "SELF", "https://evil.example.com"), account.External{}, hosting.CodeUnauthenticated},
		"another issuer":               {claim("iss", "https://evil.example.com"), account.External{}, hosting.CodeUnauthenticated},
		"another client":               {claim("aud", "app"), account.External{}, hosting.CodeUnauthenticated},
		"audiences without a party":    {claim("aud", []string{"web", "app"}), account.External{}, hosting.CodeUnauthenticated},
		"another party":                {claim("azp", "app"), account.External{}, hosting.CodeUnauthenticated},
		"an old token":                 {claim("exp", time.Now().Add(-time.Second).Unix()), account.External{}, hosting.CodeUnauthenticated},
		"a token for later":            {claim("nbf", time.Now().Add(time.Hour).Unix()), account.External{}, hosting.CodeUnauthenticated},
		"another nonce":                {claim("nonce", "other"), account.External{}, hosting.CodeUnauthenticated},
		"no nonce":                     {claim("nonce", ""), account.External{}, hosting.CodeUnauthenticated},
		"another access token's hash":  {claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), account.External{}, hosting.CodeUnauthenticated},
		"user info of somebody else":   {both(without("email"), func(l *liar, _ url.Values) { l.userInfo["sub"] = "2" }), account.External{}, hosting.CodeUnauthenticated},
		"user info that is none":       {both(without("email"), func(l *liar, _ url.Values) { l.userInfo = nil }), account.External{}, hosting.CodeUnauthenticated},
		"no address anywhere":          {both(without("email"), func(l *liar, _ url.Values) { delete(l.meta, "userinfo_endpoint") }), account.External{}, hosting.CodeForbidden},
		"somebody else's key":          {func(l *liar, _ url.Values) { l.sign = func(b []byte) string { return signed(other, jose.ES256, b) } }, account.External{}, hosting.CodeUnauthenticated},
		"signed with our secret": {func(l *liar, _ url.Values) {
			l.sign = func(b []byte) string { return signed(secretKey(), jose.HS256, b) }
		}, account.External{}, hosting.CodeUnauthenticated},
		"not signed":  {func(l *liar, _ url.Values) { l.sign = unsigned }, account.External{}, hosting.CodeUnauthenticated},
		"no ID token": {func(l *liar, _ url.Values) { l.tokenBody = map[string]any{"id_token": ""} }, account.External{}, hosting.CodeUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := newLiar(t).finish(t, c.change)
			if who != c.want || hosting.CodeOf(err) != c.code {
				t.Errorf("got %+v, %v\nwant %+v, %q", who, err, c.want, c.code)
			}
		})
	}
}

func secretKey() []byte { return []byte("secret" + strings.Repeat("\x00", 26)) }

func unsigned(claims []byte) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims) + "."
}

func TestFinish_TellsAFaultWithoutForeignWords(t *testing.T) {
	const foreign = "<script>evil()</script>"
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter) bool
		code   hosting.Code
	}{
		"an error of its own": {func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": foreign, "error_description": foreign + strings.Repeat("x", 10_000)})
			return true
		}, hosting.CodeForbidden},
		"a known error": {func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": "invalid_grant", "error_description": foreign})
			return true
		}, hosting.CodeUnauthenticated},
		"a page":           {func(w http.ResponseWriter) bool { http.Error(w, foreign, http.StatusNotFound); return true }, hosting.CodeForbidden},
		"a fault":          {func(w http.ResponseWriter) bool { http.Error(w, foreign, http.StatusInternalServerError); return true }, hosting.CodeUnavailable},
		"an endless token": {func(w http.ResponseWriter) bool { _, _ = w.Write(make([]byte, 2<<20)); return true }, hosting.CodeUnavailable},
		"an answer that breaks off": {func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(foreign))
			return true
		}, hosting.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newLiar(t).finish(t, func(l *liar, _ url.Values) { l.token = c.answer })
			shown := hosting.Errorf(hosting.CodeOf(err), "%s", err)
			if e, ok := asShown(err); ok {
				shown = e
			}
			if shown.Code != c.code || strings.Contains(shown.Error(), "script") || len(err.Error()) > 600 || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %s: %v", shown.Code, err)
			}
		})
	}
}

func TestFinish_FollowsNoRedirectWithItsSecret(t *testing.T) {
	var told atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	defer thief.Close()
	_, err := newLiar(t).finish(t, func(l *liar, _ url.Values) {
		l.token = func(w http.ResponseWriter) bool {
			w.Header().Set("Location", thief.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}
	})
	if !hosting.Is(err, hosting.CodeUnavailable) || told.Load() != 0 {
		t.Errorf("the thief was told %d times; %v", told.Load(), err)
	}
}

func TestFinish_SaysWhatTheOtherPlaceAnswered(t *testing.T) {
	for answer, want := range map[string]struct {
		code hosting.Code
		says string
	}{
		"access_denied":            {hosting.CodeForbidden, "was not allowed to tell"},
		"temporarily_unavailable":  {hosting.CodeUnavailable, "right now"},
		"invalid_scope":            {hosting.CodeForbidden, "refused the signing-in: invalid_scope"},
		"<script>evil()</script>":  {hosting.CodeForbidden, "refused the signing-in: an unknown error"},
		strings.Repeat("a", 1_000): {hosting.CodeForbidden, "refused the signing-in: an unknown error"},
		"":                         {hosting.CodeForbidden, "refused the signing-in: an unknown error"},
	} {
		_, err := newLiar(t).finish(t, func(_ *liar, q url.Values) { q.Set("error", answer); q.Set("error_description", "<script>") })
		if hosting.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.says) || strings.Contains(err.Error(), "script") {
			t.Errorf("%.40q: got %v", answer, err)
		}
	}
}

func TestStart_RefusesAnIssuerThatNamesOddAddresses(t *testing.T) {
	for name, value := range map[string]any{
		"issuer": "https://evil.example.com", "authorization_endpoint": "javascript:alert(1)", "token_endpoint": "http://example.com/token",
		"jwks_uri": "http://example.com/keys", "userinfo_endpoint": "http://example.com/info", "the control": "",
	} {
		l := newLiar(t)
		l.meta[name] = value
		_, _, err := provider(t, oidc.Config{Issuer: l.URL}).Start(t.Context(), redirect)
		if hosting.Is(err, hosting.CodeUnavailable) == (name == "the control") || (err == nil) != (name == "the control") {
			t.Errorf("%s %v: got %v", name, value, err)
		}
	}
}

func TestStart_AsksAnIssuerAgainThatWasDown(t *testing.T) {
	l := newLiar(t)
	l.down.Store(true)
	now := time.Now()
	p := provider(t, oidc.Config{Issuer: l.URL, Now: func() time.Time { return now }})
	for range 3 {
		if _, _, err := p.Start(t.Context(), redirect); !hosting.Is(err, hosting.CodeUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	if l.asked.Load() != 1 {
		t.Errorf("it was asked %d times at once", l.asked.Load())
	}
	l.down.Store(false)
	now = now.Add(6 * time.Second)
	for range 3 {
		if _, _, err := p.Start(t.Context(), redirect); err != nil {
			t.Fatal(err)
		}
	}
	if l.asked.Load() != 2 {
		t.Errorf("it was asked %d times in all", l.asked.Load())
	}
}

func TestStart_WaitsForAnIssuerAsLongAsItsCallerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		p, err := oidc.New(oidc.Config{Name: "sso", Issuer: "https://id.example.com", ClientID: "web", HTTP: silent})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := contextWithTimeout(t, time.Second)
		defer cancel()
		if _, _, err := p.Start(ctx, redirect); !hosting.Is(err, hosting.CodeUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	good := oidc.Config{Name: "sso", Issuer: "https://id.example.com", ClientID: "web", HTTP: &http.Client{}}
	if p, err := oidc.New(good); err != nil || p.Title() != "sso" {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*oidc.Config){
		"no name":               func(c *oidc.Config) { c.Name = "" },
		"a name with a slash":   func(c *oidc.Config) { c.Name = "a/b" },
		"capitals":              func(c *oidc.Config) { c.Name = "SSO" },
		"no client":             func(c *oidc.Config) { c.ClientID = "" },
		"no way to call":        func(c *oidc.Config) { c.HTTP = nil },
		"no issuer":             func(c *oidc.Config) { c.Issuer = "" },
		"an issuer by HTTP":     func(c *oidc.Config) { c.Issuer = "http://id.example.com" },
		"an issuer of no HTTP":  func(c *oidc.Config) { c.Issuer = "file:///etc/passwd" },
		"an issuer with a user": func(c *oidc.Config) { c.Issuer = "https://a:b@id.example.com" },
		"an issuer with more":   func(c *oidc.Config) { c.Issuer = "https://id.example.com?a" },
	} {
		c := good
		change(&c)
		if _, err := oidc.New(c); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
