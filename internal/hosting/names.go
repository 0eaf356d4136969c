package hosting

import (
	"crypto/sha256"
	"strconv"
	"strings"
)

// MaxSiteName is the longest site name: with a left label of 29, "--" and the site it still
// fits one DNS label of 63.
const MaxSiteName = 32

// reservedSites cannot be sites: visitors would take them for the platform itself.
var reservedSites = map[string]bool{
	"www": true, "api": true, "admin": true, "app": true, "dashboard": true, "fairway": true,
	"mail": true, "smtp": true, "ftp": true, "ns1": true, "ns2": true,
	"localhost": true, "status": true, "control": true, "login": true, "auth": true,
}

// CheckSiteName says whether name may be a site: [a-z][a-z0-9-]{1,30}[a-z0-9], without "--",
// not reserved. The error names the rule that was broken.
func CheckSiteName(name string) error {
	switch {
	case len(name) < 3 || len(name) > MaxSiteName:
		return Errorf(CodeInvalid, "the slug %q has %d characters", clip(name, 40), len(name)).
			WithHint("use 3 to %d lower-case letters, digits and hyphens", MaxSiteName)
	case !isLabel(name) || name[0] < 'a':
		return Errorf(CodeInvalid, "%q cannot be a site's name", name).
			WithHint("use lower-case letters, digits and single hyphens; begin with a letter, end with a letter or digit")
	case reservedSites[name]:
		return Errorf(CodeInvalid, "the slug %q is reserved", name).WithHint("choose another")
	}
	return nil
}

// SiteNameFrom turns a free name into something CheckSiteName accepts, but for being taken.
func SiteNameFrom(name string) string {
	s := slug(name)
	s = strings.TrimLeft(s, "0123456789-")
	s = trimTo(s, MaxSiteName)
	if len(s) < 3 || reservedSites[s] {
		s = trimTo("site-"+s, MaxSiteName)
	}
	return s
}

// SiteNameSuffixed returns name with a random suffix, for when name itself is taken.
func SiteNameSuffixed(name string) string {
	return trimTo(name, MaxSiteName-6) + "-" + randomBase32(4)[:5]
}

// Pointer names. A pointer says which deployment a host shows.
const (
	PointerProduction = "production"
	pointerBranch     = "b/"
	pointerPull       = "pr/"
	pointerDeployment = "d/"
)

// BranchPointer is the pointer of a branch's preview.
func BranchPointer(branch string) string { return pointerBranch + BranchSlug(branch) }

// DeploymentPointer is the pointer of a deployment's own host.
func DeploymentPointer(label string) string { return pointerDeployment + label }

// PointerOf returns the pointer that a host's left label names: "" is production,
// "pr-<n>" a pull request, "d" and 15 base32 characters a deployment, all else a branch.
func PointerOf(label string) string {
	switch {
	case label == "":
		return PointerProduction
	case isPullLabel(label):
		return pointerPull + label[len("pr-"):]
	case isDeploymentLabel(label):
		return pointerDeployment + label
	}
	return pointerBranch + label
}

// LabelOf is the inverse of PointerOf.
func LabelOf(pointer string) string {
	if n, ok := strings.CutPrefix(pointer, pointerPull); ok {
		return "pr-" + n
	}
	if l, ok := strings.CutPrefix(pointer, pointerDeployment); ok {
		return l
	}
	if l, ok := strings.CutPrefix(pointer, pointerBranch); ok {
		return l
	}
	return ""
}

// BranchSlug is the left label of a branch's host: 3 to 29 characters, lower case, anything
// but letters and digits a hyphen, runs collapsed. Where that changed the name, or the
// result is too short, too long or shaped like a deployment's or pull request's label, it is
// cut to 20 and gets "-" and 8 base32 characters of the branch's SHA-256: so two branches
// never share a slug, and none can take a deployment's host.
func BranchSlug(branch string) string {
	s := slug(branch)
	if s == branch && len(s) >= 3 && len(s) <= 29 && !isPullLabel(s) && !isDeploymentLabel(s) {
		return s
	}
	sum := sha256.Sum256([]byte(branch))
	hash := lowerBase32.EncodeToString(sum[:])[:8]
	s = trimTo(s, 20)
	if s == "" {
		return "b-" + hash
	}
	return s + "-" + hash
}

// ParseSiteHost splits a canonical host below domain into its left label ("" for
// production) and its site. ok is false for the domain itself, for other domains and for
// names that no site can have.
func ParseSiteHost(host, domain string) (label, site string, ok bool) {
	rest, ok := strings.CutSuffix(host, domain)
	if !ok || len(rest) < 2 || rest[len(rest)-1] != '.' {
		return "", "", false
	}
	site = rest[:len(rest)-1]
	if i := strings.Index(site, "--"); i >= 0 {
		label, site = site[:i], site[i+2:]
		if len(label) < 3 || len(label) > 29 || !isLabel(label) {
			return "", "", false
		}
	}
	if len(site) < 3 || len(site) > MaxSiteName || !isLabel(site) || site[0] < 'a' {
		return "", "", false
	}
	return label, site, true
}

// SiteHost is the inverse of ParseSiteHost.
func SiteHost(label, site, domain string) string {
	if label == "" {
		return site + "." + domain
	}
	return label + "--" + site + "." + domain
}

// slug keeps letters and digits in lower case and makes every run of anything else one
// hyphen, none at the ends.
func slug(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

func trimTo(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.TrimRight(s, "-")
}

// isLabel reports whether s is lower-case letters, digits and single inner hyphens.
func isLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c == '-' && s[i-1] == '-' {
			return false
		}
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func isDeploymentLabel(s string) bool { return len(s) == 16 && s[0] == 'd' && isBase32(s[1:]) }

func isPullLabel(s string) bool {
	n, ok := strings.CutPrefix(s, "pr-")
	if !ok || n == "" || n[0] == '0' {
		return false
	}
	_, err := strconv.ParseUint(n, 10, 32)
	return err == nil
}
