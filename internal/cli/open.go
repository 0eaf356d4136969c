package cli

import (
	"context"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) open() *cobra.Command {
	return a.command(spec{
		use:   "open PROJECT",
		short: "Print a project's address, and open it",
		example: `
fairway open shop                         in the browser, when run on a terminal
curl -k "$(fairway open shop)"            only the address, in a pipe`,
		min: 1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			p, err := findProject(ctx, c, args[0])
			if err != nil {
				return err
			}
			if s.json {
				return s.document(map[string]string{"url": p.URL})
			}
			s.browse(p.URL)
			return s.result(plain(p.URL))
		},
	})
}

// browse opens an address where a person sees it. The address came over the network, so
// nothing but a web page is opened.
func (s *session) browse(address string) {
	terminal := s.env.IsTerminal != nil && s.env.IsTerminal(s.out)
	web := strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
	if !terminal || !web || s.env.Start == nil {
		return
	}
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	if err := s.env.Start(name, args...); err != nil {
		s.say("No browser could be started here. Open it yourself:")
	}
}
