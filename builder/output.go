package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// isFull reports whether err says that a disk or quota is used up.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// collect finds the folder that the build wrote, reads it, and says what is in it.
func (a *attempt) collect(ctx context.Context) (*Output, error) {
	source, err := os.OpenRoot(a.path(dirSource))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(hosting.FailOutputMissing, "the build removed the folder that it ran in: let it remove its output folder only")
	}
	if err != nil {
		return nil, fmt.Errorf("open the source folder: %w", err)
	}
	defer func() { _ = source.Close() }()
	dir, err := a.findOutput(source)
	if err != nil {
		return nil, err
	}
	// Through the source's root: the folder may be a link that the build made.
	root, err := source.OpenRoot(path.Join(a.plan.Root, dir))
	if err != nil {
		return nil, fail(hosting.FailOutputInvalid, "%s is no folder inside the source", dir)
	}
	o, err := collect(ctx, root, a.job.Limits)
	if err != nil {
		return nil, inFolder(dir, err)
	}
	a.fingerprint(source.FS(), o)
	a.log.say("%s holds %s, %s", orSource(dir), plural(len(o.Files), "file"), formatBytes(o.Bytes))
	if o.LeftOut > 0 {
		a.log.say("%s left out: .git, node_modules, .env files and the like are never published", plural(o.LeftOut, "name"))
	}
	return o, nil
}

// fingerprint marks the files whose names change with their content.
func (a *attempt) fingerprint(source fs.FS, o *Output) {
	root, err := fs.Sub(source, path.Clean(a.plan.Root))
	if err != nil {
		return // without marks browsers only ask more often
	}
	for i := range o.Files {
		o.Files[i].Immutable = a.plan.Fingerprinted(root, o.Files[i].Path)
	}
}

func orSource(dir string) string {
	if dir == "." {
		return "The folder"
	}
	return dir
}

// inFolder names the folder in failures that say "it".
func inFolder(dir string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == hosting.FailOutputEmpty {
		return fail(e.Code, "the output folder %s is not publishable: %s", dir, e.Reason)
	}
	return err
}

// findOutput returns the folder to publish, relative to the plan's root.
func (a *attempt) findOutput(source *os.Root) (string, error) {
	p := a.plan
	if p.Output != "" {
		info, err := source.Stat(path.Join(p.Root, p.Output))
		found := err == nil && info.IsDir()
		if p.OutputSet && !found {
			return "", fail(hosting.FailOutputMissing, "the build did not make the folder %s, which outputDir names%s", p.Output, a.suggest(source))
		}
		if found && (p.OutputSet || len(p.OutputCandidates) == 0 || hasPage(source.FS(), path.Join(p.Root, p.Output))) {
			return p.Output, nil
		}
		a.log.say("%s is not where the build put its pages: looking at %s", p.Output, strings.Join(p.OutputCandidates, ", "))
	}
	for _, dir := range p.OutputCandidates {
		if hasPage(source.FS(), path.Join(p.Root, dir)) {
			a.log.say("%s is published since it holds pages after the build; set outputDir to choose another folder", dir)
			return dir, nil
		}
	}
	return "", fail(hosting.FailOutputMissing, "no folder with HTML pages was found after the build: set outputDir to the folder it writes%s", a.suggest(source))
}

// suggest names the folders that do hold pages.
func (a *attempt) suggest(source *os.Root) string {
	var dirs []string
	_ = fs.WalkDir(source.FS(), a.plan.Root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || len(dirs) >= 5:
			return fs.SkipDir
		case d.IsDir() && name != a.plan.Root && (d.Name() == "node_modules" || strings.Count(name, "/") > 4):
			return fs.SkipDir
		case !d.IsDir() && isPage(name) && !slices.Contains(dirs, path.Dir(name)):
			dirs = append(dirs, path.Dir(name))
		}
		return nil
	})
	if len(dirs) == 0 {
		return ""
	}
	return "; pages are in " + strings.Join(dirs, ", ")
}

// hasPage reports whether there is an HTML page directly in the folder, or one level below.
func hasPage(fsys fs.FS, dir string) bool {
	for _, pattern := range []string{"*.html", "*/*.html"} {
		sub, err := fs.Sub(fsys, dir)
		if err != nil {
			return false
		}
		if pages, err := fs.Glob(sub, pattern); err == nil && len(pages) > 0 {
			return true
		}
	}
	return false
}
