package account

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	maxTokens = 100 // of one person in one team
	tokenDays = 90
	maxDays   = 366
)

// CreateToken makes an API token for the team that the caller acts in. Its secret is in the
// answer and nowhere else. CodeForbidden if the role does not allow the scope, CodeNotFound if
// the project is not the team's, CodeQuota above 100 tokens of one person in one team.
func (s *Service) CreateToken(ctx context.Context, c hosting.Caller, in hosting.NewToken) (out TokenSecret, err error) {
	if in, err = checkToken(in); err != nil {
		return out, err
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		made, err := s.mayMake(tx, c, in)
		if err != nil {
			return err
		}
		out, err = s.storeToken(tx, c, made)
		return err
	})
	if err != nil {
		return TokenSecret{}, err
	}
	return out, nil
}

// checkToken says whether the input is well formed, and fills in what is absent.
func checkToken(in hosting.NewToken) (hosting.NewToken, error) {
	in.Name, in.Days = strings.TrimSpace(in.Name), cmp.Or(in.Days, tokenDays)
	switch {
	case !in.Scope.Valid():
		return in, hosting.Errorf(hosting.CodeInvalid, "this is no scope").WithHint("use read, deploy or admin")
	case in.Days < 1 || in.Days > maxDays:
		return in, hosting.Errorf(hosting.CodeInvalid, "a token lives for 1 to %d days", maxDays)
	}
	return in, hosting.CheckPersonName(in.Name)
}

// mayMake says whether the caller may have the token, by what is stored of them now, and
// returns it with the project's id in place of its slug.
func (s *Service) mayMake(tx state.Tx, c hosting.Caller, in hosting.NewToken) (hosting.NewToken, error) {
	if c.User != "" {
		m, err := s.member(tx, c.Team.ID, c.User)
		if err != nil {
			return in, err
		}
		if m.Role == hosting.RoleViewer && in.Scope != hosting.ScopeRead {
			return in, hosting.Errorf(hosting.CodeForbidden, "a viewer can only make read tokens").WithHint("ask an owner of the team for another role")
		}
	}
	if in.Project != "" {
		p, err := s.projectOf(tx, c.Team.ID, in.Project)
		if err != nil {
			return in, err
		}
		in.Project = string(p)
	}
	return in, s.tokenRoom(tx, c.Team.ID, c.User)
}

// projectOf finds one of the team's projects by id or slug.
func (s *Service) projectOf(tx state.Tx, team hosting.TeamID, idOrSlug string) (hosting.ProjectID, error) {
	rows := s.cfg.DB.Team(team).Projects
	p, ok, err := hosting.Project{}, false, error(nil)
	if hosting.ValidID(idOrSlug) {
		p, ok, err = rows.Find(tx, state.K(idOrSlug))
	} else if hosting.CheckSiteName(idOrSlug) == nil {
		p, ok, err = rows.FindBy(tx, "slug", state.K(idOrSlug))
	}
	if err == nil && !ok {
		err = hosting.Errorf(hosting.CodeNotFound, "there is no such project")
	}
	return p.ID, err
}

// tokenRoom refuses one token too many. Those that are over make room.
func (s *Service) tokenRoom(tx state.Tx, team hosting.TeamID, user hosting.UserID) error {
	list, _, err := s.sys.Tokens.ListBy(tx, "member", state.K(string(team), string(user), ""), "", maxTokens+1)
	if err != nil || len(list) < maxTokens {
		return err
	}
	left := len(list)
	for _, t := range list {
		if s.now().Before(t.ExpiresAt) {
			continue
		}
		if err := s.sys.Tokens.Delete(tx, state.K(t.Hash)); err != nil {
			return err
		}
		left--
	}
	if left >= maxTokens {
		return hosting.Errorf(hosting.CodeQuota, "you have %d tokens in this team, and nobody may have more", left).WithHint("revoke some")
	}
	return nil
}

// storeToken makes a token of what checkToken and mayMake have allowed.
func (s *Service) storeToken(tx state.Tx, c hosting.Caller, in hosting.NewToken) (TokenSecret, error) {
	now := s.now()
	secret := newTokenSecret()
	row := state.Token{Hash: seal.Hash(secret), Token: hosting.Token{
		ID: hosting.NewTokenID(), Team: c.Team.ID, User: c.User, Name: in.Name, Scope: in.Scope, Project: hosting.ProjectID(in.Project),
		CreatedAt: now, ExpiresAt: now.Add(time.Duration(in.Days) * 24 * time.Hour),
	}}
	if err := s.sys.Tokens.Insert(tx, &row); err != nil {
		return TokenSecret{}, err
	}
	return TokenSecret{Token: row.Token, Secret: secret}, s.note(tx, c, row.Team, hosting.AuditEntry{
		Action: "token.create", Target: string(row.ID), Detail: describe(row.Token),
	})
}

func describe(t hosting.Token) string {
	what := cmp.Or(string(t.Project), "all projects")
	return fmt.Sprintf("%s: %s, %s, until %s", t.Name, t.Scope, what, t.ExpiresAt.Format(time.DateOnly))
}

// ListTokens lists the team's tokens, newest first: an owner sees all of them, others their own.
func (s *Service) ListTokens(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Token], err error) {
	if err := wholeTeam(c); err != nil {
		return list, err
	}
	index, prefix := "member", state.K(string(c.Team.ID), string(c.User), "")
	if c.Role == hosting.RoleOwner {
		index, prefix = "team", state.K(string(c.Team.ID), "")
	}
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Tokens.Page(tx, index, prefix, p)
		if err != nil {
			return err
		}
		list, err = state.MapPage(rows, func(t state.Token) (hosting.Token, error) { return t.Token, nil })
		return err
	})
	return list, err
}

// RevokeToken ends a token: an owner any, others their own. It is CodeNotFound for all else.
func (s *Service) RevokeToken(ctx context.Context, c hosting.Caller, id hosting.TokenID) error {
	if err := wholeTeam(c); err != nil {
		return err
	}
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		t, ok, err := s.sys.Tokens.FindBy(tx, "id", state.K(string(id)))
		if err != nil {
			return err
		}
		if !ok || t.Team != c.Team.ID || c.Role != hosting.RoleOwner && t.User != c.User {
			return hosting.Errorf(hosting.CodeNotFound, "there is no such token")
		}
		if err := s.sys.Tokens.Delete(tx, state.K(t.Hash)); err != nil {
			return err
		}
		return s.note(tx, c, t.Team, hosting.AuditEntry{Action: "token.revoke", Target: string(id), Detail: t.Name})
	})
}

// wholeTeam refuses who came by a token for one project: the team's tokens tell of others.
func wholeTeam(c hosting.Caller) error {
	if c.Project != "" {
		return hosting.Errorf(hosting.CodeForbidden, "the token is for one project, and this concerns the whole team")
	}
	return nil
}

// dropTokens ends all tokens of a person for a team: maxTokens at most.
func (s *Service) dropTokens(tx state.Tx, team hosting.TeamID, user hosting.UserID) error {
	list, _, err := s.sys.Tokens.ListBy(tx, "member", state.K(string(team), string(user), ""), "", sweepMost)
	for i := 0; err == nil && i < len(list); i++ {
		err = s.sys.Tokens.Delete(tx, state.K(list[i].Hash))
	}
	return err
}
