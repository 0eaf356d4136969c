package account

import (
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// The lengths of a team's slug, in characters.
const (
	minTeamSlug = 3
	maxTeamSlug = 40
)

const slugTail = 5 // random characters behind a made slug that is taken

// checkTeamSlug says whether a team may be called so in addresses and commands. A slug holds
// no "_", so that it is never a team's id.
func checkTeamSlug(slug string) error {
	bad := len(slug) < minTeamSlug || len(slug) > maxTeamSlug || strings.Trim(slug, "-") != slug
	for _, c := range []byte(slug) {
		bad = bad || c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}
	switch {
	case bad:
		return hosting.Errorf(hosting.CodeInvalid, "this cannot be a team's slug").
			WithHint("use %d to %d lower-case letters, digits and inner hyphens", minTeamSlug, maxTeamSlug)
	case slug == defaultSlug:
		return hosting.Errorf(hosting.CodeInvalid, "the slug %q is reserved", slug).WithHint("choose another")
	}
	return nil
}

// teamSlugFrom makes of a team's name what checkTeamSlug accepts.
func teamSlugFrom(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			r = '-'
		}
		if s := b.String(); r != '-' || s != "" && s[len(s)-1] != '-' {
			b.WriteRune(r)
		}
		if b.Len() == maxTeamSlug {
			break
		}
	}
	slug := strings.TrimRight(b.String(), "-")
	switch {
	case slug == "":
		return "team"
	case checkTeamSlug(slug) != nil:
		return "team-" + slug // too short, or reserved
	}
	return slug
}

// tailed returns a slug with a random tail, for when the slug itself is taken.
func tailed(slug string) string {
	if most := maxTeamSlug - slugTail - 1; len(slug) > most {
		slug = strings.TrimRight(slug[:most], "-")
	}
	return slug + "-" + seal.NewToken()[:slugTail]
}

// freeTeamSlug makes a slug that no team has.
func (s *Service) freeTeamSlug(tx state.Tx, name string) (string, error) {
	base := teamSlugFrom(name)
	slug := base
	for {
		_, taken, err := s.sys.Teams.FindBy(tx, "slug", state.K(slug))
		if err != nil || !taken {
			return slug, err
		}
		slug = tailed(base)
	}
}
