package controlapi

import "github.com/scale-mesh/fairway/internal/hosting"

// rule says who may ask for a route, and how often. It stands where the route is registered,
// and the door asks it once. The zero rule is granted to nobody.
type rule struct {
	// may is what a caller needs, unless the route is open, a job's or an edge's.
	may hosting.Permission
	// job routes take the token of the attempt that their path names, and nothing else.
	job bool
	// edge routes take an edge's token, and nothing else.
	edge bool
	// open routes answer everybody. Whoever is known is known there, too.
	open bool
	// class is what a request counts as, besides being one of the API.
	class limitClass
	// unlimited routes are not counted.
	unlimited bool
	// upload routes stream their body, and take no idempotency key.
	upload bool
	// setup marks what answers before the installation has an owner.
	setup bool
}

// own reports whether the route takes a token that is good for nothing else: who asks is no
// person, and in no team.
func (r rule) own() bool { return r.job || r.edge }

// limitClass is a kind of requests that are counted together.
type limitClass int

const (
	classAPI       limitClass = iota // every request
	classAuth                        // sign up, sign in, links: what guesses secrets, or costs a hash
	classDeploys                     // what starts builds
	classLogs                        // reading and following logs
	classSensitive                   // passwords, tokens, invitations, roles, variables, deletions
	limitClasses   = iota            // how many there are
)

// String names the class in settings and in the RateLimit headers.
func (c limitClass) String() string {
	return [limitClasses]string{"api", "auth", "deploys", "logs", "sensitive"}[c]
}

// isWrite reports whether a method may change something (RFC 9110, section 9.2.1).
func isWrite(method string) bool {
	return method != "GET" && method != "HEAD" && method != "OPTIONS"
}
