// Package logs is the contract of the store that holds deployments' logs while they run:
// numbered lines, appended in batches, read after a number.
//
// A log belongs to one deployment. Its lines have the numbers 1, 2, 3, ... without gaps.
// Only one attempt writes at a time, but it may repeat a batch whose answer was lost.
package logs

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Store keeps logs. All methods may be called concurrently; appends to one log are serial.
type Store interface {
	// Append stores the lines, the first of which has the number first, and returns the
	// number that is awaited next. Lines that are there already are skipped, so a batch may
	// be repeated. A batch that would leave a gap is stored not at all: the answer names
	// the number to go on with. When Append returns, the lines before next survive a crash
	// of the process and, for stores on disk, of the machine.
	Append(ctx context.Context, id hosting.DeploymentID, first int64, lines []hosting.LogLine) (next int64, err error)
	// Next returns the number that is awaited next, 1 for a log that does not exist.
	Next(ctx context.Context, id hosting.DeploymentID) (int64, error)
	// Read returns up to limit lines with numbers greater than after, in order. An empty
	// answer means that there are none yet.
	Read(ctx context.Context, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error)
	// Delete removes a log; an absent one is no error.
	Delete(ctx context.Context, id hosting.DeploymentID) error
}

// Archiver is what a Store may be, too, whose newest lines only its server holds.
type Archiver interface {
	// Archive makes the log's lines outlive that server, and returns the number behind them:
	// a number smaller than one that Append answered says that the lines from there on are
	// lost, and to be appended again.
	Archive(ctx context.Context, id hosting.DeploymentID) (next int64, err error)
}
