package usage

import (
	"slices"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// maxProcesses bounds the edges that share a token.
const maxProcesses = 100

// add puts a report into its token's row. A batch that is in the sums already is not added
// again: an edge whose answer was lost sends it once more, under the same name.
func (s *Service) add(tx state.Tx, w *incoming) error {
	row, ok, err := s.sys.Edges.Find(tx, state.K(w.hash))
	if err != nil {
		return err
	}
	if !ok {
		return errEdgeToken
	}
	r, now := w.report, s.now().UTC()
	p := process(&row, r.Node)
	if r.Batch.Boot != p.Boot || r.Batch.Number > p.Number {
		for _, c := range r.Batch.Counts {
			row.Total, p.Traffic = row.Total.Add(c.Traffic), p.Traffic.Add(c.Traffic)
		}
		p.Boot, p.Number = r.Batch.Boot, r.Batch.Number
	}
	p.Host, p.Release, p.Mark, p.Held, p.ReportedAt = r.Host, r.Release, r.Mark, r.Held, now
	p.Ahead = int64(r.Clock.Sub(now).Round(time.Second) / time.Second)
	if p.Lag, err = s.sys.Lag(tx, r.Mark, now); err != nil {
		return err
	}
	return s.sys.Edges.Put(tx, &row)
}

// process returns the row's edge with the name, which it makes where there is none. Of too many
// the one that was silent for longest goes; what it brought stays in the row's sums.
func process(row *state.Edge, node string) *state.EdgeProcess {
	i := slices.IndexFunc(row.Processes, func(p state.EdgeProcess) bool { return p.Node == node })
	if i >= 0 {
		return &row.Processes[i]
	}
	fresh := state.EdgeProcess{EdgeProcess: hosting.EdgeProcess{Node: node}}
	if len(row.Processes) < maxProcesses {
		row.Processes = append(row.Processes, fresh)
		return &row.Processes[len(row.Processes)-1]
	}
	oldest := &row.Processes[0]
	for i := range row.Processes {
		if row.Processes[i].ReportedAt.Before(oldest.ReportedAt) {
			oldest = &row.Processes[i]
		}
	}
	*oldest = fresh
	return oldest
}
