package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const grantLife = time.Minute

// errGrant is the one answer to all codes that give no token, so that a guess learns nothing.
var errGrant = hosting.Errorf(hosting.CodeUnauthenticated, "the code does not work").
	WithHint("it works once, for a minute, and only for whoever asked for it: start anew")

var challengeText = base64.RawURLEncoding.Strict()

// Grant promises a token to whoever can show the verifier of the challenge (RFC 7636, S256)
// within a minute, and returns the code to redeem it with. What CreateToken would refuse is
// refused here already.
func (s *Service) Grant(ctx context.Context, c hosting.Caller, challenge string, in hosting.NewToken) (code string, err error) {
	if err := checkChallenge(challenge); err != nil {
		return "", err
	}
	if in, err = checkToken(in); err != nil {
		return "", err
	}
	code = seal.NewToken()
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
		if err != nil {
			return err
		}
		granted, err := s.mayMake(tx, c, in)
		if err != nil {
			return err
		}
		err = s.sys.Links.Insert(tx, &state.Link{
			Hash: seal.Hash(code), Kind: state.LinkGrant, User: u.ID, Entered: u.Entered,
			ExpiresAt: s.now().Add(grantLife), Challenge: challenge, Team: c.Team.ID, Token: granted,
		})
		if err != nil {
			return err
		}
		return s.note(tx, c, c.Team.ID, hosting.AuditEntry{Action: "token.grant", Detail: in.Name})
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// Exchange redeems a code of Grant, once: it is used up whether or not the verifier is right.
// The token is made only now, and only if its maker could still make it.
func (s *Service) Exchange(ctx context.Context, code, verifier string) (out TokenSecret, err error) {
	var refused bool
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		grant, err := s.burnGrant(tx, code)
		if err != nil {
			return err
		}
		c, in, err := s.grantee(tx, grant, verifier)
		if refused = err != nil; refused {
			return onlyFault(err) // where there is none, the code is burnt all the same
		}
		out, err = s.storeToken(tx, c, in)
		return err
	})
	if err == nil && refused {
		err = errGrant
	}
	if err != nil {
		return TokenSecret{}, err
	}
	return out, nil
}

// onlyFault returns err if it is a fault of Fairway, and nil if it is a refusal.
func onlyFault(err error) error {
	if hosting.Is(err, hosting.CodeInternal) {
		return err
	}
	return nil
}

// burnGrant finds a grant and deletes it: of any number of transactions one gets it.
func (s *Service) burnGrant(tx state.Tx, code string) (state.Link, error) {
	l, ok, err := s.sys.Links.Find(tx, state.K(seal.Hash(code)))
	if err == nil && (!ok || l.Kind != state.LinkGrant) {
		err = errGrant
	}
	if err != nil {
		return state.Link{}, err
	}
	return l, s.sys.Links.Delete(tx, state.K(l.Hash))
}

// grantee returns who gets a grant's token, as they are now, and which.
func (s *Service) grantee(tx state.Tx, grant state.Link, verifier string) (c hosting.Caller, in hosting.NewToken, err error) {
	if !s.now().Before(grant.ExpiresAt) || !verifies(verifier, grant.Challenge) {
		return c, in, errGrant
	}
	u, err := s.sys.Users.Get(tx, state.K(string(grant.User)))
	if err != nil {
		return c, in, err
	}
	if u.Suspended || u.Entered != grant.Entered {
		return c, in, errGrant
	}
	c = hosting.Caller{Via: hosting.ViaSession, User: u.ID, Name: u.Name, Team: hosting.Team{ID: grant.Team}}
	in, err = s.mayMake(tx, c, grant.Token)
	return c, in, err
}

// checkChallenge says whether a challenge is what S256 makes: SHA-256 in base64url, 43
// characters.
func checkChallenge(challenge string) error {
	sum, err := challengeText.DecodeString(challenge)
	if err != nil || len(sum) != sha256.Size || len(challenge) != challengeText.EncodedLen(sha256.Size) {
		return hosting.Errorf(hosting.CodeInvalid, "the challenge is not of RFC 7636, S256").
			WithHint("send the SHA-256 of the verifier in base64url, 43 characters")
	}
	return nil
}

// verifies reports whether the verifier is one of RFC 7636, section 4.1, and the challenge's.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.TrimLeft(verifier, verifierChars) != "" {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return seal.Equal(challengeText.EncodeToString(sum[:]), challenge)
}

const verifierChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
