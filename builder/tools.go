package builder

import (
	"bytes"
	"context"
	"strings"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// checkTools makes sure before anything is run that the plan's programs are installed. A
// plan with commands of the owner's alone needs none that is known.
func (a *attempt) checkTools(ctx context.Context) error {
	for _, tool := range a.plan.Tools {
		if lookPath(a.toolEnv(), tool) == "" {
			return fail(hosting.FailToolMissing, "%s is not installed on the machine that builds: install it there, or set installCommand and buildCommand", tool)
		}
	}
	if a.plan.PackageManager == "" {
		if a.job.Settings.NodeVersion != "" && a.plan.Build != "" {
			return a.checkNode(ctx)
		}
		return nil
	}
	m := a.plan.PackageManager
	if m != detect.Deno {
		if err := a.checkNode(ctx); err != nil {
			return err
		}
	}
	if lookPath(a.toolEnv(), string(m)) != "" {
		return nil
	}
	how := "npm install -g " + string(m)
	switch m {
	case detect.NPM:
		how = "apt-get install npm"
	case detect.Deno:
		how = "curl -fsSL https://deno.land/install.sh | sh"
	}
	return fail(hosting.FailToolMissing, "%s is not installed on the machine that builds: install it there with: %s", m, how)
}

func (a *attempt) checkNode(ctx context.Context) error {
	node := lookPath(a.toolEnv(), "node")
	if node == "" {
		return fail(hosting.FailToolMissing, "Node.js is not installed on the machine that builds: install it there with: apt-get install nodejs npm")
	}
	var out bytes.Buffer
	err := process{args: []string{node, "--version"}, dir: a.cfg.Dir, env: a.toolEnv(), stdout: &out, stderr: &bytes.Buffer{}}.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fail(hosting.FailToolMissing, "Node.js is installed on the machine that builds, but does not run (%v)", err)
	}
	version := strings.TrimSpace(out.String())
	a.log.say("Node.js %s", clip(version, 40))
	installed, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if wanted, _, _ := strings.Cut(a.job.Settings.NodeVersion, "."); wanted != "" && wanted != installed {
		return fail(hosting.FailToolMissing, "the setting nodeVersion asks for Node.js %s, but %s is installed: change the setting to %s, or install Node.js %s on the machine that builds",
			wanted, version, installed, wanted)
	}
	// What files ask for is often older than the project, and other versions mostly do.
	if w := a.plan.Node; w != nil && w.Major() != "" && w.Major() != installed {
		a.log.say("%s asks for Node.js %s: if the build fails with this one, have that one installed on the machine that builds", w.From, w.Version)
	}
	return nil
}

// toolEnv is for programs of the machine, which the source must not replace.
func (a *attempt) toolEnv() []string {
	return []string{"PATH=" + a.machinePath(), "HOME=" + a.path(dirHome), "LANG=C.UTF-8"}
}
