package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// deployFlags are what deploy was asked for.
type deployFlags struct {
	project, git, ref      string
	preview, prebuilt, spa bool
	noFollow               bool
}

func (f *deployFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.project, "project", "", "the project's `NAME`, unless it is the folder's or the repository's")
	set.StringVar(&f.git, "git", "", "build the repository at `URL`")
	set.StringVar(&f.ref, "ref", "", "the `REF` of the repository: a branch, tag or commit")
	set.BoolVar(&f.preview, "preview", false, "give it an address of its own, and leave production as it is")
	set.BoolVar(&f.prebuilt, "prebuilt", false, "publish the files as they are, without looking for a build")
	set.BoolVar(&f.spa, "spa", false, "with files as they are: show index.html for paths without a file")
	set.BoolVar(&f.noFollow, "no-follow", false, "do not wait for the end of the build")
}

func (a *app) deploy() *cobra.Command {
	var f deployFlags
	return a.command(spec{
		use:   "deploy [DIR | --git URL] [flags]",
		short: "Publish a folder or a Git repository",
		example: `
fairway deploy                            the folder you are in
fairway deploy ./dist --prebuilt          files that are built already
fairway deploy --git https://github.com/ann/shop.git --ref main
fairway deploy --project shop --ref v2    of the project's own repository
fairway logs -f "$(fairway deploy --no-follow)"
url=$(fairway deploy --preview)           the address is all that goes to stdout`,
		long: `A folder whose package.json has something to build is packed and built on the server;
any other is published as it is. The project is made when there is none. The log goes to
stderr. An interrupt stops the following, not the build.`,
		max:   1,
		flags: f.register,
		run: func(ctx context.Context, s *session, args []string) error {
			d := &deployment{session: s, deployFlags: f, began: s.env.Now()}
			if err := d.check(args); err != nil {
				return err
			}
			if d.fromGit() {
				return d.deployGit(ctx)
			}
			return d.deployFolder(ctx, args)
		},
	})
}

// deployment is one run of deploy.
type deployment struct {
	*session
	deployFlags
	began time.Time
	at    client.Options
	c     *client.Client
}

// fromGit reports whether a repository is deployed rather than a folder.
func (d *deployment) fromGit() bool { return d.git != "" || d.ref != "" }

func (d *deployment) check(args []string) error {
	switch {
	case d.git != "" && len(args) > 0:
		return errorf(ExitUsage, "deploy is given a folder and a repository").hint("give DIR or --git, not both")
	case d.ref != "" && len(args) > 0:
		return errorf(ExitUsage, "--ref names a branch of a repository, and a folder has none").hint("leave out DIR or --ref")
	case d.ref != "" && d.git == "" && d.project == "":
		return errorf(ExitUsage, "--ref names no repository").hint("add --git URL, or --project of one that has a repository")
	case d.fromGit() && (d.prebuilt || d.spa):
		return errorf(ExitUsage, "--prebuilt and --spa are for folders").hint("leave them out for a repository")
	}
	return nil
}

func (d *deployment) target() hosting.Target {
	if d.preview {
		return hosting.TargetPreview
	}
	return hosting.TargetProduction
}

// connect says where a deployment goes that was told by no flag, variable or folder: whoever
// thinks of the Fairway on this machine, which does not run, is to notice.
func (d *deployment) connect() (err error) {
	if d.at, err = d.address(); err != nil {
		return err
	}
	if d.at.Socket == "" && d.g.url == "" && d.env.Getenv("FAIRWAY_URL") == "" {
		d.say("No Fairway runs here: deploying to %s, where you signed in", siteOf(d.at))
	}
	d.c, err = d.clientAt(d.at)
	return err
}

func (d *deployment) deployGit(ctx context.Context) error {
	if err := d.connect(); err != nil {
		return err
	}
	in := hosting.NewDeployment{GitURL: d.git, Ref: d.ref, Target: d.target(), Source: hosting.SourceGit}
	if d.project != "" {
		p, err := d.findOrCreate(ctx, d.project, d.git)
		if err != nil {
			return err
		}
		in.Project = string(p.ID)
	}
	answer, err := d.c.Deploy(ctx, in)
	if err != nil {
		return err
	}
	if d.project == "" {
		d.say("Deploying %s", plain(d.git))
	}
	return d.queued(ctx, d.c, answer.Deployment, d.noFollow, d.began)
}

