package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) explain() *cobra.Command {
	encodings := "br, gzip"
	return a.command(spec{
		use:   "explain URL",
		short: "Show how an address is answered, and from what",
		example: `
fairway explain https://shop.example.com/about
fairway explain https://shop.example.com/app.js --encodings gzip`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&encodings, "encodings", encodings, "what the visitor accepts")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			e, err := c.Explain(ctx, args[0], encodings)
			if err != nil {
				return err
			}
			if s.json {
				return s.document(e)
			}
			return s.explanation(e)
		},
	})
}

// explanation prints the steps, and then what they came to.
func (s *session) explanation(e hosting.Explanation) error {
	for _, why := range e.Why {
		s.say("%s", plain(why))
	}
	t := &table{heads: []string{"", "ANSWER"}, flexible: 1}
	row := func(what, value string) {
		if value != "" {
			t.row(cell{text: what}, cell{text: plain(value)})
		}
	}
	row("status", strconv.Itoa(e.Status))
	row("leads to", e.Location)
	row("site", e.Site)
	row("pointer", e.Pointer)
	row("deployment", string(e.Deployment))
	row("file", e.File)
	form := e.Encoding
	if e.Size > 0 {
		form += ", " + size(e.Size)
	}
	row("form", form)
	row("caching", e.Caching)
	row("etag", e.ETag)
	row("cache", e.Layer)
	return t.write(s.out, s.outStyle, s.width())
}
