package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) variables() *cobra.Command {
	cmd := a.command(spec{
		use:   "env PROJECT",
		short: "List, set and remove a project's variables",
		example: `
fairway env shop                          what its builds get
fairway env set shop API_URL=https://api.example.com
fairway env set shop API_KEY --secret     asks for the value, or reads stdin
fairway env set shop --file .env          all of a file
fairway env rm shop API_URL`,
		long: `Variables are for builds alone, and hold from the next build on. The value of a secret
one is never shown again, and masked in logs.`,
		min: 1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.inProject(ctx, args[0], func(c *client.Client, p hosting.Project) error {
				return s.listVariables(ctx, c, p)
			})
		},
	})
	cmd.AddCommand(a.setVariable(), a.removeVariable())
	return cmd
}

// inProject calls do with the project that an argument names.
func (s *session) inProject(ctx context.Context, arg string, do func(c *client.Client, p hosting.Project) error) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	p, err := findProject(ctx, c, arg)
	if err != nil {
		return err
	}
	return do(c, p)
}

func (s *session) listVariables(ctx context.Context, c *client.Client, p hosting.Project) error {
	l, err := c.ListVariables(ctx, string(p.ID))
	if err != nil {
		return err
	}
	if l.Items == nil {
		l.Items = []hosting.Variable{}
	}
	if s.json {
		return s.document(l)
	}
	if len(l.Items) == 0 {
		s.say("Project %s has no variables. To set one: fairway env set %s NAME=VALUE", p.Slug, p.Slug)
		return nil
	}
	t := &table{heads: []string{"NAME", "TARGET", "VALUE", "SET", "BY"}, flexible: 2, optional: []int{4}}
	for _, v := range l.Items {
		value := cell{text: shorten(plain(v.Value), 60)}
		if v.Secret {
			value = cell{"secret", s.outStyle.muted}
		}
		t.row(cell{text: plain(v.Name)}, cell{text: string(v.Target)}, value, cell{text: ago(v.UpdatedAt, s.env.Now())}, cell{text: plain(v.UpdatedBy)})
	}
	return t.write(s.out, s.outStyle, s.width())
}

// setFlags are what env set was asked for.
type setFlags struct {
	secret       bool
	target, file string
}

func (a *app) setVariable() *cobra.Command {
	var f setFlags
	return a.command(spec{
		use:   "set PROJECT NAME[=VALUE] | --file FILE [--secret] [--target TARGET]",
		short: "Set a project's variables",
		example: `
fairway env set shop API_URL=https://api.example.com
fairway env set shop API_KEY --secret     asks for the value, without showing it
fairway env set shop API_KEY --secret <key.txt
fairway env set shop --file .env --target preview`,
		long: `A value behind = can be seen by whoever lists the machine's processes, and stays in the
shell's history: give secrets without it. Lines of a file are NAME=VALUE; values may
stand in quotes, and nothing in them is replaced.`,
		min: 1, max: 2, mute: true,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&f.secret, "secret", false, "never show the value again, and mask it in logs")
			set.StringVar(&f.target, "target", "", "for builds of one `TARGET`: production or preview")
			set.StringVar(&f.file, "file", "", "set all that `FILE` holds")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			vars, err := s.readVariables(ctx, args[1:], f)
			if err != nil {
				return err
			}
			return s.inProject(ctx, args[0], func(c *client.Client, p hosting.Project) error {
				return s.setVariables(ctx, c, p, vars, f)
			})
		},
	})
}

// readVariables reads what is to be set from the argument, the person, stdin or a file.
func (s *session) readVariables(ctx context.Context, args []string, f setFlags) ([]variable, error) {
	switch {
	case (len(args) == 0) == (f.file == ""):
		return nil, errorf(ExitUsage, "env set needs one of NAME and --file").hint("write fairway env set PROJECT NAME=VALUE")
	case f.file != "":
		return s.readDotenv(f.file)
	}
	name, value, given := strings.Cut(args[0], "=")
	if !isName(name) {
		return nil, errorf(ExitUsage, "that is no name of a variable").hint("use letters, digits and _, and begin with no digit")
	}
	if given {
		if f.secret {
			s.say("The value was visible on the command line. Leave out =VALUE to be asked for it.")
		}
		return []variable{{name, value}}, nil
	}
	value, err := s.secret(ctx, "the value of "+name)
	if err == nil && value == "" {
		err = errorf(ExitUsage, "there is no value for %s", name).hint("an empty one is set with %s=", name)
	}
	return []variable{{name, value}}, err
}

// maxDotenv bounds a file of variables.
const maxDotenv = 1 << 20

func (s *session) readDotenv(file string) ([]variable, error) {
	path := s.absolute(file)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errorf(ExitNotFound, "there is no file %s", plain(file))
	case err != nil:
		return nil, errorf(ExitFailed, "cannot read %s: %w", plain(file), err)
	case info.Size() > maxDotenv || !info.Mode().IsRegular():
		return nil, errorf(ExitUsage, "%s is no file of variables", plain(file))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errorf(ExitFailed, "cannot read %s: %w", plain(file), err)
	}
	vars, err := parseDotenv(string(b))
	if err != nil {
		return nil, errorf(ExitUsage, "%s, %w", plain(file), err)
	}
	if len(vars) == 0 {
		return nil, errorf(ExitUsage, "%s holds no variables", plain(file)).hint("write them as NAME=VALUE, one a line")
	}
	return vars, nil
}

func (s *session) setVariables(ctx context.Context, c *client.Client, p hosting.Project, vars []variable, f setFlags) error {
	in := client.SetVariable{Secret: f.secret}
	if f.target != "" {
		in.Targets = []hosting.Target{hosting.Target(f.target)}
	}
	done := client.List[hosting.Variable]{Items: []hosting.Variable{}}
	for i, v := range vars {
		in.Value = v.value
		l, err := c.SetVariable(ctx, string(p.ID), v.name, in)
		if err != nil {
			if i > 0 {
				s.say("%s set, up to %s.", count(i, "variable"), vars[i-1].name)
			}
			return err
		}
		done.Items = append(done.Items, l.Items...)
	}
	if s.json {
		return s.document(done)
	}
	what := vars[0].name
	if len(vars) > 1 {
		what = count(len(vars), "variable")
	}
	s.say("Set %s of project %s%s, from the next build on.", what, p.Slug, forTarget(f.target))
	return nil
}

func forTarget(target string) string {
	if target == "" {
		return ""
	}
	return fmt.Sprintf(" for %s", plain(target))
}

func (a *app) removeVariable() *cobra.Command {
	var target string
	return a.command(spec{
		use:   "rm PROJECT NAME [--target TARGET]",
		short: "Remove a project's variable",
		example: `
fairway env rm shop API_URL
fairway env rm shop API_URL --target preview`,
		long: `What was built with it stays as it is.`,
		min:  2, max: 2,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&target, "target", "", "of one `TARGET`: production or preview")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			return s.inProject(ctx, args[0], func(c *client.Client, p hosting.Project) error {
				if err := c.DeleteVariable(ctx, string(p.ID), args[1], hosting.Target(target)); err != nil {
					return err
				}
				if s.json {
					return s.document(map[string]string{"removed": args[1], "target": target})
				}
				s.say("Removed %s of project %s%s.", plain(args[1]), p.Slug, forTarget(target))
				return nil
			})
		},
	})
}
