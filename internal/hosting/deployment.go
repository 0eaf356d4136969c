package hosting

import "time"

// Status is the state of a deployment, spelled as the API spells it.
type Status string

// The states of a deployment.
const (
	StatusNotStarted Status = "NOT_STARTED" // its upload is awaited
	StatusQueued     Status = "QUEUED"
	StatusInProgress Status = "IN_PROGRESS"
	StatusReady      Status = "READY"
	StatusFail       Status = "FAIL"
	StatusCanceled   Status = "CANCELED"
	StatusSkipped    Status = "SKIPPED"
)

// next lists which state may follow which. QUEUED follows IN_PROGRESS when an attempt was
// lost and another one begins.
var next = map[Status][]Status{
	"":               {StatusNotStarted, StatusQueued},
	StatusNotStarted: {StatusQueued, StatusInProgress, StatusFail, StatusCanceled, StatusSkipped},
	StatusQueued:     {StatusInProgress, StatusFail, StatusCanceled, StatusSkipped},
	StatusInProgress: {StatusQueued, StatusReady, StatusFail, StatusCanceled, StatusSkipped},
}

// Terminal reports whether nothing follows s.
func (s Status) Terminal() bool { return s != "" && len(next[s]) == 0 }

// Phase is the step that a deployment IN_PROGRESS is at.
type Phase string

// The phases, in order.
const (
	PhaseProvisioning Phase = "provisioning"
	PhaseCloning      Phase = "cloning"
	PhaseInstalling   Phase = "installing"
	PhaseBuilding     Phase = "building"
	PhaseUploading    Phase = "uploading"
	PhaseFinalizing   Phase = "finalizing"
)

var phases = []Phase{PhaseProvisioning, PhaseCloning, PhaseInstalling, PhaseBuilding, PhaseUploading, PhaseFinalizing}

// Number returns the phase's place in the order, from 1; 0 for what is no phase.
func (p Phase) Number() int {
	for i, q := range phases {
		if p == q {
			return i + 1
		}
	}
	return 0
}

// Target says whether a deployment is meant for production.
type Target string

// The targets.
const (
	TargetProduction Target = "production"
	TargetPreview    Target = "preview"
)

// Reasons why a deployment failed, its Code. The first group is for its owner to mend; of
// the second, "lost" is tried again.
const (
	FailRepositoryNotFound = "repository_not_found"
	FailRefNotFound        = "ref_not_found"
	FailSourceRefused      = "source_refused"
	FailSourceInvalid      = "source_invalid"
	FailToolMissing        = "tool_missing"
	FailNoPlan             = "nothing_to_build"
	FailInstall            = "install_failed"
	FailBuild              = "build_failed"
	FailOutputMissing      = "output_missing"
	FailOutputEmpty        = "output_empty"
	FailOutputInvalid      = "output_invalid" // a name that is not UTF-8, a link that leaves the folder, ...
	FailTooLarge           = "too_large"
	FailTimeout            = "timeout"
	FailUpload             = "upload_incomplete"
	FailQuota              = "quota"          // the team's bytes
	FailSandbox            = "sandbox_needed" // builds of several people, and nothing that keeps them apart
	FailNoBuilds           = "builds_off"     // the installation builds nothing

	FailLost        = "lost"
	FailStorageFull = "storage_full"
	FailInternal    = "internal"
)

