package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// grantLife is how long a code of Grant can be redeemed: the browser hands it over at once.
const grantLife = time.Minute

// The forms that RFC 7636 gives challenge (section 4.2, S256) and verifier (section 4.1).
var (
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifierForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// errGrant is the one answer to codes and verifiers that are no good.
var errGrant = hosting.Errorf(hosting.CodeUnauthenticated, "the code does not work").WithHint("a code works once, for a minute: begin again with fairway login")

// Grant promises a token to whoever can show the verifier of the challenge (RFC 7636, S256)
// within a minute, and returns the code to redeem it with.
func (s *Service) Grant(ctx context.Context, c hosting.Caller, challenge string, in hosting.NewToken) (code string, err error) {
	if !challengeForm.MatchString(challenge) {
		return "", hosting.Errorf(hosting.CodeInvalid, "the challenge is no SHA-256 in base64url").WithHint("begin again with fairway login")
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		if _, err := s.checkToken(tx, c, &in); err != nil { // what could not be made later is refused now
			return err
		}
		u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
		if err != nil {
			return err
		}
		code, _, err = s.newLink(tx, state.Link{
			Kind: state.LinkGrant, User: u.ID, Entered: u.Entered, ExpiresAt: s.now().Add(grantLife),
			Challenge: challenge, Team: c.Team.ID, Token: in,
		})
		return err
	})
	return code, err
}

// Exchange redeems a code of Grant, once: a wrong verifier uses it up, too.
func (s *Service) Exchange(ctx context.Context, code, verifier string) (out TokenSecret, err error) {
	good := false
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		l, err := s.useLink(tx, state.LinkGrant, code)
		if hosting.Is(err, hosting.CodeNotFound) {
			return errGrant
		}
		if err != nil {
			return err
		}
		if good = verifierForm.MatchString(verifier) && seal.Equal(challengeOf(verifier), l.Challenge); !good {
			return nil // commits: the code is gone
		}
		c, err := s.granted(tx, l)
		if err != nil {
			return err
		}
		out, err = s.makeToken(tx, c, l.Token)
		return err
	})
	if err == nil && !good {
		err = errGrant
	}
	if err != nil {
		return TokenSecret{}, err
	}
	return out, nil
}

// granted is who a grant was made by, if they may still have a token for its team.
func (s *Service) granted(tx state.Tx, l state.Link) (hosting.Caller, error) {
	u, err := s.linkUser(tx, l)
	if err != nil || u.Suspended {
		return hosting.Caller{}, firstOf(notFoundAs(err, errGrant), errGrant)
	}
	c := hosting.Caller{Via: hosting.ViaSession, User: u.ID, Name: u.Name}
	return c, notFoundAs(s.actIn(tx, &c, string(l.Team)), errGrant)
}

func notFoundAs(err, other error) error {
	if hosting.Is(err, hosting.CodeNotFound) {
		return other
	}
	return err
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
