// Package bell is the contract of the wake-up: who changed something announces its newest
// number, who follows it awaits a greater one.
//
// A bell carries numbers, never content, and may lose them: a follower reads the truth from
// its store after each wake-up, and looks there by itself once in a while.
package bell

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ErrClosed is what Await fails with once its listener is closed.
var ErrClosed = errors.New("bell: the listener is closed")

// Topic names what changed.
type Topic string

// Routes is the topic of the routing records; its marks are (Epoch, Seq).
const Routes Topic = "routes"

// Feed is the topic of what was published of the routing records for edges elsewhere.
const Feed Topic = "feed"

// Queue is the topic of the build queue; its marks only grow.
const Queue Topic = "queue"

// Log is the topic of a deployment's log; the mark's Seq is its newest line's number.
func Log(id hosting.DeploymentID) Topic { return Topic("log/" + id) }

// Deployment is the topic of a deployment's state; the mark's Seq is its Revision.
func Deployment(id hosting.DeploymentID) Topic { return Topic("deployment/" + id) }

// Bell announces and listens. All methods may be called concurrently.
type Bell interface {
	// Announce wakes the listeners that await less than mark. A mark that is not greater
	// than the last one announced on the topic wakes nobody. It never blocks on listeners.
	Announce(ctx context.Context, topic Topic, mark hosting.Mark) error
	// Listen begins to remember the topic's marks. To miss nothing, listen first, then read
	// the store, then await what was read.
	Listen(topic Topic) Listener
}

// Listener remembers the newest mark of one topic. Its methods may be called concurrently.
type Listener interface {
	// Await returns the newest mark as soon as it is greater than after. It fails with
	// ctx's error, or with ErrClosed. Marks can be lost: give ctx a deadline,
	// and read the store when it passes.
	Await(ctx context.Context, after hosting.Mark) (hosting.Mark, error)
	// Close ends the listening. It may be repeated.
	Close()
}
