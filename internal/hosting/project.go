package hosting

import (
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Project is what a team deploys: where its source is, how it is built, which site shows it.
type Project struct {
	ID               ProjectID `json:"id" doc:"Identifier of the project"`
	Team             TeamID    `json:"team"`
	Name             string    `json:"name" doc:"Free text, 1 to 100 characters"`
	Slug             string    `json:"slug" doc:"Name of the site below the platform's domain"`
	URL              string    `json:"url,omitempty" doc:"Where production is served"` // computed, not stored
	GitURL           string    `json:"gitURL,omitempty"`
	ProductionBranch string    `json:"productionBranch,omitempty" doc:"Branch that is built when none is named; the repository's own default when empty"`
	BuildSettings
	CustomDomains []string `json:"customDomains"`
	// Access is computed, not stored: it is the Site's.
	Access           *ProjectAccess `json:"access,omitempty" doc:"Who may see the site"`
	Suspended        bool           `json:"suspended" doc:"The operator paused its site, which answers so; nothing of it can be changed"`
	LatestDeployment *Deployment    `json:"latestDeployment,omitempty"` // computed, not stored
	CreatedBy        string         `json:"createdBy"`
	CreatedAt        time.Time      `json:"createdAt"`
	UpdatedAt        time.Time      `json:"updatedAt"`
	// LastOrder numbers the project's deployments; the newest has it.
	LastOrder uint64 `json:"lastOrder"`
}

// BuildSettings override what detection would find; empty means detected. A fairway.json in the
// source goes before them.
type BuildSettings struct {
	RootDir        string `json:"rootDir,omitempty" doc:"Folder of the repository that holds the project" maxLength:"512"`
	InstallCommand string `json:"installCommand,omitempty" maxLength:"2000"`
	BuildCommand   string `json:"buildCommand,omitempty" maxLength:"2000"`
	OutputDir      string `json:"outputDir,omitempty" doc:"Folder below rootDir that is published" maxLength:"512"`
	NodeVersion    string `json:"nodeVersion,omitempty" doc:"Major version, such as 22" maxLength:"32"`
}

// NewProject is the input of a project's creation.
type NewProject struct {
	Name             string `json:"name" doc:"Free text, 1 to 100 characters" minLength:"1" maxLength:"100"`
	Slug             string `json:"slug,omitempty" doc:"The site's name; made from the name when absent" maxLength:"64"`
	GitURL           string `json:"gitURL,omitempty" maxLength:"2000"`
	ProductionBranch string `json:"productionBranch,omitempty" maxLength:"250"`
	BuildSettings
}

// ProjectUpdate changes the settings that are not nil.
type ProjectUpdate struct {
	Name             *string `json:"name,omitempty" minLength:"1" maxLength:"100"`
	GitURL           *string `json:"gitURL,omitempty" maxLength:"2000"`
	ProductionBranch *string `json:"productionBranch,omitempty" maxLength:"250"`
	RootDir          *string `json:"rootDir,omitempty" maxLength:"512"`
	InstallCommand   *string `json:"installCommand,omitempty" maxLength:"2000"`
	BuildCommand     *string `json:"buildCommand,omitempty" maxLength:"2000"`
	OutputDir        *string `json:"outputDir,omitempty" maxLength:"512"`
	NodeVersion      *string `json:"nodeVersion,omitempty" maxLength:"32"`
}

// Apply returns p with the update's settings in it.
func (u ProjectUpdate) Apply(p Project) Project {
	set := func(to *string, from *string) {
		if from != nil {
			*to = strings.TrimSpace(*from)
		}
	}
	set(&p.Name, u.Name)
	set(&p.GitURL, u.GitURL)
	set(&p.ProductionBranch, u.ProductionBranch)
	set(&p.BuildSettings.RootDir, u.RootDir)
	set(&p.BuildSettings.InstallCommand, u.InstallCommand)
	set(&p.BuildSettings.BuildCommand, u.BuildCommand)
	set(&p.BuildSettings.OutputDir, u.OutputDir)
	set(&p.BuildSettings.NodeVersion, u.NodeVersion)
	return p
}

// Check says whether the project's fields are well formed. The source's policy (which hosts
// a Git URL may name) is not the project's to decide and is not looked at.
func (p Project) Check() error {
	if n := utf8.RuneCountInString(p.Name); n < 1 || n > 100 || !printable(p.Name) {
		return Errorf(CodeInvalid, "a project's name has 1 to 100 printable characters")
	}
	if err := CheckSiteName(p.Slug); err != nil {
		return err
	}
	if p.GitURL != "" {
		if err := CheckGitURL(p.GitURL); err != nil {
			return err
		}
	}
	if p.ProductionBranch != "" {
		if err := CheckRef(p.ProductionBranch); err != nil {
			return err
		}
	}
	return p.BuildSettings.Check()
}

var nodeVersion = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,4}){0,2}$`)

// Check says whether the settings are well formed.
func (s BuildSettings) Check() error {
	if err := checkDir("rootDir", s.RootDir); err != nil {
		return err
	}
	if err := checkDir("outputDir", s.OutputDir); err != nil {
		return err
	}
	for name, v := range map[string]string{"installCommand": s.InstallCommand, "buildCommand": s.BuildCommand} {
		if len(v) > 2000 || strings.ContainsRune(v, 0) {
			return Errorf(CodeInvalid, "%s is longer than 2,000 bytes or holds a NUL", name)
		}
	}
	if s.NodeVersion != "" && !nodeVersion.MatchString(s.NodeVersion) {
		return Errorf(CodeInvalid, "nodeVersion %q is not a version", clip(s.NodeVersion, 40)).WithHint("write it as 22 or 22.11.0")
	}
	return nil
}

func checkDir(field, dir string) error {
	if dir == "" {
		return nil
	}
	if len(dir) > 512 || !printable(dir) || strings.Contains(dir, `\`) || strings.HasPrefix(dir, "/") ||
		dir == ".." || strings.HasPrefix(path.Clean(dir), "../") || path.Clean(dir) == ".." {
		return Errorf(CodeInvalid, "%s %q is not a folder inside the repository", field, clip(dir, 80)).
			WithHint("give a relative path without ..")
	}
	return nil
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
