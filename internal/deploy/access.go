package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// SetAccess says who may see a project's site from now on, and answers once the table knows.
// It ends the sessions of all visitors of the site. CodeInvalid means a mode or password that
// is none, or that a password is needed and there is none yet.
func (s *Service) SetAccess(ctx context.Context, c hosting.Caller, idOrSlug string, u hosting.AccessUpdate) (hosting.Project, error) {
	production, err := s.newAccess(ctx, u.Production)
	if err != nil {
		return hosting.Project{}, err
	}
	previews, err := s.newAccess(ctx, u.Previews)
	if err != nil {
		return hosting.Project{}, err
	}
	var p hosting.Project
	done, err := s.update(ctx, func(tx *change) (err error) {
		if p, err = s.projectToChange(tx, c, idOrSlug); err != nil {
			return err
		}
		site, err := s.sys.Sites.Get(tx, state.K(p.Slug))
		if err != nil {
			return err
		}
		before := site
		var told []string
		for _, part := range []struct {
			name string
			to   *hosting.Access
			new  *hosting.Access
		}{{"production", &site.Production, production}, {"previews", &site.Previews, previews}} {
			if part.new == nil {
				continue
			}
			if err := changeAccess(part.to, *part.new); err != nil {
				return err
			}
			told = append(told, part.name+": "+string(part.new.Mode))
		}
		if site == before {
			return nil
		}
		if err := tx.route(hosting.Change{Sites: []hosting.Site{site}}); err != nil {
			return err
		}
		return tx.auditProject(c, p, "project.access", strings.Join(told, ", "))
	})
	if err != nil {
		return hosting.Project{}, fmt.Errorf("set access: %w", err)
	}
	s.announce(ctx, done)
	s.awaitHead(ctx) // a repeated call changes nothing, but promises the same
	return s.FindProject(ctx, c, string(p.ID))
}

// newAccess hashes what a change brings, outside of any transaction; nil where there is none.
func (s *Service) newAccess(ctx context.Context, c *hosting.AccessChange) (*hosting.Access, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // nothing is to change
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	a := &hosting.Access{Mode: c.Mode}
	if c.Password == "" {
		return a, nil
	}
	var err error
	a.Hash, err = s.cfg.HashPassword(ctx, c.Password)
	return a, err
}

// changeAccess keeps the password where another was not given.
func changeAccess(to *hosting.Access, a hosting.Access) error {
	if a.Mode == hosting.AccessPassword && a.Hash == "" {
		if to.Hash == "" {
			return hosting.Errorf(hosting.CodeInvalid, "the site has no password yet").WithHint("give one")
		}
		a.Hash = to.Hash
	}
	*to = a
	return nil
}
