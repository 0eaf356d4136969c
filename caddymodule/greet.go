package caddymodule

import (
	"fmt"
	"io"

	"github.com/scale-mesh/fairway/internal/platform"
)

// greet prints what a person needs in the first minute. Errors of the terminal are nobody's
// to handle.
func greet(w io.Writer, c platform.Config, ownerLink string) {
	if c.Role == platform.RoleEdge {
		_, _ = fmt.Fprintf(w, `
Fairway is running, as an edge. Ctrl-C ends it.

  Sites      %s
  Data       %s

`, c.SitePattern(), c.Data)
		return
	}
	_, _ = fmt.Fprintf(w, `
Fairway is running. Ctrl-C ends it.

  Sites      %s
  Control    %s/api
  Data       %s

  Deploy a folder, in another terminal:

      ./fairway deploy examples/sites/static

`, c.SitePattern(), c.ControlURL(), c.Data)
	if ownerLink != "" {
		_, _ = fmt.Fprintf(w, `  Nobody owns this Fairway yet. To be the one, open within the hour:

      %s

`, ownerLink)
	}
	if c.Domain == "localhost" {
		_, _ = fmt.Fprintf(w, `  Browsers and curl find *.localhost by themselves. A program that does not:
  let it connect to 127.0.0.1 and send the site's name as its Host.
  HTTPS is on port %d; `+"`fairway trust`"+` makes this machine's browsers trust it.

`, c.HTTPSPort)
	}
}
