package hosting

// AccessMode says who may see the hosts of a site.
type AccessMode string

// The modes of access. An absent one is AccessPublic.
const (
	AccessPublic   AccessMode = "public"
	AccessPassword AccessMode = "password" // who knows the site's password
	AccessTeam     AccessMode = "team"     // who is signed in and a member of its team
)

// Access is who may see some of a site's hosts. It travels with the Site, so that an edge can
// decide by itself.
type Access struct {
	Mode AccessMode `json:"mode,omitempty"`
	// Hash is the password's, as a PHC string of argon2id; only with AccessPassword.
	Hash string `json:"hash,omitempty"`
}

// IsPublic reports whether everybody may see it. A mode that is not known is not public.
func (a Access) IsPublic() bool { return a.Mode == "" || a.Mode == AccessPublic }

// AccessOf is who may see the site's production hosts, or its previews: everything else that
// shows one of its deployments.
func (s *Site) AccessOf(production bool) Access {
	if production {
		return s.Production
	}
	return s.Previews
}

// ProjectAccess is who may see a project's site, without its passwords.
type ProjectAccess struct {
	Production AccessMode `json:"production" enum:"public,password,team" doc:"Who may see the production hosts"`
	Previews   AccessMode `json:"previews" enum:"public,password,team" doc:"Who may see everything else that shows one of its deployments"`
}

// Access is what is told of a site's access.
func (s *Site) Access() ProjectAccess {
	return ProjectAccess{Production: s.Production.mode(), Previews: s.Previews.mode()}
}

func (a Access) mode() AccessMode {
	if a.Mode == "" {
		return AccessPublic
	}
	return a.Mode
}

// AccessUpdate changes what is not nil.
type AccessUpdate struct {
	Production *AccessChange `json:"production,omitempty"`
	Previews   *AccessChange `json:"previews,omitempty"`
}

// AccessChange is who may see some hosts from now on.
type AccessChange struct {
	Mode AccessMode `json:"mode" enum:"public,password,team"`
	// Password is only for AccessPassword, and may be absent where there is one already.
	Password string `json:"password,omitempty" maxLength:"256" doc:"At least 8 characters; where it is absent the password stays that there is"`
}

// The length of a site's password, in bytes.
const (
	MinSitePassword = 8
	MaxSitePassword = 256
)

// Check says whether the change is well formed.
func (c *AccessChange) Check() error {
	switch c.Mode {
	case AccessPublic, AccessTeam:
		if c.Password != "" {
			return Errorf(CodeInvalid, "a password is for the mode password alone")
		}
	case AccessPassword:
		if n := len(c.Password); n != 0 && (n < MinSitePassword || n > MaxSitePassword) {
			return Errorf(CodeInvalid, "a site's password has %d to %d characters", MinSitePassword, MaxSitePassword)
		}
	default:
		return Errorf(CodeInvalid, "nobody knows who may see a site in the mode %q", clip(string(c.Mode), 20)).WithHint("say public, password or team")
	}
	return nil
}
