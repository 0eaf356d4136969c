package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/feed"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// openEdge opens what the role edge has: a routing table that follows the feed, a cache, and
// the object store to fill both from.
func (p *Platform) openEdge(ctx context.Context) error {
	c := p.config
	// First of all: its file's lock keeps a second Fairway from what is made below.
	if err := p.openRoutes(bell.Feed); err != nil {
		return err
	}
	keys, err := edgeKeys(c)
	if err != nil {
		return err
	}
	objects, err := p.openObjects(ctx, c)
	if err != nil {
		return err
	}
	if err := p.openCertificates(objects, ringOf(keys), seal.Ring{}, nil); err != nil {
		return err
	}
	cache, err := p.openCache(c, blob.New(objects))
	if err != nil {
		return err
	}
	derive, err := p.openHashes(c)
	if err != nil {
		return err
	}
	if p.bell, err = p.openBell(c, bell.Feed); err != nil {
		return err
	}
	p.source = feed.NewFollower(feed.FollowerConfig{Objects: objects, Keys: keys, Dir: c.temporary(), Log: p.log})
	count, err := p.openReports(cache)
	if err != nil {
		return err
	}
	p.sites = edge.New(edge.Config{
		Router: p.routes, Manifests: cache, Blobs: cache, Log: p.log, Pages: c.pages(),
		Refresh: p.routes.Refresh, Complete: p.complete, Gate: c.gate(derive, keys...), Count: count,
	})
	return nil
}

// edgeReady says how the parts of an edge are. One that cannot read the feed serves on, with
// what it has.
func (p *Platform) edgeReady(ctx context.Context) map[string]string {
	parts := map[string]string{"feed": "ok", "routes": "ok"}
	if !p.complete() {
		parts["routes"] = "never filled"
	}
	switch head, err := p.source.Head(ctx); {
	case err != nil:
		parts["feed"] = "cannot be read"
	case head == hosting.Mark{}:
		parts["feed"] = "nothing was published in this object store, or edges are not on at the control plane"
	case p.routes.Refresh(ctx) != nil || p.routes.Mark().Compare(head) < 0:
		parts["routes"] = "behind the feed"
	}
	return parts
}

// visitPage is where visitors of sites that are for members sign in.
func (c Config) visitPage() string { return c.outside() + "/visit" }

// gate is how protected sites are opened.
func (c Config) gate(derive func(string, []byte, argon.Params) []byte, keys ...seal.Key) edge.Gate {
	return edge.Gate{
		Keys: keys, SignIn: c.visitPage(), HTTPSPort: c.HTTPSPort, Client: c.Client,
		Verify: func(_ context.Context, hash, password string) (bool, error) {
			h, err := argon.Parse(hash)
			if err != nil {
				return false, err
			}
			return h.Is(derive(password, h.Salt, h.Params)), nil
		},
	}
}

// admitter says how members come to see the sites that are for them alone.
func (p *Platform) admitter(key seal.Key) func(host string) (controlapi.Admission, bool) {
	return func(host string) (controlapi.Admission, bool) {
		r, ok := p.routes.Lookup(host)
		if !ok || r.Site.AccessOf(r.Production).Mode != hosting.AccessTeam {
			return controlapi.Admission{}, false
		}
		return controlapi.Admission{Team: r.Site.Team, URL: func(state, next string) string {
			return "https://" + r.Host + port(p.config.HTTPSPort, 443) + "/.fairway/login?" + url.Values{
				"ticket": {edge.Ticket(key, r, state, time.Now().Add(edge.TicketLife))}, "next": {next},
			}.Encode()
		}}, true
	}
}

// edgeKeysOf are the edges' keys of the platform's key and the one before it.
func edgeKeysOf(ring seal.Ring) (keys []seal.Key) {
	for _, k := range ring.Keys() {
		keys = append(keys, edgeKeyOf(k))
	}
	return keys
}

// ringOf is what edges, too, seal and open with. There is always one key.
func ringOf(keys []seal.Key) seal.Ring { return seal.NewRing(keys[0], keys[1:]...) }

// edgeKeyOf is the one secret of the platform that edges have: it authenticates the feed, and
// from it nothing else can be learned.
func edgeKeyOf(key seal.Key) seal.Key { return key.Derive("edge") }

func (c Config) edgeKeyFile() string { return filepath.Join(c.Data, "edge-key") }

// temporary is where large files wait.
func (c Config) temporary() string { return filepath.Join(c.Data, "tmp") }

// keepEdgeKey leaves the edges' key where the operator finds it to copy.
func keepEdgeKey(path string, key seal.Key) error {
	if there, err := seal.ReadFile(path); err == nil && there == key {
		return nil
	}
	return key.WriteFile(path)
}

// edgeKeys reads the edges' key, and during a rotation the one before it. None is made: only
// the control plane can.
func edgeKeys(c Config) ([]seal.Key, error) {
	var keys []seal.Key
	for _, from := range []struct{ field, address string }{{"key", c.Key}, {"old_key", c.OldKey}} {
		if from.address == "" {
			continue
		}
		scheme, path, err := address(from.field, from.address, "file", "env")
		if err != nil {
			return nil, err
		}
		var key seal.Key
		if scheme == "env" {
			key, err = keyOfEnv(c, path)
		} else {
			key, err = seal.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, hosting.Errorf(hosting.CodeInvalid, "there is no edge key in %s", path).
				WithHint("copy the file edge-key from the data folder of the control plane")
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// openNode reads the name by which this process holds leases, and makes it at the first start.
// It belongs to the data folder, which one process at a time has.
func openNode(path string) (string, error) {
	b, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(b)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the name of this process: %w", err)
	}
	name := seal.NewToken()
	if err := seal.WriteSecret(path, []byte(name+"\n")); err != nil {
		return "", fmt.Errorf("make a name for this process: %w", err)
	}
	return name, nil
}
