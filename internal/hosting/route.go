package hosting

import "cmp"

// Mark orders every change of routes: the Seq within an Epoch. A restore or a copy of the
// state begins a new Epoch, so that "never back" does not become "never again".
type Mark struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Compare returns -1, 0 or 1 as m is before, at or after o.
func (m Mark) Compare(o Mark) int {
	if c := cmp.Compare(m.Epoch, o.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(m.Seq, o.Seq)
}

// SiteState says whether a site is served.
type SiteState string

// The states of a site.
const (
	SiteActive    SiteState = "active"
	SiteSuspended SiteState = "suspended"
	SiteDeleted   SiteState = "deleted" // its name is held until HeldUntil
)

// Site is one name below the platform's domain, and the project it belongs to.
type Site struct {
	Name      string    `json:"name"`
	Project   ProjectID `json:"project"`
	Team      TeamID    `json:"team"`
	State     SiteState `json:"state"`
	HeldUntil int64     `json:"heldUntil,omitempty"` // Unix seconds; 0 unless deleted

	Production Access `json:"production,omitzero"` // who may see the production hosts
	Previews   Access `json:"previews,omitzero"`   // who may see the others
	// Seq is that of the change that wrote the record: what was signed for another is void.
	Seq uint64 `json:"seq,omitempty"`
}

// Pointer says which deployment a project shows under one name (see PointerOf).
type Pointer struct {
	Project    ProjectID    `json:"project"`
	Name       string       `json:"name"`
	Deployment DeploymentID `json:"deployment"`
	Manifest   Digest       `json:"manifest"`
	// Order is the deployment's number within its project; automatic activation only
	// ever moves a pointer to a greater one.
	Order uint64 `json:"order"`
	// Pinned is set by a roll back: later deployments do not move the pointer until
	// somebody promotes the newest.
	Pinned bool `json:"pinned,omitempty"`
	// Trail names what the pointer showed lately and no longer does (manifest.Trail): files
	// that pages which are still open may ask for. Zero for none.
	Trail Digest `json:"trail,omitzero"`
}

// Host is a custom domain, bound to a project's production pointer or to a redirect.
type Host struct {
	Name     string    `json:"name"`
	Project  ProjectID `json:"project,omitempty"`
	Redirect string    `json:"redirect,omitempty"`
}

// Change is what one transaction changed in the routing records, whole: a record that is
// in it replaces the one of its key, a key in the Deleted lists goes.
type Change struct {
	Mark            Mark         `json:"mark"`
	Sites           []Site       `json:"sites,omitempty"`
	Pointers        []Pointer    `json:"pointers,omitempty"`
	Hosts           []Host       `json:"hosts,omitempty"`
	DeletedPointers []PointerKey `json:"deletedPointers,omitempty"`
	DeletedSites    []string     `json:"deletedSites,omitempty"`
	DeletedHosts    []string     `json:"deletedHosts,omitempty"`
}

// PointerKey names a pointer.
type PointerKey struct {
	Project ProjectID `json:"project"`
	Name    string    `json:"name"`
}

// Resolved is what a host shows: the answer of the routing table. It is shared between
// requests; nobody writes to it.
type Resolved struct {
	Host       string
	Site       Site
	Pointer    Pointer
	Production bool // the host is production's, not a preview's or a deployment's own
	Mark       Mark // the table's mark when it was read
}
