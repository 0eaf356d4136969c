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
	maxTokens   = 100 // of one person for one team
	defaultDays = 90
	maxDays     = 366
	day         = 24 * time.Hour
)

// CreateToken makes an API token for the team that the caller acts in. Its secret is told this
// once. What it can do is bounded by its scope, and by the role of its maker at each use.
func (s *Service) CreateToken(ctx context.Context, c hosting.Caller, in hosting.NewToken) (out TokenSecret, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		out, err = s.makeToken(tx, c, in)
		return err
	})
	if err != nil {
		return TokenSecret{}, fmt.Errorf("create token: %w", err)
	}
	return out, nil
}

func (s *Service) makeToken(tx state.Tx, c hosting.Caller, in hosting.NewToken) (TokenSecret, error) {
	project, err := s.checkToken(tx, c, &in)
	if err != nil {
		return TokenSecret{}, err
	}
	now, secret := s.now(), newTokenSecret()
	t := state.Token{Hash: seal.Hash(secret), Token: hosting.Token{
		ID: hosting.NewTokenID(), Team: c.Team.ID, User: c.User, Name: in.Name, Scope: in.Scope, Project: project,
		CreatedAt: now, ExpiresAt: now.Add(time.Duration(in.Days) * day),
	}}
	if err := s.sys.Tokens.Insert(tx, &t); err != nil {
		return TokenSecret{}, err
	}
	err = s.noteIn(tx, c.Team.ID, c, hosting.AuditEntry{
		Action: "token.create", Target: string(t.ID), Detail: fmt.Sprintf("%s, scope %s, %d days", in.Name, in.Scope, in.Days),
	})
	return TokenSecret{Token: t.Token, Secret: secret}, err
}

// checkToken fills in what the request leaves out, refuses what it may not ask, and finds the
// project that it names.
func (s *Service) checkToken(tx state.Tx, c hosting.Caller, in *hosting.NewToken) (hosting.ProjectID, error) {
	in.Name, in.Days = strings.TrimSpace(in.Name), cmp.Or(in.Days, defaultDays)
	if err := hosting.CheckPersonName(in.Name); err != nil {
		return "", err
	}
	switch {
	case !in.Scope.Valid():
		return "", hosting.Errorf(hosting.CodeInvalid, "the scope is none").WithHint("say read, deploy or admin")
	case in.Days < 1 || in.Days > maxDays:
		return "", hosting.Errorf(hosting.CodeInvalid, "a token lives 1 to %d days", maxDays)
	case c.Role == hosting.RoleViewer && in.Scope != hosting.ScopeRead:
		return "", hosting.Errorf(hosting.CodeForbidden, "a viewer's tokens can only read").WithHint("ask for the scope read")
	}
	if err := s.checkTokenCount(tx, c); err != nil {
		return "", err
	}
	return s.projectOf(tx, c, in.Project)
}

func (s *Service) checkTokenCount(tx state.Tx, c hosting.Caller) error {
	list, _, err := s.sys.Tokens.ListBy(tx, "user", state.K(string(c.User), ""), "", 10*maxTokens)
	if err != nil {
		return err
	}
	n := 0
	for i := range list {
		if list[i].Team == c.Team.ID && s.now().Before(list[i].ExpiresAt) {
			n++
		}
	}
	if n >= maxTokens {
		return hosting.Errorf(hosting.CodeQuota, "you have %d tokens for this team, which is the limit", n).WithHint("revoke some")
	}
	return nil
}

// projectOf returns the id of the team's project that an id or slug names; "" names none.
func (s *Service) projectOf(tx state.Tx, c hosting.Caller, name string) (hosting.ProjectID, error) {
	if name == "" {
		return "", nil
	}
	rows := s.cfg.DB.Team(c.Team.ID).Projects
	var p hosting.Project
	var ok bool
	var err error
	if hosting.ValidID(name) {
		p, ok, err = rows.Find(tx, state.K(name))
	} else if hosting.CheckSiteName(name) == nil {
		p, ok, err = rows.FindBy(tx, "slug", state.K(name))
	}
	if err == nil && !ok {
		err = hosting.Errorf(hosting.CodeNotFound, "there is no such project")
	}
	return p.ID, err
}

// ListTokens lists the team's tokens, newest first: an owner sees all of them, others their own.
func (s *Service) ListTokens(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Token], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Tokens.Page(tx, "team", state.K(string(c.Team.ID), ""), p)
		list = state.List[hosting.Token]{Items: []hosting.Token{}, Next: rows.Next}
		for i := range rows.Items {
			if t := rows.Items[i].Token; ownsToken(c, t) && c.Sees(t.Project) {
				t.LastUsedAt = s.used.last(use{useToken, rows.Items[i].Hash}, t.LastUsedAt)
				list.Items = append(list.Items, t)
			}
		}
		return err
	})
	return list, err
}

// ownsToken reports whether a token of the caller's team is theirs to see and to end.
func ownsToken(c hosting.Caller, t hosting.Token) bool {
	return t.Team == c.Team.ID && (c.Role == hosting.RoleOwner || c.User != "" && t.User == c.User)
}

// RevokeToken ends a token: an owner any of the team, others their own. All else is
// CodeNotFound.
func (s *Service) RevokeToken(ctx context.Context, c hosting.Caller, id hosting.TokenID) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		t, ok, err := s.sys.Tokens.FindBy(tx, "id", state.K(string(id)))
		if err != nil || !ok || !ownsToken(c, t.Token) {
			return firstOf(err, hosting.Errorf(hosting.CodeNotFound, "there is no such token"))
		}
		if err := s.sys.Tokens.Delete(tx, state.K(t.Hash)); err != nil {
			return err
		}
		return s.noteIn(tx, t.Team, c, hosting.AuditEntry{Action: "token.revoke", Target: string(id), Detail: t.Name})
	})
}
