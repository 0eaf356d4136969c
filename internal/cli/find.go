package cli

import (
	"context"
	"strings"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// pageSize is the most that the API gives at once.
const pageSize = 100

// every calls list for page after page until there is no more or keep says so.
func every[T any](list func(client.Page) (client.List[T], error), keep func(T) bool) error {
	page := client.Page{Limit: pageSize}
	for {
		l, err := list(page)
		if err != nil {
			return err
		}
		for _, item := range l.Items {
			if !keep(item) {
				return nil
			}
		}
		if l.Next == "" || l.Next == page.After {
			return nil
		}
		page.After = l.Next
	}
}

// all returns every item of a list, never nil.
func all[T any](list func(client.Page) (client.List[T], error)) (client.List[T], error) {
	l := client.List[T]{Items: []T{}}
	err := every(list, func(item T) bool {
		l.Items = append(l.Items, item)
		return true
	})
	return l, err
}

// some returns the newest items of a list, or every one.
func some[T any](list func(client.Page) (client.List[T], error), everyOne bool) (client.List[T], error) {
	if everyOne {
		return all(list)
	}
	l, err := list(client.Page{Limit: listed})
	if l.Items == nil {
		l.Items = []T{}
	}
	return l, err
}

// findProject accepts an id, a slug, and any address of the project's.
func findProject(ctx context.Context, c *client.Client, arg string) (hosting.Project, error) {
	_, site := splitAddress(arg)
	p, err := c.FindProject(ctx, site)
	if hosting.Is(err, hosting.CodeNotFound) {
		return p, errorf(ExitNotFound, "there is no project %q", plain(arg)).hint("fairway projects lists them")
	}
	return p, err
}

// findDeployment accepts an id and a deployment's own address.
func findDeployment(ctx context.Context, c *client.Client, arg string) (hosting.Deployment, error) {
	if label, site := splitAddress(arg); label != "" {
		return findLabel(ctx, c, site, label)
	}
	if !isDeploymentID(arg) {
		return hosting.Deployment{}, errorf(ExitUsage, "%q is not a deployment's id or address", plain(arg)).
			hint("fairway deployments PROJECT lists them")
	}
	d, err := c.FindDeployment(ctx, hosting.DeploymentID(arg))
	if hosting.Is(err, hosting.CodeNotFound) {
		return d, noDeployment(arg)
	}
	return d, err
}

func noDeployment(arg string) error {
	return errorf(ExitNotFound, "there is no deployment %q", plain(arg)).hint("fairway deployments PROJECT lists them")
}

// findLabel looks for the deployment that has the label of its own address.
func findLabel(ctx context.Context, c *client.Client, site, label string) (hosting.Deployment, error) {
	var found hosting.Deployment
	list := func(p client.Page) (client.List[hosting.Deployment], error) { return c.ListDeployments(ctx, site, p) }
	err := every(list, func(d hosting.Deployment) bool {
		if d.Label == label {
			found = d
		}
		return found.ID == ""
	})
	if err == nil && found.ID == "" || hosting.Is(err, hosting.CodeNotFound) {
		return found, noDeployment(label + "--" + site)
	}
	return found, err
}

// newest returns a project's newest deployment.
func newest(ctx context.Context, c *client.Client, p hosting.Project) (hosting.Deployment, error) {
	l, err := c.ListDeployments(ctx, string(p.ID), client.Page{Limit: 1})
	if err != nil {
		return hosting.Deployment{}, err
	}
	if len(l.Items) == 0 {
		return hosting.Deployment{}, errorf(ExitNotFound, "project %s has no deployment yet", p.Slug).
			hint("make one with fairway deploy --project %s", p.Slug)
	}
	return l.Items[0], nil
}

func isDeploymentID(s string) bool { return strings.HasPrefix(s, "dpl_") && hosting.ValidID(s) }

// splitAddress reads "https://label--site.domain/", "site.domain", "label--site" and a bare
// name alike: what one copies from a browser names a thing as well as what one types.
func splitAddress(s string) (label, site string) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	s, _, _ = strings.Cut(s, "/")
	s, _, _ = strings.Cut(s, ":")
	s, _, _ = strings.Cut(s, ".")
	if l, rest, ok := strings.Cut(s, "--"); ok {
		return l, rest
	}
	return "", s
}
