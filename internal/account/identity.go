package account

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// maxTeams bounds the teams that are told of one person.
const maxTeams = 1000

// Identity tells a caller who they are. By a token they are told of its team alone.
func (s *Service) Identity(ctx context.Context, c hosting.Caller) (hosting.Identity, error) {
	who := hosting.Identity{Via: c.Via, Name: c.Name, Role: c.Role, Teams: []hosting.TeamOf{}}
	if c.Team.ID != "" {
		who.Team = &c.Team
	}
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		if err := s.addUser(tx, c, &who); err != nil {
			return err
		}
		if err := s.addToken(tx, c, &who); err != nil {
			return err
		}
		if c.Via == hosting.ViaSession {
			return s.addTeams(tx, c, &who)
		}
		if c.Team.ID != "" {
			who.Teams = append(who.Teams, hosting.TeamOf{Team: c.Team, Role: c.Role})
		}
		return nil
	})
	if err != nil {
		return hosting.Identity{}, err
	}
	return who, nil
}

func (s *Service) addUser(tx state.Tx, c hosting.Caller, who *hosting.Identity) error {
	if c.User == "" {
		return nil
	}
	u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
	if err == nil {
		seen := s.seen(u)
		who.User = &seen
	}
	return err
}

func (s *Service) addToken(tx state.Tx, c hosting.Caller, who *hosting.Identity) error {
	if c.Token == "" {
		return nil
	}
	t, ok, err := s.sys.Tokens.FindBy(tx, "id", state.K(string(c.Token)))
	if err == nil && ok {
		t.LastUsedAt = s.used.last(use{useToken, t.Hash}, t.LastUsedAt)
		who.Token = &t.Token
	}
	return err
}

func (s *Service) addTeams(tx state.Tx, c hosting.Caller, who *hosting.Identity) error {
	list, _, err := s.sys.Members.ListBy(tx, "user", state.K(string(c.User)), "", maxTeams)
	if err != nil {
		return err
	}
	for _, m := range list {
		t, ok, err := s.sys.Teams.Find(tx, state.K(string(m.Team)))
		if err != nil {
			return err
		}
		if ok {
			who.Teams = append(who.Teams, hosting.TeamOf{Team: t, Role: m.Role})
		}
	}
	return nil
}
