package usage

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	maxEdges = 200 // tokens
	// silence is after how long without a report an edge is said to be silent.
	silence = 3 * time.Minute
	// edgePrefix begins each edge token, so that it is never taken for an API token, and scanners
	// of public code know one.
	edgePrefix = "fwe_"
	maxSecret  = 100
)

var errEdgeToken = hosting.Errorf(hosting.CodeUnauthenticated, "the edge token is no longer good").WithHint("make another with fairway edges add")

// EdgeToken is a token that was good. Nothing can be done with it but to report.
type EdgeToken struct {
	Name string
	hash string
}

// ByToken returns the edge that has the secret, or CodeUnauthenticated.
func (s *Service) ByToken(ctx context.Context, secret string) (EdgeToken, error) {
	if !strings.HasPrefix(secret, edgePrefix) || len(secret) > maxSecret {
		return EdgeToken{}, errEdgeToken
	}
	hash := seal.Hash(secret)
	e := EdgeToken{hash: hash}
	err := s.db.View(ctx, func(tx state.Tx) error {
		row, ok, err := s.sys.Edges.Find(tx, state.K(hash))
		if err != nil || !ok {
			return cmp.Or(err, error(errEdgeToken))
		}
		e.Name = row.Name
		return nil
	})
	if err != nil {
		return EdgeToken{}, err
	}
	return e, nil
}

// AddEdge makes a token for an edge, or for several that are to be one in the sums. Its secret
// is in the answer and nowhere else. CodeConflict where there is one of the name, CodeQuota
// above 200.
func (s *Service) AddEdge(ctx context.Context, c hosting.Caller, in hosting.NewEdge) (hosting.EdgeSecret, error) {
	if err := hosting.CheckEdgeName(in.Name); err != nil {
		return hosting.EdgeSecret{}, err
	}
	secret := edgePrefix + seal.NewToken()
	err := s.db.Update(ctx, func(tx state.Tx) error {
		all, err := s.sys.Edges.List(tx, "", "", maxEdges)
		if err != nil {
			return err
		}
		if len(all) == maxEdges {
			return hosting.Errorf(hosting.CodeQuota, "there are %d edges, and may be no more", maxEdges).WithHint("remove one, or let several share a token")
		}
		row := state.Edge{Hash: seal.Hash(secret), Name: in.Name, CreatedAt: s.now().UTC()}
		if err := s.sys.Edges.Insert(tx, &row); err != nil {
			if hosting.Is(err, hosting.CodeConflict) {
				return hosting.Errorf(hosting.CodeConflict, "there already is an edge %s", in.Name).WithHint("choose another name, or remove it first, with its sums")
			}
			return err
		}
		return s.note(tx, c, "edge.add", in.Name)
	})
	if err != nil {
		return hosting.EdgeSecret{}, err
	}
	return hosting.EdgeSecret{Name: in.Name, Secret: secret}, nil
}

// RemoveEdge ends an edge's token, and forgets what came by it. The edge serves on.
func (s *Service) RemoveEdge(ctx context.Context, c hosting.Caller, name string) error {
	return s.db.Update(ctx, func(tx state.Tx) error {
		row, ok, err := s.sys.Edges.FindBy(tx, "name", state.K(name))
		if err != nil {
			return err
		}
		if !ok {
			return hosting.Errorf(hosting.CodeNotFound, "there is no such edge").WithHint("fairway edges lists them")
		}
		if err := s.sys.Edges.Delete(tx, state.K(row.Hash)); err != nil {
			return err
		}
		return s.note(tx, c, "edge.remove", row.Name)
	})
}

func (s *Service) note(tx state.Tx, c hosting.Caller, action, name string) error {
	return s.db.Team(c.Team.ID).Note(tx, c, s.now().UTC(), hosting.AuditEntry{Action: action, Target: name})
}

// ListEdges lists the edges by their names.
func (s *Service) ListEdges(ctx context.Context, p state.Page) (list state.List[hosting.Edge], err error) {
	now := s.now()
	err = s.db.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Edges.Page(tx, "name", "", p)
		if err != nil {
			return err
		}
		list, err = state.MapPage(rows, func(e state.Edge) (hosting.Edge, error) { return shown(e, now), nil })
		return err
	})
	return list, err
}

// shown is an edge as it is told of, without what its token can be checked by.
func shown(e state.Edge, now time.Time) hosting.Edge {
	out := hosting.Edge{Name: e.Name, CreatedAt: e.CreatedAt, Total: e.Total, Processes: make([]hosting.EdgeProcess, len(e.Processes))}
	for i, p := range e.Processes {
		out.Processes[i] = p.EdgeProcess
		out.Processes[i].Silent = now.Sub(p.ReportedAt) > silence
	}
	return out
}
