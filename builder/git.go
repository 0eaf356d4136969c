package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/scale-mesh/fairway/internal/guard"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	fetchTries = 3
	// maxGitOutput is more than any answer that is read; what is beyond it is dropped.
	maxGitOutput = 1 << 20
)

// clone is one fetch of a repository into a fresh folder.
type clone struct {
	git    string
	dir    string
	env    []string
	source hosting.Source
	proxy  *guard.Proxy
	secret string // the proxy's URL, which no message may show
}

// clone fetches the commit that the job's source names, and checks it out.
func (a *attempt) clone(ctx context.Context) (err error) {
	if err := checkSource(a.job); err != nil {
		return err
	}
	git := lookPath(a.toolEnv(), "git")
	if git == "" {
		return fail(hosting.FailToolMissing, "git is not installed on the machine that builds: install it there with: apt-get install git")
	}
	proxy := guard.NewProxy(guard.NewDialer(guard.Policy{Open: a.job.Policy.Open, AllowPrivate: a.job.Policy.AllowPrivate}))
	url, err := proxy.Start(ctx)
	defer proxy.Close()
	if err != nil {
		return err
	}
	c := &clone{
		git: git, dir: a.path(dirSource), source: a.job.Source, proxy: proxy, secret: url,
		env: append(gitEnv(append(a.cfg.Env[:len(a.cfg.Env):len(a.cfg.Env)], "PATH="+a.machinePath()), a.path(dirHome), protocols(a.job.Policy)), proxyConfig(url)...),
	}
	a.log.say("Fetching %s of %s", orDefault(c.source.Ref, "the default branch"), c.source.URL)
	if err := c.fetch(ctx); err != nil {
		return err
	}
	head, err := c.head(ctx)
	if err != nil {
		return err
	}
	a.heart.set(func(b *hosting.Heartbeat) {
		b.Commit, b.Message, b.Author = head.Commit, a.log.mask.text(head.Message), a.log.mask.text(head.Author)
	})
	a.log.say("Commit %s by %s: %s", head.Commit, head.Author, head.Message)
	if _, err := os.Lstat(filepath.Join(c.dir, ".gitmodules")); err == nil {
		a.log.say("The repository has submodules, which are not fetched")
	}
	// The build has no use for it, and it is the one place where git left an address.
	if err := os.RemoveAll(filepath.Join(c.dir, ".git")); err != nil {
		return fmt.Errorf("remove the repository's own data: %w", err)
	}
	return nil
}

// checkSource is the check at the place of use: that control checked before is no reason to
// hand a command line anything else.
func checkSource(job hosting.Job) error {
	if err := hosting.CheckGitURL(job.Source.URL); err != nil {
		return fail(hosting.FailSourceInvalid, "%s", err)
	}
	if job.Source.Ref != "" {
		if err := hosting.CheckRef(job.Source.Ref); err != nil {
			return fail(hosting.FailSourceInvalid, "%s", err)
		}
	}
	err := guard.CheckURL(guard.Policy{Open: job.Policy.Open, AllowPrivate: job.Policy.AllowPrivate}, job.Source.URL)
	if err != nil {
		return fail(hosting.FailSourceRefused, "%s may not be fetched: %s", job.Source.URL, err)
	}
	return nil
}

// protocols is the list of what git may speak.
func protocols(p hosting.SourcePolicy) string {
	if p.Open {
		return "http:https"
	}
	for _, origin := range p.AllowPrivate {
		if strings.HasPrefix(origin, "http://") {
			return "http:https"
		}
	}
	return "https"
}

