package platform

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/usage"
)

// reporting is where an edge reports to, and how often. The zero value is to nobody.
type reporting struct {
	base, ca string
	every    time.Duration
}

const controlExample = "write https://control.example.com; ?ca=/path/root.crt names a certificate authority of your own"

// reporting reads control and edge_token.
func (c Config) reporting() (r reporting, err error) {
	if c.Control == "" && c.EdgeToken == "" {
		return r, nil
	}
	invalid := func(format string, args ...any) error {
		return hosting.Errorf(hosting.CodeInvalid, format, args...).WithHint(controlExample)
	}
	if c.Control == "" || c.EdgeToken == "" {
		return r, invalid("an edge reports where control and edge_token are both set, and one is not")
	}
	// Only its form: an edge serves where the token is not there yet, or no more.
	if scheme, at, _ := strings.Cut(c.EdgeToken, ":"); at == "" || scheme != "env" && scheme != "file" {
		return r, hosting.Errorf(hosting.CodeInvalid, "edge_token is not where a token is").WithHint("write file:PATH or env:NAME, never the token itself")
	}
	u, err := url.Parse(c.Control)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Path != "" && u.Path != "/" || u.Scheme != "https" && u.Scheme != "http" {
		return r, invalid("control is not an address")
	}
	r.every = time.Minute
	insecure := false
	for name, values := range u.Query() {
		switch v := values[len(values)-1]; name {
		case "ca":
			r.ca = v
		case "insecure":
			insecure = v == "true"
		case "every":
			if r.every, err = time.ParseDuration(v); err != nil || r.every < time.Second || r.every > time.Minute {
				return r, invalid("control: every %q is not a time between 1s and 1m", v)
			}
		default:
			return r, invalid("control has a setting that is not known: known are ca, every and insecure")
		}
	}
	if u.Scheme == "http" && !insecure && !isLocal(u.Hostname()) && !hosting.IsLoopback(u.Hostname()) {
		return r, invalid("the edge's token would cross the network in the clear")
	}
	r.base = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/api"}).String()
	return r, nil
}

// openReports has this edge report to control, if it was told where, and returns what counts
// its answers; nil where nobody wants to know.
func (p *Platform) openReports(cache *blob.Cache) (func(hosting.ProjectID, int64, bool), error) {
	to, err := p.config.reporting()
	if err != nil || to.base == "" {
		return nil, err
	}
	node, err := openNode(filepath.Join(p.config.Data, "node"))
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // for people alone
	meter := new(usage.Meter)
	reporter := usage.NewReporter(usage.ReporterConfig{
		Send: p.config.sender(to), Meter: meter, Node: node, Host: host, Release: p.config.Version, Every: to.every, Log: p.log,
		Path: filepath.Join(p.config.Data, "reports"),
		Status: func() usage.Status {
			did := cache.Counts()
			return usage.Status{
				Mark: p.routes.Mark(), Held: cache.Held(),
				Traffic: hosting.Traffic{Hits: did.Hits, Misses: did.Misses, Fetched: did.Fetched},
			}
		},
	})
	p.loops = append(p.loops, loop{"reports to control", reporter.Run})
	return meter.Count, nil
}

// sender brings a report to control. Token and certificate authority are read for each one
// anew: they may have been rotated, and what is wrong with them keeps no edge from serving.
func (c Config) sender(to reporting) func(context.Context, hosting.EdgeReport) error {
	return func(ctx context.Context, r hosting.EdgeReport) error {
		token, err := c.secret(c.EdgeToken)
		if err != nil {
			return fmt.Errorf("edge_token %w", err)
		}
		control, err := client.New(client.Options{Base: to.base, RootCA: to.ca, Token: token})
		if err != nil {
			return err
		}
		defer control.Close()
		return control.ReportEdge(ctx, r)
	}
}
