//go:build crashpoints

package crash

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	point, left = plan(os.Getenv("FAIRWAY_CRASH"))
	skipped     = os.Getenv("FAIRWAY_SKIP")
)

// At kills the process when the planned point is passed for the planned time.
func At(name string) {
	if name == point && left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// Skip reports whether the step is to be left out.
func Skip(name string) bool { return name == skipped }

// plan reads "point:n".
func plan(s string) (string, *atomic.Int64) {
	var n atomic.Int64
	name, times, _ := strings.Cut(s, ":")
	v, err := strconv.ParseInt(times, 10, 64)
	if err != nil {
		v = 1
	}
	n.Store(v)
	return name, &n
}