// Deployment is one attempt to make a project's source into a site: immutable once READY.
type Deployment struct {
	ID      DeploymentID `json:"id"`
	Project ProjectID    `json:"project"`
	Team    TeamID       `json:"team"`
	Label   string       `json:"label" doc:"Left label of the deployment's own host"`
	URL     string       `json:"url,omitempty" doc:"The deployment's own address, once it is READY"` // computed
	SiteURL string       `json:"siteURL,omitempty" doc:"Where its project's production is served"`   // computed
	// Production reports whether visitors of the site see it now (computed).
	Production bool          `json:"production" doc:"Whether the site shows it now"`
	Pinned     bool          `json:"pinned,omitempty" doc:"It did not go live because production was rolled back; promote it to go on"`
	Target     Target        `json:"target" enum:"production,preview"`
	Source     Source        `json:"source"`
	Settings   BuildSettings `json:"settings"`
	Status     Status        `json:"status" enum:"NOT_STARTED,QUEUED,IN_PROGRESS,READY,FAIL,CANCELED,SKIPPED"`
	Phase      Phase         `json:"phase,omitempty"`
	Code       string        `json:"code,omitempty" doc:"Why it failed, for programs"`
	Reason     string        `json:"reason,omitempty" doc:"Why it failed, for people"`
	Attempt    int           `json:"attempt"`
	Order      uint64        `json:"order" doc:"Number of the deployment within its project"`
	Files      int           `json:"files,omitempty"`
	Bytes      int64         `json:"bytes,omitempty"`
	Framework  string        `json:"framework,omitempty" doc:"Preset that the build detected"`
	Manifest   Digest        `json:"manifest,omitzero"`
	CreatedBy  string        `json:"createdBy"`
	CreatedAt  time.Time     `json:"createdAt"`
	StartedAt  time.Time     `json:"startedAt,omitzero"`
	FinishedAt time.Time     `json:"finishedAt,omitzero"`
	// LogDeletedAt is when its log was deleted, since it had been kept for as long as logs are.
	LogDeletedAt time.Time `json:"logDeletedAt,omitzero" doc:"When its log was deleted, after as long as logs are kept"`
	// Revision grows with every stored change; followers await a greater one.
	Revision uint64 `json:"revision"`
}

// Advance moves d to another state. It is the only function that does: it refuses what
// may not follow, sets the times, and clears what belongs to the state it leaves.
func (d *Deployment) Advance(to Status, now time.Time) error {
	allowed := false
	for _, s := range next[d.Status] {
		allowed = allowed || s == to
	}
	if !allowed {
		return Errorf(CodeConflict, "the deployment is %s and cannot become %s", d.Status, to)
	}
	d.Status = to
	d.Revision++
	switch {
	case to == StatusInProgress:
		d.Attempt++
		d.Phase = PhaseProvisioning
		d.StartedAt = now
	case to == StatusQueued:
		d.Phase = ""
	case to.Terminal():
		d.Phase = ""
		d.FinishedAt = now
	}
	return nil
}

// Enter moves a deployment IN_PROGRESS to a phase. Phases only go forward within an
// attempt; an earlier one is ignored, since heartbeats can overtake each other. It reports
// whether d changed.
func (d *Deployment) Enter(p Phase) bool {
	if d.Status != StatusInProgress || p.Number() <= d.Phase.Number() {
		return false
	}
	d.Phase = p
	d.Revision++
	return true
}

// NewDeployment is the input of POST /deploy. Either a project is named, or a Git URL, for
// which a project is found or made.
type NewDeployment struct {
	Project  string     `json:"project,omitempty" doc:"Id or slug of the project" maxLength:"100"`
	GitURL   string     `json:"gitURL,omitempty" doc:"Repository to deploy; its project is made when there is none" maxLength:"2000"`
	Ref      string     `json:"ref,omitempty" doc:"Branch, tag or commit; the production branch when absent" maxLength:"250"`
	Target   Target     `json:"target,omitempty" doc:"production when absent" enum:"production,preview"`
	Source   SourceKind `json:"source,omitempty" doc:"git when absent; archive and files wait for their upload" enum:"git,archive,files"`
	Fallback Fallback   `json:"fallback,omitempty" doc:"For source files: what is shown for a path that has no file" enum:"none,spa"`
}

// Upload is how the files of a deployment in NOT_STARTED are brought: with this token, by
// the job protocol (kind files) or by one PUT of the archive (kind archive).
type Upload struct {
	Token string `json:"token"`
}
