package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ownFile is what a project says about its build, in the folder that is built.
const ownFile = "fairway.json"

// Own is the content of fairway.json. What is absent is found.
type Own struct {
	Schema         *string `json:"$schema" doc:"For editors: where this schema is. It is not read."`
	Framework      *string `json:"framework" doc:"The framework, by its name in docs/frameworks.md, instead of the one that is found."`
	InstallCommand *string `json:"installCommand" doc:"Command line that installs what the build needs. Empty: nothing is installed." maxLength:"2000"`
	BuildCommand   *string `json:"buildCommand" doc:"Command line that builds. Empty: nothing is built, the files are published as they are." maxLength:"2000"`
	OutputDir      *string `json:"outputDir" doc:"Folder, relative to the one that holds this file, that is published." minLength:"1" maxLength:"512"`
	Fallback       *string `json:"fallback" doc:"What unknown paths show: spa is index.html, unless there is a 404.html; none is the nearest 404.html, or a plain 404." enum:"none,spa"`
}

// ownFields are the names of the fields, as an Own has them.
func ownFields() (names []string) {
	t := reflect.TypeFor[Own]()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("json"))
	}
	return names
}

// readOwn reads fairway.json; an empty Own means that there is none, or that it says nothing.
func readOwn(root fs.FS) (Own, error) {
	b, err := readFile(root, ownFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return Own{}, nil
	}
	if err != nil {
		return Own{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil || fields == nil {
		return Own{}, hosting.Errorf(hosting.CodeInvalid, "%s is not a JSON object (%s)", ownFile, wrong(err)).WithHint("correct it, or remove it")
	}
	for name := range fields {
		if !slices.Contains(ownFields(), name) {
			return Own{}, hosting.Errorf(hosting.CodeInvalid, "%s has a field %q, which is not known", ownFile, clip(name)).
				WithHint("the fields are %s; rootDir and nodeVersion are settings of the project", strings.Join(ownFields()[1:], ", "))
		}
	}
	var own Own
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&own); err != nil {
		return Own{}, hosting.Errorf(hosting.CodeInvalid, "%s has a field of another type than text (%v)", ownFile, err).WithHint("write it in quotes")
	}
	return own, own.check()
}

func wrong(err error) string {
	if err == nil {
		return "it is null"
	}
	return clip(err.Error())
}

// check says whether the values are well formed.
func (o Own) check() error {
	settings := hosting.BuildSettings{InstallCommand: deref(o.InstallCommand), BuildCommand: deref(o.BuildCommand), OutputDir: deref(o.OutputDir)}
	if err := settings.Check(); err != nil {
		if e, ok := errors.AsType[*hosting.Error](err); ok {
			return hosting.Errorf(e.Code, "%s: %s", ownFile, e.Message).WithHint("%s", e.Hint)
		}
		return fmt.Errorf("check %s: %w", ownFile, err)
	}
	if o.OutputDir != nil && *o.OutputDir == "" {
		return hosting.Errorf(hosting.CodeInvalid, "outputDir of %s is empty", ownFile).WithHint(`name the folder, "." for the whole, or leave it out`)
	}
	if o.Framework != nil {
		if _, ok := findPreset(*o.Framework); !ok {
			return hosting.Errorf(hosting.CodeInvalid, "%s names the framework %q, which is not known", ownFile, clip(*o.Framework)).
				WithHint("the names are in docs/frameworks.md; %s is any build, %s none", slugOther, slugStatic)
		}
	}
	if f := deref(o.Fallback); o.Fallback != nil && f != string(hosting.FallbackNone) && f != string(hosting.FallbackSPA) {
		return hosting.Errorf(hosting.CodeInvalid, "%s has the fallback %q", ownFile, clip(f)).WithHint("write none or spa")
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// choice is a decision of the owner's, and where it stands.
type choice struct {
	value string
	from  string
	set   bool
}

// reason says what was decided, and where.
func (c choice) reason(is, nothing string) string {
	if c.value == "" {
		return nothing + " because of " + c.from
	}
	return fmt.Sprintf("%s %s because of %s", is, clip(c.value), c.from)
}

// choices are all that the owner decided.
type choices struct {
	framework, install, build, output, fallback choice
}

// choose merges fairway.json and the project's settings. The file goes first: it is of the very
// commit that is built, and a branch may need another command than the next.
func choose(own Own, settings hosting.BuildSettings, p *Plan) choices {
	pick := func(name string, file *string, setting string) choice {
		switch {
		case file != nil && setting != "" && setting != *file:
			p.because("%s of %s is used, not the project's setting %s", name, ownFile, name)
			fallthrough
		case file != nil:
			return choice{*file, name + " of " + ownFile, true}
		case setting != "":
			return choice{setting, "the setting " + name, true}
		}
		return choice{}
	}
	return choices{
		framework: pick("framework", own.Framework, ""),
		install:   pick("installCommand", own.InstallCommand, settings.InstallCommand),
		build:     pick("buildCommand", own.BuildCommand, settings.BuildCommand),
		output:    pick("outputDir", own.OutputDir, settings.OutputDir),
		fallback:  pick("fallback", own.Fallback, ""),
	}
}
