package routes

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// find fills r with what the host shows, by two Gets for a host below the domain. Whatever
// the domain cannot have as a site may still be somebody's custom domain.
func find(tx *bbolt.Tx, domain, host string, r *hosting.Resolved) (found bool, err error) {
	r.Host = host
	label, site, ok := hosting.ParseSiteHost(host, domain)
	if !ok {
		return findCustom(tx, r)
	}
	return findPointer(tx, site, hosting.PointerOf(label), r)
}

func findPointer(tx *bbolt.Tx, site, pointer string, r *hosting.Resolved) (found bool, err error) {
	found, err = get(tx, sitesBucket, []byte(site), &r.Site)
	if err != nil || !found || r.Site.State == hosting.SiteDeleted {
		return false, err
	}
	r.Production = pointer == hosting.PointerProduction
	return get(tx, pointersBucket, pointerKey(r.Site.Project, pointer), &r.Pointer)
}

// findCustom resolves a custom domain: its project's production. One that is bound to a
// redirect shows no site, which is all that a Resolved can say.
func findCustom(tx *bbolt.Tx, r *hosting.Resolved) (found bool, err error) {
	var h hosting.Host
	found, err = get(tx, hostsBucket, []byte(r.Host), &h)
	if err != nil || !found || h.Project == "" {
		return false, err
	}
	site, ok := siteOf(tx, h.Project)
	if !ok {
		return false, nil
	}
	found, err = findPointer(tx, site, hosting.PointerProduction, r)
	if err == nil && found && r.Site.Project != h.Project {
		return false, fmt.Errorf("%w: site %q is not %s's", errDamaged, site, h.Project)
	}
	return found, err
}

// siteOf returns the name of the project's site: the first one, should it have several, so
// that the answer does not depend on the order in which they came.
func siteOf(tx *bbolt.Tx, project hosting.ProjectID) (name string, ok bool) {
	prefix := nameKey(project, "")
	k, _ := tx.Bucket(namesBucket).Cursor().Seek(prefix)
	if !bytes.HasPrefix(k, prefix) {
		return "", false
	}
	return string(k[len(prefix):]), true
}
