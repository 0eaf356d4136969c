// Package runner is the contract of whatever runs build jobs: local processes, or ECS tasks.
//
// The life of a job: Start puts it on its way and names it by a Ref; it then speaks the job
// protocol with control on its own. Control asks Inspect only about jobs whose heartbeats
// stay away, and after a restart. Stop ends a job that was canceled, timed out or replaced.
// A runner keeps no state that it cannot find again after a crash of its process.
package runner

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Runner runs jobs. All methods may be called concurrently.
type Runner interface {
	// Start starts the job and returns when it is on its way, not when it ends. For the
	// same Name it starts at most one job ever: repeated, it returns the Ref of the first.
	// CodeUnavailable means that nothing was started and that it may be tried again.
	Start(ctx context.Context, spec Spec) (Ref, error)
	// Inspect tells how each of the jobs fares, in the order of refs.
	Inspect(ctx context.Context, refs []Ref) ([]State, error)
	// Stop ends the job and all it started: first asked, then, after a grace of at most 10
	// seconds, killed. It returns when nothing of it runs any more. A job that has ended or
	// is unknown is no error. What the job left on the runner's disk is removed.
	Stop(ctx context.Context, ref Ref) error
}

// Lister is implemented by runners that can name all their jobs, ended ones included until
// they are stopped, so that jobs without a record can be found and ended.
type Lister interface {
	List(ctx context.Context) ([]Job, error)
}

// Job is one entry of a Lister.
type Job struct {
	Name string
	Ref  Ref
}

// Ref names a job to the runner that started it. It survives restarts of control.
type Ref string

// Spec is what a runner must know to start a job. It holds one secret, the token.
type Spec struct {
	// Name is unique to the attempt.
	Name string
	// Deployment is the job's id in the job protocol.
	Deployment hosting.DeploymentID
	// API is the address of the job protocol: "unix:///path" or "https://host".
	API string
	// Token authorizes this attempt, and nothing else. It is never an argument.
	Token string
	// Spot says that the job may run on capacity that can be taken back while it runs, where
	// the runner has such.
	Spot bool
}

// Phase says how a job fares.
type Phase string

// The phases of a job as its runner sees it.
const (
	Starting Phase = "starting" // on its way: a machine is found for it, or its image loaded
	Running  Phase = "running"
	Exited   Phase = "exited"
	Gone     Phase = "gone" // the runner knows nothing of it: it never started, or is long over
)

// State is the answer of Inspect.
type State struct {
	Phase Phase
	// Reason says in words why an Exited job ended, where the runner knows: "killed by
	// signal 9 (out of memory?)"; or what a Starting one waits for: "PENDING".
	Reason string
}
