package file

import (
	"maps"
	"path"
)

// notes is what has to be synced, each with the number of the Put that noted it last: a sync
// only settles what was not noted again since. Store.tree guards it.
type notes struct {
	files map[string]uint64
	dirs  map[string]uint64
	seq   uint64
}

func newNotes() notes {
	return notes{files: make(map[string]uint64), dirs: make(map[string]uint64)}
}

// put notes an object and all folders above it, even those that were there: they may be
// there without being durable.
func (n *notes) put(key string, synced bool) {
	n.seq++
	if synced {
		delete(n.files, key)
	} else {
		n.files[key] = n.seq
	}
	for dir := path.Dir(key); ; dir = path.Dir(dir) {
		n.dirs[dir] = n.seq
		if dir == "." {
			return
		}
	}
}

func (n *notes) deleted(key string) { delete(n.files, key) }

func (n *notes) copy() (files, dirs map[string]uint64) {
	return maps.Clone(n.files), maps.Clone(n.dirs)
}
