package deploy

import (
	"cmp"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// checkRequest fills in the defaults of a request and refuses what contradicts itself.
func checkRequest(n hosting.NewDeployment) (hosting.NewDeployment, error) {
	n.Target = cmp.Or(n.Target, hosting.TargetProduction)
	n.Source = cmp.Or(n.Source, hosting.SourceGit)
	n.GitURL, n.Ref = strings.TrimSpace(n.GitURL), strings.TrimSpace(n.Ref)
	invalid := func(format string, args ...any) (hosting.NewDeployment, error) {
		return n, hosting.Errorf(hosting.CodeInvalid, format, args...)
	}
	switch {
	case n.Target != hosting.TargetProduction && n.Target != hosting.TargetPreview:
		return invalid("target must be production or preview")
	case n.Source != hosting.SourceGit && n.Source != hosting.SourceArchive && n.Source != hosting.SourceFiles:
		return invalid("source must be git, archive or files")
	case n.Fallback != "" && n.Fallback != hosting.FallbackNone && n.Fallback != hosting.FallbackSPA:
		return invalid("fallback must be none or spa")
	case n.Fallback != "" && n.Source != hosting.SourceFiles:
		return invalid("fallback is only for source files: a build finds its own")
	case n.Source != hosting.SourceGit && (n.GitURL != "" || n.Ref != ""):
		return invalid("gitURL and ref are only for source git")
	case n.Project == "" && n.Source != hosting.SourceGit:
		return invalid("source %s needs a project", n.Source)
	case n.Project == "" && n.GitURL == "":
		return n, hosting.Errorf(hosting.CodeInvalid, "there is nothing to deploy").WithHint("name a project, or give a gitURL")
	}
	if n.Ref != "" {
		return n, hosting.CheckRef(n.Ref)
	}
	return n, nil
}

// projectFor finds the project that a request names, or the one of its repository.
func (s *Service) projectFor(tx *change, c hosting.Caller, n hosting.NewDeployment) (hosting.Project, error) {
	if n.Project != "" {
		return s.project(tx, c, n.Project)
	}
	if err := s.checkURL(tx, n.GitURL); err != nil { // before a project is made for it
		return hosting.Project{}, err
	}
	return s.projectOfGit(tx, c, n.GitURL)
}

// sourceFor says what a deployment is made from.
func (s *Service) sourceFor(tx state.Tx, p hosting.Project, n hosting.NewDeployment) (hosting.Source, error) {
	if n.Source != hosting.SourceGit {
		return hosting.Source{Kind: n.Source}, nil
	}
	src := hosting.Source{Kind: hosting.SourceGit, URL: cmp.Or(n.GitURL, p.GitURL), Ref: cmp.Or(n.Ref, p.ProductionBranch)}
	if src.URL == "" {
		return src, hosting.Errorf(hosting.CodeInvalid, "the project has no repository").
			WithHint("set its gitURL, or deploy a folder")
	}
	if hosting.IsCommit(src.Ref) {
		src.Commit = src.Ref
	}
	return src, s.checkURL(tx, src.URL)
}

func (s *Service) checkURL(tx state.Tx, url string) error {
	if err := hosting.CheckGitURL(url); err != nil || s.cfg.CheckURL == nil {
		return err
	}
	policy, err := s.sourcePolicy(tx)
	if err != nil {
		return err
	}
	return s.cfg.CheckURL(policy, url)
}
