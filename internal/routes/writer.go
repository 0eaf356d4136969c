package routes

import (
	"log/slog"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// writer writes routing records in one transaction. A record that is not well formed is left
// out and logged, and its last good version stays: one bad record must not stop the others.
type writer struct {
	tx      *bbolt.Tx
	log     *slog.Logger
	last    *file                      // where last good versions are, if they are not in tx already
	touched map[hosting.ProjectID]bool // projects whose hosts may now show something else
}

// change writes a Change, in the order in which the state store applied it.
func (w *writer) change(c *hosting.Change) error {
	for i := range c.Sites {
		if err := w.site(&c.Sites[i]); err != nil {
			return err
		}
	}
	for i := range c.Pointers {
		if err := w.pointer(&c.Pointers[i]); err != nil {
			return err
		}
	}
	for i := range c.Hosts {
		if err := w.host(&c.Hosts[i]); err != nil {
			return err
		}
	}
	return w.deletions(c)
}

func (w *writer) deletions(c *hosting.Change) error {
	for _, k := range c.DeletedPointers {
		w.touched[k.Project] = true
		if err := w.tx.Bucket(pointersBucket).Delete(pointerKey(k.Project, k.Name)); err != nil {
			return err
		}
	}
	for _, name := range c.DeletedSites {
		if err := w.unname(name); err != nil {
			return err
		}
		if err := w.tx.Bucket(sitesBucket).Delete([]byte(name)); err != nil {
			return err
		}
	}
	for _, name := range c.DeletedHosts {
		if err := w.unbind(name); err != nil {
			return err
		}
		if err := w.tx.Bucket(hostsBucket).Delete([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) site(s *hosting.Site) error {
	if why := badSite(s); why != "" {
		w.quarantine("site", s.Name, why)
		if s = lastGood[hosting.Site](w, sitesBucket, []byte(s.Name)); s == nil {
			return nil
		}
	}
	if err := w.unname(s.Name); err != nil {
		return err
	}
	w.touched[s.Project] = true
	if s.State != hosting.SiteDeleted {
		if err := w.tx.Bucket(namesBucket).Put(nameKey(s.Project, s.Name), []byte{}); err != nil {
			return err
		}
	}
	return put(w.tx, sitesBucket, []byte(s.Name), s)
}

func (w *writer) pointer(p *hosting.Pointer) error {
	if why := badPointer(p); why != "" {
		w.quarantine("pointer", string(p.Project)+"/"+p.Name, why)
		if p = lastGood[hosting.Pointer](w, pointersBucket, pointerKey(p.Project, p.Name)); p == nil {
			return nil
		}
	}
	w.touched[p.Project] = true
	return put(w.tx, pointersBucket, pointerKey(p.Project, p.Name), p)
}

func (w *writer) host(h *hosting.Host) error {
	if why := badHost(h); why != "" {
		w.quarantine("host", h.Name, why)
		if h = lastGood[hosting.Host](w, hostsBucket, []byte(h.Name)); h == nil {
			return nil
		}
	}
	if err := w.unbind(h.Name); err != nil {
		return err
	}
	w.touched[h.Project] = true
	return put(w.tx, hostsBucket, []byte(h.Name), h)
}

// unname takes the site that has the name until now out of the index of its project, which
// may be another one than the next.
func (w *writer) unname(name string) error {
	var old hosting.Site
	found, err := get(w.tx, sitesBucket, []byte(name), &old)
	if err != nil || !found {
		return err
	}
	w.touched[old.Project] = true
	return w.tx.Bucket(namesBucket).Delete(nameKey(old.Project, name))
}

// unbind notes the project that the custom domain showed until now.
func (w *writer) unbind(name string) error {
	var old hosting.Host
	found, err := get(w.tx, hostsBucket, []byte(name), &old)
	if err == nil && found {
		w.touched[old.Project] = true
	}
	return err
}

// lastGood returns the last good version of a bad record, nil if there is none or it is there
// already. Only a snapshot, which begins with nothing, has to bring it along.
func lastGood[T any](w *writer, bucket, key []byte) *T {
	if w.last == nil {
		return nil
	}
	v, found := new(T), false
	err := w.last.view(func(tx *bbolt.Tx) (err error) {
		found, err = get(tx, bucket, key, v)
		return err
	})
	if err != nil || !found {
		return nil // the old file may be the reason for the snapshot
	}
	return v
}

func (w *writer) quarantine(kind, name, why string) {
	w.log.Error("a bad routing record is left out; its last good version stays", "kind", kind, "name", name, "why", why)
}
