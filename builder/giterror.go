package builder

import (
	"errors"
	"fmt"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// gitError is a failure of git that no rule explains.
type gitError struct {
	err    error
	stderr string
}

func (e *gitError) Error() string { return fmt.Sprintf("git: %v: %s", e.err, e.gist()) }
func (e *gitError) Unwrap() error { return e.err }

// gist returns the line that git said last, without its prefix.
func (e *gitError) gist() string {
	lines := strings.Split(strings.TrimSpace(e.stderr), "\n")
	for _, l := range lines {
		if l, ok := strings.CutPrefix(l, "fatal: "); ok {
			return clip(oneLine(l), 200)
		}
	}
	return clip(oneLine(lines[len(lines)-1]), 200)
}

// reason is the gist for whoever knows nothing of the proxy that git speaks through: it
// answers 502 where the host has no address or does not answer.
func (e *gitError) reason() string {
	if strings.Contains(e.stderr, "returned error: 502") || strings.Contains(e.stderr, "response 502") {
		return "its host cannot be reached: check the address, and whether the host answers"
	}
	return e.gist()
}

// gitRule explains what git says, in the C locale, when it fails.
type gitRule struct {
	says   string
	code   string
	reason string // with the repository's address for %s
}

func gitRules() []gitRule {
	const private = "%s does not exist, or is private: Fairway fetches public repositories without a login"
	return []gitRule{
		{"could not read Username", hosting.FailRepositoryNotFound, private},
		{"could not read Password", hosting.FailRepositoryNotFound, private},
		{"Authentication failed", hosting.FailRepositoryNotFound, private},
		{"returned error: 401", hosting.FailRepositoryNotFound, private},
		{"returned error: 403", hosting.FailRepositoryNotFound, private},
		{"' not found", hosting.FailRepositoryNotFound, private},
		{"returned error: 404", hosting.FailRepositoryNotFound, private},
		{"is this a git repository?", hosting.FailRepositoryNotFound, "%s answers, but is no Git repository: check the address"},
		{"couldn't find remote ref HEAD", hosting.FailRefNotFound, "%s has no commit yet"},
		{"couldn't find remote ref", hosting.FailRefNotFound, "%s has no such branch, tag or commit"},
		{"not our ref", hosting.FailRefNotFound, "%s has no such commit"},
		{"unadvertised object", hosting.FailRefNotFound, "%s has no such commit"},
		{"no such remote ref", hosting.FailRefNotFound, "%s has no such commit"},
		{"fsck error", hosting.FailSourceInvalid, "%s holds objects that git's own check refuses"},
		{"transport 'http' not allowed", hosting.FailSourceRefused, "%s leads to an address without https, which is not admitted"},
		{"not allowed", hosting.FailSourceRefused, "%s leads to a protocol that is not admitted"},
		{"No space left on device", hosting.FailStorageFull, "the machine that builds has no space left for %s"},
	}
}

// classify turns a failure into one that its owner understands, where it can.
func (c *clone) classify(err error, stderr string) error {
	if refused := c.proxy.Refused(); len(refused) > 0 {
		return fail(hosting.FailSourceRefused, "%s may not be fetched: %s", c.source.URL, refused[0])
	}
	for _, r := range gitRules() {
		if strings.Contains(stderr, r.says) {
			return fail(r.code, r.reason, c.source.URL)
		}
	}
	return &gitError{err: err, stderr: stderr}
}

func isFailure(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}
