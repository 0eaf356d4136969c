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
