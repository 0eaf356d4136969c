package process

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/scale-mesh/fairway/internal/runner"
)

// A name is a folder's name and stands in an environment: nothing else may pass for one.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// identity is what a Ref says: "name|pid|start". A pid alone is given to another process
// sooner or later; with the start time and the boot it was counted from it is not.
type identity struct {
	name  string
	pid   int    // 0: the folder is there, but no process ever had the token
	start string // as startOf tells it
}

func (i identity) ref() runner.Ref {
	return runner.Ref(i.name + "|" + strconv.Itoa(i.pid) + "|" + i.start)
}

// parseRef reads what ref wrote; ok is false for refs of other runners.
func parseRef(ref runner.Ref) (id identity, ok bool) {
	parts := strings.Split(string(ref), "|")
	if len(parts) != 3 || !validName.MatchString(parts[0]) {
		return identity{}, false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil || pid < 0 || pid == 1 {
		return identity{}, false
	}
	return identity{parts[0], pid, parts[2]}, true
}

// runs reports whether the very process that i names is still there.
func (i identity) runs() bool {
	if i.pid == 0 {
		return false
	}
	start, alive := startOf(i.pid)
	return alive && start == i.start
}
