package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) logout() *cobra.Command {
	return a.command(spec{
		use:   "logout [--url URL]",
		short: "Sign out: end the token of this machine, and forget it",
		example: `
fairway logout                            of where you signed in last
fairway logout --url https://fairway.example.com`,
		long: `The token is forgotten in any case. Where the server does not let a token end itself, the
command says so, and how to end it.`,
		run: func(ctx context.Context, s *session, _ []string) error { return s.logout(ctx) },
	})
}

func (s *session) logout(ctx context.Context) error {
	known, err := s.logins()
	if err != nil {
		return err
	}
	address := cmp.Or(s.g.url, s.env.Getenv("FAIRWAY_URL"), known.Default)
	if address == "" {
		return errorf(ExitNotFound, "you are not signed in").hint("fairway login signs you in")
	}
	o, err := s.place(address)
	if err != nil {
		return err
	}
	at := siteOf(o)
	old, ok := known.At[at]
	if !ok {
		return errorf(ExitNotFound, "you are not signed in to %s", at).hint("fairway login --url %s signs you in", at)
	}
	delete(known.At, at)
	if known.Default == at {
		known.Default = ""
	}
	if err := s.keep(known); err != nil {
		return err
	}
	o.Token = old.Token
	id, ended := endToken(ctx, o)
	if s.json {
		return s.document(map[string]any{"url": at, "revoked": ended == nil})
	}
	s.say("Signed out of %s.", at)
	switch {
	case ended != nil && id != "":
		s.say("The token lives on (%s). To end it, where you may: fairway tokens revoke %s", oneLine(ended), id)
	case ended != nil:
		s.say("The token could not be ended: %s", oneLine(ended))
	}
	return nil
}

// endToken has a token end itself. It returns the token's id where that is known, and nil
// where the token is worth nothing any more.
func endToken(ctx context.Context, o client.Options) (hosting.TokenID, error) {
	c, err := client.New(o)
	if err != nil {
		return "", err
	}
	defer c.Close()
	id, err := c.Identity(ctx)
	if hosting.Is(err, hosting.CodeUnauthenticated) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if id.Token == nil {
		return "", errorf(ExitFailed, "it is the token of the data folder")
	}
	return id.Token.ID, c.RevokeToken(ctx, string(id.Token.Team), id.Token.ID)
}

func (a *app) whoami() *cobra.Command {
	return a.command(spec{
		use:   "whoami",
		short: "Say who Fairway takes you for, and where",
		example: `
fairway whoami                            where commands go from here
fairway whoami --url https://fairway.example.com`,
		run: func(ctx context.Context, s *session, _ []string) error {
			o, err := s.address()
			if err != nil {
				return err
			}
			c, err := s.clientAt(o)
			if err != nil {
				return err
			}
			id, err := c.Identity(ctx)
			if err != nil {
				return err
			}
			return s.tellIdentity(id, o)
		},
	})
}

func (s *session) tellIdentity(id hosting.Identity, o client.Options) error {
	if s.json {
		return s.document(id)
	}
	at := siteOf(o)
	if o.Socket != "" {
		at = o.Socket
	}
	s.say("  at     %s", plain(at))
	if id.Team != nil {
		s.say("  team   %s (%s)", teamSlug(id), id.Role)
	}
	if t := id.Token; t != nil {
		s.say("  token  %s, scope %s, ends %s", plain(t.Name), t.Scope, ahead(t.ExpiresAt, s.env.Now()))
	}
	return s.result(userName(id))
}
