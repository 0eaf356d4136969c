package cli

import (
	"os"
	"path/filepath"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// choice is how a folder becomes a site.
type choice struct {
	build bool
	why   string // where build is set
	dir   string // what is packed or published
	spa   bool   // fairway.json, or the framework, wants index.html for unknown paths
}

// choose looks at the folder as the builder would.
func choose(dir string, prebuilt bool) (choice, error) {
	if prebuilt {
		return choice{dir: dir}, nil
	}
	plan, err := detect.Find(os.DirFS(dir), hosting.BuildSettings{})
	if hosting.Is(err, hosting.CodeNotFound) {
		return choice{}, errorf(ExitFailed, "nothing to publish in %s", plain(dir)).
			hint("it needs an index.html, or a package.json with a build script")
	}
	if err != nil {
		return choice{}, err
	}
	if plan.Build == "" {
		return choice{dir: filepath.Join(dir, filepath.FromSlash(plan.Output)), spa: plan.Fallback == hosting.FallbackSPA}, nil
	}
	why := "it has a build"
	if len(plan.Why) > 0 {
		why = plan.Why[0]
	}
	return choice{build: true, why: why, dir: dir}, nil
}
