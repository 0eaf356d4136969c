package oidc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/oauth2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// fault is an error for the person, with what it comes from for the log: what another machine
// says is shown to nobody.
func fault(shown *hosting.Error, cause error) error {
	return fmt.Errorf("%w (%.300s)", shown, strings.Join(strings.Fields(cause.Error()), " "))
}

// over is a signing-in that has to be begun again.
func (p *Provider) over(why string) error {
	return hosting.Errorf(hosting.CodeUnauthenticated, "the signing-in by %s cannot be finished: %s", p.cfg.Title, why).
		WithHint("begin again on the sign-in page")
}

func (c Config) unreachable(cause error) error {
	return fault(hosting.Errorf(hosting.CodeUnavailable, "%s does not answer", c.Title).WithHint("try again, or sign in another way"), cause)
}

func (c Config) untrusted(cause error) error {
	return fault(hosting.Errorf(hosting.CodeUnauthenticated, "what %s says of you does not hold", c.Title).
		WithHint("begin again on the sign-in page; if it happens again, tell the operator"), cause)
}

// errorForm is what codes of RFC 6749 and OpenID Connect look like.
var errorForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

// refused is what the place answered instead of a code.
func (p *Provider) refused(code string) error {
	switch {
	case code == "access_denied":
		return hosting.Errorf(hosting.CodeForbidden, "%s was not allowed to tell who you are", p.cfg.Title).WithHint("begin again and allow it, or sign in another way")
	case code == "temporarily_unavailable" || code == "server_error":
		return hosting.Errorf(hosting.CodeUnavailable, "%s cannot sign anybody in right now", p.cfg.Title).WithHint("try again later")
	case !errorForm.MatchString(code):
		code = "an unknown error"
	}
	return hosting.Errorf(hosting.CodeForbidden, "%s refused the signing-in: %s", p.cfg.Title, code).WithHint("tell the operator: Fairway may be registered wrongly there")
}

// notExchanged is why a code brought no token.
func (p *Provider) notExchanged(err error) error {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok || e.Response != nil && e.Response.StatusCode >= 500:
		return p.cfg.unreachable(err)
	case e.ErrorCode == "invalid_grant" || e.ErrorCode == "bad_verification_code": // GitHub's name of it
		return p.over("it took too long, or was finished before")
	case errorForm.MatchString(e.ErrorCode):
		return p.refused(e.ErrorCode)
	}
	return fault(hosting.Errorf(hosting.CodeForbidden, "%s refused the signing-in", p.cfg.Title).WithHint("tell the operator: Fairway may be registered wrongly there"), err)
}