// queued follows a deployment that the server builds now, or says how to.
func (s *session) queued(ctx context.Context, c *client.Client, d hosting.Deployment, noFollow bool, began time.Time) error {
	if !noFollow {
		return s.follow(ctx, c, d.ID, began)
	}
	if s.json {
		return s.event(event{Type: "state", Deployment: &d})
	}
	s.say("Queued. To follow it: fairway logs -f %s", d.ID)
	return s.result(string(d.ID)) // it has no address before it is READY
}

// deployFolder decides whether the folder is built on the server or published as it is.
func (d *deployment) deployFolder(ctx context.Context, args []string) error {
	dir := d.env.Dir
	if len(args) > 0 {
		dir = d.absolute(args[0])
	}
	if err := checkFolder(dir); err != nil {
		return err
	}
	name := d.project
	if name == "" {
		name = projectName(dir)
	}
	way, err := choose(dir, d.prebuilt)
	if err != nil {
		return err
	}
	if way.build && d.spa {
		return errorf(ExitUsage, "--spa is for files as they are, and %s", way.why).
			hint("leave it out, or add --prebuilt")
	}
	// Before anything is packed: a Fairway that cannot be reached is told at once.
	if err := d.connect(); err != nil {
		return err
	}
	if err := d.refuseOwnData(way.dir); err != nil {
		return err
	}
	if way.build {
		return d.upload(ctx, name, way)
	}
	return d.publish(ctx, name, way)
}

// refuseOwnData keeps the keys and tokens of Fairway itself from being published, which
// deploying the folder that it was started in would do.
func (d *deployment) refuseOwnData(dir string) error {
	data := filepath.Join(dir, dataFolder)
	if socket := d.at.Socket; socket != "" && within(filepath.Dir(socket), dir) {
		data = filepath.Dir(socket)
	} else if _, err := os.Stat(filepath.Join(data, adminSocket)); err != nil {
		return nil
	}
	return errorf(ExitFailed, "the folder holds the data of Fairway itself, with its keys, in %s", plain(data)).
		hint("deploy a folder beside or below it")
}

// within reports whether dir is parent or below it, whatever links lead to either.
func within(dir, parent string) bool {
	for _, p := range []*string{&dir, &parent} {
		if real, err := filepath.EvalSymlinks(*p); err == nil {
			*p = real
		}
	}
	rel, err := filepath.Rel(parent, dir)
	return err == nil && filepath.IsLocal(rel)
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errorf(ExitNotFound, "there is no folder %s", plain(dir))
	case err != nil:
		return errorf(ExitFailed, "cannot look at the folder: %w", err)
	case !info.IsDir():
		return errorf(ExitUsage, "%s is a file", plain(dir)).hint("give the folder that holds it")
	}
	return nil
}

// outputs are folders named after what they hold, by the tools that write them: the
// project is the folder above.
const outputs = " dist build out public _site .output "

func projectName(dir string) string {
	for strings.Contains(outputs, " "+filepath.Base(dir)+" ") && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	if filepath.Base(dir) == string(filepath.Separator) {
		return "site"
	}
	return filepath.Base(dir)
}

// findOrCreate returns the project of the name, and says which it is.
func (d *deployment) findOrCreate(ctx context.Context, name, git string) (hosting.Project, error) {
	slug := name
	if !strings.HasPrefix(name, "prj_") && hosting.CheckSiteName(name) != nil {
		slug = hosting.SiteNameFrom(name)
	}
	p, err := d.c.FindProject(ctx, slug)
	if err == nil {
		d.say("Deploying to project %s", p.Slug)
		return p, nil
	}
	if !hosting.Is(err, hosting.CodeNotFound) {
		return p, err
	}
	// A ref of the project's own repository needs a project that has one.
	if strings.HasPrefix(name, "prj_") || (d.fromGit() && git == "") {
		return p, errorf(ExitNotFound, "there is no project %q", plain(name)).hint("fairway projects lists them")
	}
	// The slug is given: one that the server made unlike the name would not be found next time.
	p, err = d.c.CreateProject(ctx, hosting.NewProject{Name: name, Slug: slug, GitURL: git})
	if e, ok := errors.AsType[*hosting.Error](err); ok && e.Code == hosting.CodeConflict {
		return p, e.WithHint("choose another name with --project")
	}
	if err == nil {
		d.say("Creating project %s", p.Slug)
	}
	return p, err
}
