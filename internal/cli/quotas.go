package cli

import (
	"cmp"
	"context"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// quotaFlags hold -1 or "" for what stays as it is.
type quotaFlags struct {
	projects, builds, files int
	bytes                   string
}

func (a *app) quotas() *cobra.Command {
	var f quotaFlags
	return a.command(spec{
		use:   "quotas TEAM [--projects N] [--builds N] [--bytes SIZE] [--files N]",
		short: "Show or set what a team may use, for the operator",
		example: `
fairway quotas shop                       what is set
fairway quotas shop --projects 20 --bytes 10GB
fairway quotas shop --bytes 0             the installation's own limit again`,
		long: `What is not named stays as it is. A SIZE is a number of bytes, or has a unit: MB, GB, TB
count in thousands, MiB, GiB, TiB in 1,024s.`,
		min: 1, max: 1,
		flags: func(set *pflag.FlagSet) {
			set.IntVar(&f.projects, "projects", -1, "how many projects: `N`")
			set.IntVar(&f.builds, "builds", -1, "how many builds at once: `N`")
			set.StringVar(&f.bytes, "bytes", "", "how much is stored: `SIZE`")
			set.IntVar(&f.files, "files", -1, "how many files a site may have: `N`")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			t, err := findAnyTeam(ctx, c, args[0])
			if err != nil {
				return err
			}
			// The API sets all of them at once, so what stays is sent again.
			if q := f.over(t.Quotas); q != t.Quotas {
				if t, err = c.SetQuotas(ctx, t.ID, q); err != nil {
					return err
				}
			}
			return s.printQuotas(t)
		},
	})
}

func (f quotaFlags) check() error {
	if _, err := parseSize(cmp.Or(f.bytes, "0")); err != nil {
		return err
	}
	if min(f.projects, f.builds, f.files) < -1 {
		return errorf(ExitUsage, "a quota is not below 0").hint("0 is the installation's own limit")
	}
	return nil
}

// over returns q with what the flags name.
func (f quotaFlags) over(q hosting.Quotas) hosting.Quotas {
	for _, set := range []struct {
		to   *int
		flag int
	}{{&q.Projects, f.projects}, {&q.Builds, f.builds}, {&q.Files, f.files}} {
		if set.flag >= 0 {
			*set.to = set.flag
		}
	}
	if f.bytes != "" {
		q.Bytes, _ = parseSize(f.bytes) // check has seen it
	}
	return q
}

func (s *session) printQuotas(team hosting.Team) error {
	if s.json {
		return s.document(team)
	}
	q := team.Quotas
	t := &table{heads: []string{"TEAM " + strings.ToUpper(team.Slug), "MAY USE"}}
	for _, row := range []struct {
		what, of string
		set      bool
	}{
		{"projects", digits(q.Projects), q.Projects > 0}, {"builds at once", digits(q.Builds), q.Builds > 0},
		{"stored", size(q.Bytes), q.Bytes > 0}, {"files of a site", digits(q.Files), q.Files > 0},
	} {
		of := cell{text: row.of}
		if !row.set {
			of = cell{"as the installation", s.outStyle.muted}
		}
		t.row(cell{text: row.what}, of)
	}
	return t.write(s.out, s.outStyle, s.width())
}

var units = map[string]float64{
	"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}

// parseSize reads a number of bytes, with a unit or without.
func parseSize(s string) (int64, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	number := strings.TrimRight(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, ok := units[strings.TrimSpace(s[len(number):])]
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || strings.Trim(number, "0123456789.") != "" || n*unit > math.MaxInt64/2 {
		return 0, errorf(ExitUsage, "%q is no size", plain(s)).hint("write it as 500MB or 10GiB")
	}
	return int64(n * unit), nil
}
