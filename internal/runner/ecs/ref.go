package ecs

import (
	"regexp"

	"github.com/scale-mesh/fairway/internal/runner"
)

// A Ref is the task's ARN, which names its cluster: a job is found again when the
// configuration has another one by now.
var arnForm = regexp.MustCompile(`^arn:aws[a-z-]{0,16}:ecs:([a-z0-9-]{1,32}):[0-9]{12}:task/([A-Za-z0-9_-]{1,255})/([a-f0-9]{32}|[a-f0-9-]{36})$`)

// place is where a task is.
type place struct{ arn, cluster string }

// parseRef reads a Ref; ok is false for those of other runners, and of other regions, whose
// tasks cannot be asked for here.
func (r *Runner) parseRef(ref runner.Ref) (at place, ok bool) {
	m := arnForm.FindStringSubmatch(string(ref))
	if m == nil || m[1] != r.config.Region {
		return place{}, false
	}
	return place{m[0], m[2]}, true
}