// proxyConfig hands git the proxy in its environment: arguments are visible to every user.
func proxyConfig(url string) []string {
	settings := [][2]string{{"http.proxy", url}, {"http.proxyAuthMethod", "basic"}}
	env := []string{"GIT_CONFIG_COUNT=" + strconv.Itoa(len(settings))}
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	return env
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// fetch brings the wanted commit into the folder, trying again where only the network failed.
func (c *clone) fetch(ctx context.Context) error {
	if _, err := c.run(ctx, "init", "-q"); err != nil {
		return err
	}
	var pause backoff
	for try := 1; ; try++ {
		err := c.fetchOnce(ctx)
		e, passing := errors.AsType[*gitError](err)
		if !passing {
			return err
		}
		if try == fetchTries {
			return fail(hosting.FailRepositoryNotFound, "%s cannot be fetched: %s", c.source.URL, e.reason())
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

func (c *clone) fetchOnce(ctx context.Context) error {
	want, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	_, err = c.run(ctx, "fetch", "-q", "--no-tags", "--no-recurse-submodules", "--depth=1", "--end-of-options", c.source.URL, want)
	if err != nil && hosting.IsCommit(want) && isFailure(err, hosting.FailRefNotFound) {
		return c.fetchAll(ctx, want)
	}
	if err != nil {
		return err
	}
	return c.checkout(ctx, "FETCH_HEAD")
}

// resolve turns the ref into what is fetched: a branch, else a tag, else a commit.
func (c *clone) resolve(ctx context.Context) (string, error) {
	ref := c.source.Ref
	if ref == "" {
		return "HEAD", nil
	}
	names := []string{"refs/heads/" + ref, "refs/tags/" + ref}
	out, err := c.run(ctx, "ls-remote", "-q", "--end-of-options", c.source.URL, names[0], names[1])
	if err != nil {
		return "", err
	}
	// Patterns match the end of a name, so others may be listed too.
	for _, name := range names {
		for line := range strings.Lines(out) {
			if _, listed, _ := strings.Cut(strings.TrimSpace(line), "\t"); listed == name {
				return name, nil
			}
		}
	}
	if hosting.IsCommit(ref) {
		return ref, nil
	}
	return "", fail(hosting.FailRefNotFound, "%s has no branch or tag %q: check the name, or give a whole commit id", c.source.URL, ref)
}

// fetchAll is for servers that hand out no commit by its id: it brings every branch.
func (c *clone) fetchAll(ctx context.Context, commit string) error {
	_, err := c.run(ctx, "fetch", "-q", "--no-tags", "--no-recurse-submodules", "--end-of-options", c.source.URL, "+refs/heads/*:refs/remotes/all/*")
	if err != nil {
		return err
	}
	if _, err := c.run(ctx, "cat-file", "-e", commit+"^{commit}"); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fail(hosting.FailRefNotFound, "%s has no commit %s on any branch", c.source.URL, commit)
	}
	return c.checkout(ctx, commit)
}

func (c *clone) checkout(ctx context.Context, what string) error {
	_, err := c.run(ctx, "checkout", "-q", "--detach", what)
	if e, ok := errors.AsType[*gitError](err); ok {
		return fail(hosting.FailSourceInvalid, "the commit cannot be checked out: %s", e.gist())
	}
	return err
}

// head describes the commit that is checked out.
func (c *clone) head(ctx context.Context) (hosting.Source, error) {
	out, err := c.run(ctx, "log", "-1", "--no-color", "--no-notes", "--no-mailmap", "--encoding=UTF-8", "--format=%H%x00%an%x00%s")
	if err != nil {
		return hosting.Source{}, err
	}
	f := strings.SplitN(strings.TrimSuffix(out, "\n"), "\x00", 3)
	if len(f) != 3 || !hosting.IsCommit(f[0]) {
		return hosting.Source{}, errors.New("git describes the commit in a way that is not understood")
	}
	if hosting.IsCommit(c.source.Ref) && len(c.source.Ref) == len(f[0]) && f[0] != c.source.Ref {
		// A branch may be called like a commit; whoever gave a whole id meant the commit.
		return hosting.Source{}, fail(hosting.FailRefNotFound, "what %s calls %s is another commit: give the id of a commit that no branch or tag is named like",
			c.source.URL, c.source.Ref)
	}
	return hosting.Source{Commit: f[0], Author: oneLine(f[1]), Message: oneLine(f[2])}, nil
}

// oneLine makes a commit's text fit to be shown.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return clip(strings.TrimSpace(s), 200)
}

// run runs git in the clone's folder. Its error is an *Error, or a *gitError for what may
// pass.
func (c *clone) run(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr capped
	err := process{
		args: append(append([]string{c.git}, gitConfig()...), args...),
		dir:  c.dir, env: c.env, stdout: &stdout, stderr: &stderr,
	}.run(ctx)
	if err == nil || ctx.Err() != nil {
		return stdout.String(), err
	}
	return "", c.classify(err, strings.ReplaceAll(stderr.String(), c.secret, "the proxy"))
}

// capped keeps the first maxGitOutput bytes.
type capped struct{ kept bytes.Buffer }

func (c *capped) Write(b []byte) (int, error) {
	c.kept.Write(b[:min(len(b), maxGitOutput-c.kept.Len())])
	return len(b), nil
}

func (c *capped) String() string { return c.kept.String() }
