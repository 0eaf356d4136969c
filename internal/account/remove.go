package account

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// remove deletes a person and all by which they are known, and says what that was.
func (s *Service) remove(tx state.Tx, c hosting.Caller, u *state.User, l leaving) (out hosting.Deletion, err error) {
	sessions, err := s.endSessions(tx, u.ID)
	if err != nil {
		return out, err
	}
	tokens, err := deleteBy(tx, s.sys.Tokens, "user", string(u.ID), func(t *state.Token) state.Key { return state.K(t.Hash) })
	if err != nil {
		return out, err
	}
	identities, err := deleteBy(tx, s.sys.Identities, "user", string(u.ID), func(i *state.Identity) state.Key {
		return state.K(i.Provider, i.Subject)
	})
	if err != nil {
		return out, err
	}
	out = hosting.Deletion{What: "the account " + u.Email, At: s.now(), Later: []string{}, Gone: []string{
		count(sessions, "session"), count(tokens, "token"), count(identities, "outside login"),
	}}
	for _, m := range l.leave {
		if err := s.leave(tx, c, u, m); err != nil {
			return out, err
		}
	}
	out.Gone = append(out.Gone, "your place in "+count(len(l.leave), "team"))
	for _, t := range l.delete {
		if err := s.removeTeam(tx, t.ID); err != nil {
			return out, err
		}
		out.Gone = append(out.Gone, "the team "+t.Slug)
	}
	return out, s.sys.Users.Delete(tx, state.K(string(u.ID)))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// leave takes a person out of a team that goes on.
func (s *Service) leave(tx state.Tx, c hosting.Caller, u *state.User, m hosting.Membership) error {
	if err := s.sys.Members.Delete(tx, state.K(string(m.Team), string(m.User))); err != nil {
		return err
	}
	return s.cfg.DB.Team(m.Team).Note(tx, c, s.now(), hosting.AuditEntry{
		Action: "member.leave", Target: string(u.ID), Detail: "the account was deleted",
	})
}

// removeTeam deletes a team without projects, with its members, tokens and invitations.
func (s *Service) removeTeam(tx state.Tx, id hosting.TeamID) error {
	var members []state.Key
	err := each(tx, s.sys.Members, state.K(string(id), ""), func(m hosting.Membership) (state.Key, error) {
		k := state.K(string(m.Team), string(m.User))
		members = append(members, k)
		return k, nil
	})
	if err != nil {
		return err
	}
	if err := deleteAll(tx, s.sys.Members, members); err != nil {
		return err
	}
	if _, err := deleteBy(tx, s.sys.Tokens, "team", string(id), func(t *state.Token) state.Key { return state.K(t.Hash) }); err != nil {
		return err
	}
	_, err = deleteBy(tx, s.sys.Invitations, "team", string(id), func(i *state.Invitation) state.Key { return state.K(i.Hash) })
	if err != nil {
		return err
	}
	return s.sys.Teams.Delete(tx, state.K(string(id)))
}

// deleteBy deletes all rows that an index has under an id, and counts them.
func deleteBy[T any](tx state.Tx, rows state.Rows[T], index, id string, key func(*T) state.Key) (n int, err error) {
	for {
		list, _, err := rows.ListBy(tx, index, state.K(id), "", sweepMost)
		if err != nil || len(list) == 0 {
			return n, err
		}
		for i := range list {
			if err := rows.Delete(tx, key(&list[i])); err != nil {
				return n, err
			}
		}
		n += len(list)
	}
}

// maxRounds bounds the work of emptyTeam: half a million rows.
const maxRounds = 1000

// emptyTeam deletes the audit log of a team that is gone, and what was kept for repeated
// requests, some at a time so that others are not kept waiting. Nobody can read it any more,
// so an error leaves only bytes behind. The default team's log stays: it is the operator's too.
func (s *Service) emptyTeam(ctx context.Context, id hosting.TeamID) {
	if id == hosting.DefaultTeam {
		return
	}
	t := s.cfg.DB.Team(id)
	left := true
	for round := 0; left && round < maxRounds; round++ {
		err := s.cfg.DB.Update(context.WithoutCancel(ctx), func(tx state.Tx) (err error) {
			audit, err := clearSome(tx, t.Audit, func(e *hosting.AuditEntry) state.Key {
				return state.K(state.Desc(uint64(e.At.UnixNano())), e.ID)
			})
			if err != nil {
				return err
			}
			replies, err := clearSome(tx, t.Replies, func(r *state.Reply) state.Key { return state.K(r.Key) })
			left = audit || replies
			return err
		})
		if err != nil {
			s.log.Warn("people: the log of a deleted team could not be removed", "team", id, "error", err)
			return
		}
	}
}

// clearSome deletes the first rows of a table, and reports whether there were any.
func clearSome[T any](tx state.Tx, rows state.Rows[T], key func(*T) state.Key) (any bool, err error) {
	list, err := rows.List(tx, "", "", sweepMost)
	if err != nil {
		return false, err
	}
	for i := range list {
		if err := rows.Delete(tx, key(&list[i])); err != nil {
			return false, err
		}
	}
	return len(list) > 0, nil
}
