package account

import (
	"strings"
	"testing"
)

func TestTeamSlugFrom_ReadsLikeTheName(t *testing.T) {
	for name, want := range map[string]string{
		"Acme": "acme", "  Acme & Co. ": "acme-co", "3M": "team-3m", "日本": "team", "Default": "team-default",
		"a--b--c": "a-b-c", "-x-": "team-x", strings.Repeat("ab-", 30): "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-a",
	} {
		if got := teamSlugFrom(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzTeamSlugFrom(f *testing.F) {
	for _, s := range []string{"", "a", "Acme", "default", "DEFAULT", strings.Repeat("-", 99), strings.Repeat("x", 39) + "-y", "\xff\x00", "ſs K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		slug := teamSlugFrom(name)
		if err := checkTeamSlug(slug); err != nil {
			t.Fatalf("%q made %q: %v", name, slug, err)
		}
		if again := teamSlugFrom(slug); again != slug {
			t.Fatalf("%q made %q, and that %q", name, slug, again)
		}
		if other := tailed(slug); other == slug || checkTeamSlug(other) != nil {
			t.Fatalf("%q with a tail is %q", slug, other)
		}
	})
}
