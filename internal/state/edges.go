package state

import (
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Edge is an edge's token as stored, under the SHA-256 of its secret, and what was reported
// with it.
type Edge struct {
	Hash      string          `json:"hash"`
	Name      string          `json:"name"`
	CreatedAt time.Time       `json:"createdAt"`
	Total     hosting.Traffic `json:"total"`
	Processes []EdgeProcess   `json:"processes,omitempty"`
}

// EdgeProcess is one edge that reports with a token. Boot and Number are those of the last
// batch that is in its sums, and in the token's.
type EdgeProcess struct {
	hosting.EdgeProcess
	Boot   string `json:"boot"`
	Number uint64 `json:"number"`
}

var edges = &Table[Edge]{
	Name: "edge", Version: 1, Key: byID(func(e *Edge) string { return e.Hash }),
	Indexes: []Index[Edge]{unique("name", func(e *Edge) Key { return K(e.Name) })},
}
