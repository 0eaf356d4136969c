package deploy

import "github.com/scale-mesh/fairway/internal/hosting"

// live says which lines of a log are shown to somebody who follows it: all that a person could
// read, and of a build that prints more for longer than a moment so many a second. The log has
// all of them. Time is that of the lines, so that neither a batch that comes late nor a reader
// who is slow makes a gap. That clock is the job's, which can only spoil its own log.
type live struct {
	rate   int64 // lines a second; 0 shows all
	left   int64 // thousandths of lines that may be shown
	at     int64 // time of the line before, in milliseconds
	hiding bool
	own    *live // of Fairway's own lines, which a job can write, too
}

const (
	// liveBurst is how many seconds' lines may come at once.
	liveBurst = 2
	// liveStep is, in milliseconds, for how long lines are hidden at least, once they are: gaps
	// of a few lines each would be no better than the lines.
	liveStep = 500
	// liveOwn is how many of Fairway's own lines are shown a second: far more than there are.
	liveOwn = 100
)

// shows is asked for every line once, in their order. Fairway's own lines are few, and not counted
// among the build's.
func (v *live) shows(line *hosting.LogLine) bool {
	switch {
	case v.rate == 0:
		return true
	case line.Stream != "sys":
		return v.admits(line)
	case v.own == nil:
		v.own = &live{rate: liveOwn, left: liveBurst * 1000 * liveOwn}
	}
	return v.own.admits(line)
}

// admits takes the line from what may be shown, if there is any.
func (v *live) admits(line *hosting.LogLine) bool {
	passed := min(max(0, line.At-v.at), liveBurst*1000)
	v.at = line.At
	v.left = min(v.left+passed*v.rate, liveBurst*1000*v.rate)
	if v.hiding {
		v.hiding = v.left < liveStep*v.rate
	} else {
		v.hiding = v.left < 1000
	}
	if v.hiding {
		return false
	}
	v.left -= 1000
	return true
}
