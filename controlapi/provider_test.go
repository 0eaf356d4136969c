package controlapi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

var _ controlapi.Provider = (*oidc.Provider)(nil)

// silent is a place that does not answer.
type silent struct{ place }

func (silent) Start(context.Context, string) (string, oidc.Flow, error) {
	return "", oidc.Flow{}, hosting.Errorf(hosting.CodeUnavailable, "the place does not answer").WithHint("try again")
}

func TestExternal_SaysThatAPlaceDoesNotAnswer(t *testing.T) {
	w := newWorld(t, func(c *controlapi.Config) {
		c.Providers = []controlapi.Provider{silent{place{name: "one"}}}
	})
	a := newBrowser(t, w.api).get("/auth/one")
	a.is(t, http.StatusServiceUnavailable, "The place does not answer.", "Try again.")
	if a.header.Get("Retry-After") == "" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("it is answered with %v", a.header)
	}
}
