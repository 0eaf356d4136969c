package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	measureEvery = 10 * time.Minute
	measuredFor  = time.Hour // how long a count of a project that has grown is good enough
	// maxCounted bounds how many blobs of a project a count remembers, of about 60 bytes each.
	// Beyond, blobs count whenever a manifest names them: too much, never too little.
	maxCounted = 2_000_000
)

// Usage says what the team uses, against what it may. It is not for a token of one project.
func (s *Service) Usage(ctx context.Context, c hosting.Caller) (hosting.Usage, error) {
	if c.Project != "" {
		return hosting.Usage{}, hosting.Errorf(hosting.CodeForbidden, "the token is for one project, and this concerns the whole team")
	}
	var u hosting.Usage
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		u, err = s.usage(tx, c.Team.ID)
		return err
	})
	if err != nil {
		return hosting.Usage{}, fmt.Errorf("sum up usage: %w", err)
	}
	return u, nil
}

func (s *Service) usage(tx state.Tx, team hosting.TeamID) (hosting.Usage, error) {
	t, err := s.teamOf(tx, team)
	if err != nil {
		return hosting.Usage{}, err
	}
	u := hosting.Usage{Quotas: t.Quotas}
	for p, err := range s.projects(tx, team) {
		if err != nil {
			return u, err
		}
		row, _, err := s.team(team).Stored.Find(tx, state.K(string(p.ID)))
		if err != nil {
			return u, err
		}
		u.Bytes += row.Bytes
		if u.Projects == 0 || row.MeasuredAt.Before(u.Measured) {
			u.Measured = row.MeasuredAt
		}
		u.Projects++
	}
	for r, err := range s.runs(tx, "active", "") {
		if err != nil {
			return u, err
		}
		if r.State == state.RunActive && r.Team == team {
			u.Builds++
		}
	}
	return u, nil
}

// measureDue counts anew the projects whose bytes are not known exactly: those that have grown
// since their last count an hour ago, and those that were never counted.
func (s *Service) measureDue(ctx context.Context) error {
	var teams []hosting.TeamID
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		teams, err = s.teamIDs(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("list teams: %w", err)
	}
	before := s.now().Add(-measuredFor)
	var errs []error
	for _, team := range teams {
		errs = append(errs, s.measureTeam(ctx, team, func(row state.Stored) bool { return !row.MeasuredAt.After(before) }))
	}
	return errors.Join(errs...)
}

// measureTeam counts a team's projects that are due, unless their number is exact already. A
// manifest that cannot be read keeps its own project alone from being counted.
func (s *Service) measureTeam(ctx context.Context, team hosting.TeamID, due func(state.Stored) bool) error {
	var projects []hosting.ProjectID
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		for p, err := range s.projects(tx, team) {
			if err != nil {
				return err
			}
			row, _, err := s.team(team).Stored.Find(tx, state.K(string(p.ID)))
			if err != nil {
				return err
			}
			if exact := row.Added == 0 && !row.MeasuredAt.IsZero(); !exact && due(row) {
				projects = append(projects, p.ID)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list what team %s stores: %w", team, err)
	}
	for _, p := range projects {
		_, err := s.measure(ctx, team, p, nil)
		if hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			s.log.Error("a project's bytes cannot be counted", "project", p, "error", err)
		}
	}
	return nil
}

// measure counts what a project's READY deployments take, each blob once, and stores the sum.
// It also returns how much of refs is in none of them.
func (s *Service) measure(ctx context.Context, team hosting.TeamID, project hosting.ProjectID, refs []hosting.BlobRef) (fresh int64, err error) {
	var before state.Stored
	var manifests map[hosting.Digest]bool
	err = s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		if before, _, err = s.team(team).Stored.Find(tx, state.K(string(project))); err != nil {
			return err
		}
		manifests, err = s.manifests(tx, team, project)
		return err
	})
	if err != nil {
		return 0, err
	}
	seen, sum := map[hosting.Digest]bool{}, int64(0)
	for digest := range manifests {
		n, err := s.known.read(ctx, project, digest)
		if err != nil {
			return 0, fmt.Errorf("read manifest %s: %w", digest, err)
		}
		sum += unseen(seen, n.refs)
	}
	fresh = unseen(seen, refs)
	before.Project = project
	_, err = s.update(ctx, func(tx *change) error { return s.storeCount(tx, team, before, sum) })
	return fresh, err
}

// unseen sums the sizes of the blobs that were not seen before.
func unseen(seen map[hosting.Digest]bool, refs []hosting.BlobRef) (sum int64) {
	for _, ref := range refs {
		if seen[ref.Digest] {
			continue
		}
		sum += ref.Size
		if len(seen) < maxCounted {
			seen[ref.Digest] = true
		}
	}
	return sum
}

// manifests returns those of a project's READY deployments.
func (s *Service) manifests(tx state.Tx, team hosting.TeamID, project hosting.ProjectID) (map[hosting.Digest]bool, error) {
	found := map[hosting.Digest]bool{}
	for after := state.Key(""); ; {
		rows, next, err := s.team(team).Deployments.ListBy(tx, "project", state.K(string(project), ""), after, pageOfRows)
		if err != nil {
			return nil, fmt.Errorf("list deployments: %w", err)
		}
		for i := range rows {
			if rows[i].Status == hosting.StatusReady {
				found[rows[i].Manifest] = true
			}
		}
		if len(rows) < pageOfRows {
			return found, nil
		}
		after = next
	}
}

// storeCount stores the sum of a count that began when before was stored. What was added since
// is added to it. If another count came between, that one holds.
func (s *Service) storeCount(tx *change, team hosting.TeamID, before state.Stored, sum int64) error {
	key := state.K(string(before.Project))
	_, there, err := s.team(team).Projects.Find(tx, key)
	if err != nil || !there {
		return err
	}
	now, _, err := s.team(team).Stored.Find(tx, key)
	if err != nil || now.Counts != before.Counts {
		return err
	}
	now.Project, now.MeasuredAt = before.Project, s.now()
	now.Counts++
	now.Added -= before.Added
	now.Bytes = sum + now.Added
	return s.team(team).Stored.Put(tx, &now)
}

// countTeam counts what a team stores before a deployment is refused for it, and returns how
// much of the deployment's blobs is new, which is at most added.
func (s *Service) countTeam(ctx context.Context, run state.Run, refs []hosting.BlobRef, added int64) (int64, error) {
	err := s.measureTeam(ctx, run.Team, func(row state.Stored) bool { return row.Project != run.Project })
	if err != nil {
		return 0, err
	}
	fresh, err := s.measure(ctx, run.Team, run.Project, refs)
	switch {
	case err == nil:
		return min(fresh, added), nil
	case hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil:
		return 0, err
	}
	s.log.Error("a project's bytes cannot be counted", "project", run.Project, "error", err)
	return added, nil
}
