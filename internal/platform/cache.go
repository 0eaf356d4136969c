package platform

import (
	"path/filepath"
	"strings"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// openCache opens what stands between the sites and the object store. Where that is a folder
// of this machine nothing of it is kept twice.
func (p *Platform) openCache(c Config, blobs *blob.Store) (*blob.Cache, error) {
	cc, err := cacheConfig(c.Cache)
	if err != nil {
		return nil, err
	}
	cc.Source, cc.Dir, cc.Log = blobs, filepath.Join(c.Data, "cache"), p.log
	cc.Local = c.Role != RoleEdge && strings.HasPrefix(c.Objects, "file:")
	cache, err := blob.OpenCache(cc)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, cache.Close)
	return cache, nil
}

// cacheConfig reads how much is kept. What is not named has its default, and 0 means none.
func cacheConfig(s string) (c blob.CacheConfig, err error) {
	for _, word := range strings.Fields(s) {
		name, value, _ := strings.Cut(word, "=")
		budget := map[string]*int64{"memory": &c.MemoryBytes, "disk": &c.DiskBytes, "manifests": &c.ManifestBytes}[name]
		n, err := size(value)
		if err != nil || budget == nil {
			return c, hosting.Errorf(hosting.CodeInvalid, "cache: %q is none of its budgets", word).WithHint("write memory=256MiB disk=4GiB manifests=1GiB")
		}
		if n == 0 {
			n = -1
		}
		*budget = n
	}
	return c, nil
}
