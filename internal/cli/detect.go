package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) detect() *cobra.Command {
	var settings hosting.BuildSettings
	return a.command(spec{
		use:   "detect [DIR]",
		short: "Show how a folder would be built, and why",
		example: `
fairway detect
fairway detect site --root apps/web
fairway detect --json`,
		long: `
Nothing is built, and no Fairway is asked: what a project's settings say is left out.
A repository has to be cloned first.`,
		max: 1,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&settings.RootDir, "root", "", "the folder `DIR` of it that holds the project")
		},
		run: func(_ context.Context, s *session, args []string) error {
			dir := s.env.Dir
			if len(args) > 0 {
				dir = s.absolute(args[0])
			}
			plan, err := s.detect(dir, settings)
			if err != nil {
				return err
			}
			if s.json {
				return s.document(plan)
			}
			return s.plan(plan)
		},
	})
}

// detect makes the plan as a build would, which follows no link out of the source.
func (s *session) detect(dir string, settings hosting.BuildSettings) (plan detect.Plan, err error) {
	if err := checkFolder(dir); err != nil {
		return plan, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return plan, fmt.Errorf("open the folder %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return detect.Find(root.FS(), settings)
}

// plan prints the reasons, and then what they came to.
func (s *session) plan(p detect.Plan) error {
	for _, why := range p.Why {
		s.say("%s", plain(why))
	}
	t := &table{heads: []string{"", "PLAN"}, flexible: 1}
	row := func(what, value string) {
		if value != "" {
			t.row(cell{text: what}, cell{text: plain(value)})
		}
	}
	row("framework", p.Framework)
	if p.Root != "." {
		row("in", p.Root)
	}
	if p.Node != nil {
		row("node", p.Node.Version)
	}
	for _, tool := range p.Tools {
		row("needs", tool)
	}
	row("install", p.Install)
	if p.InstallRoot != "" && p.InstallRoot != p.Root {
		row("install in", p.InstallRoot)
	}
	row("build", p.Build)
	switch {
	case p.Output != "":
		row("publish", filepath.FromSlash(path.Join(p.Root, p.Output)))
	case len(p.OutputCandidates) > 0:
		row("publish", "the first folder with pages: "+strings.Join(p.OutputCandidates, ", "))
	}
	unknown := "404.html, or a plain 404"
	if p.Fallback == hosting.FallbackSPA {
		unknown = "index.html"
	}
	row("unknown paths", unknown)
	return t.write(s.out, s.outStyle, s.width())
}
