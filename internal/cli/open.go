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

// browse opens an address where a person sees it.
func (s *session) browse(address string) {
	terminal := s.env.IsTerminal != nil && s.env.IsTerminal(s.out)
	if terminal && isWeb(address) && s.env.Start != nil && !s.openBrowser(address) {
		s.say("No browser could be started here. Open it yourself:")
	}
}

// isWeb reports whether an address, which may have come over the network, is a web page's:
// nothing else is opened.
func isWeb(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// openBrowser reports whether a browser was started, as far as one can know.
func (s *session) openBrowser(address string) bool {
	if s.env.Start == nil || !isWeb(address) {
		return false
	}
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return s.env.Start(name, args...) == nil
}
