package hosting

import (
	"net/url"
	"regexp"
	"strings"
)

// SourceKind says where a deployment's files come from.
type SourceKind string

// The kinds of sources.
const (
	SourceGit     SourceKind = "git"     // a commit of a repository, built by a job
	SourceArchive SourceKind = "archive" // an uploaded tar.gz, built by a job
	SourceFiles   SourceKind = "files"   // files that are published as they are
)

// Source is what a deployment is made from.
type Source struct {
	Kind    SourceKind `json:"kind" enum:"git,archive,files"`
	URL     string     `json:"url,omitempty" doc:"Repository, for kind git"`
	Ref     string     `json:"ref,omitempty" doc:"Branch, tag or commit that was asked for"`
	Commit  string     `json:"commit,omitempty" doc:"Commit that was built"`
	Message string     `json:"message,omitempty" doc:"First line of the commit's message"`
	Author  string     `json:"author,omitempty"`
	Digest  Digest     `json:"digest,omitzero" doc:"SHA-256 of the archive, for kind archive"`
	Size    int64      `json:"size,omitempty" doc:"Bytes of the archive, for kind archive"`
	// Origin is the deployment with which the archive was uploaded: a redeployment shares it.
	Origin DeploymentID `json:"origin,omitempty" doc:"Deployment with which the archive was uploaded"`
}

// SourcePolicy says which hosts a job may fetch a source from. Whatever it says, only
// http and https are spoken, never a local file, ext or ssh transport.
type SourcePolicy struct {
	// Open admits http and addresses that are not public: for an installation whose only
	// user is its operator.
	Open bool `json:"open"`
	// AllowPrivate lists exact origins ("https://git.intranet:8443") that are admitted
	// although their addresses are not public.
	AllowPrivate []string `json:"allowPrivate,omitempty"`
}

const maxURL = 2000

// CheckGitURL says whether s can be a repository's address: http or https, a host, no
// credentials, nothing that a command line could take for an option. Whether the policy
// admits it is checked when it is fetched.
func CheckGitURL(s string) error {
	bad := func(why string) error {
		return Errorf(CodeInvalid, "the Git URL %s", why).WithHint("write it as https://host/owner/repository.git")
	}
	if s == "" || len(s) > maxURL || !printable(s) || strings.ContainsAny(s, " \\\"'`<>{}|^") {
		return bad("is empty, too long, or holds characters that a URL cannot have")
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "" {
		return bad("cannot be read")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("must begin with https://")
	case u.User != nil:
		return bad("holds a user name or password, which would end up in logs")
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(s, "#") || strings.Contains(s, "?"):
		return bad("has a query or fragment")
	case strings.HasPrefix(u.Hostname(), "-") || strings.Contains(s, "::"):
		return bad("names no host that can be reached")
	}
	return nil
}

var (
	commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	refName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./+@#-]{0,249}$`)
)

// IsCommit reports whether ref is a whole commit id rather than a name.
func IsCommit(ref string) bool { return commitID.MatchString(ref) }

// CheckRef says whether s can name a branch, tag or commit, by the rules of
// git-check-ref-format narrowed to characters that no program takes for anything else.
func CheckRef(s string) error {
	if !refName.MatchString(s) || strings.Contains(s, "..") || strings.Contains(s, "//") ||
		strings.Contains(s, "@{") || strings.Contains(s, "/.") || strings.HasSuffix(s, "/") ||
		strings.HasSuffix(s, ".") || strings.HasSuffix(s, ".lock") {
		return Errorf(CodeInvalid, "%q cannot be a branch, tag or commit", clip(s, 80)).
			WithHint("use letters, digits and . _ / + @ # -, as git check-ref-format allows")
	}
	return nil
}
