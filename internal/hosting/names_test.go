package hosting

import (
	"strings"
	"testing"
)

func TestCheckSiteName_KeepsTheRule(t *testing.T) {
	for name, ok := range map[string]bool{
		"shop": true, "a1b": true, "my-shop-2": true, "abc": true, strings.Repeat("a", MaxSiteName): true,
		"": false, "ab": false, strings.Repeat("a", MaxSiteName+1): false, "1shop": false, "-shop": false, "shop-": false,
		"my--shop": false, "Shop": false, "sh_op": false, "sh.op": false, "shöp": false, "www": false, "api": false, "localhost": false,
	} {
		if err := CheckSiteName(name); (err == nil) != ok {
			t.Errorf("CheckSiteName(%q) = %v", name, err)
		} else if err != nil && !Is(err, CodeInvalid) {
			t.Errorf("CheckSiteName(%q) has code %s", name, CodeOf(err))
		}
	}
}

func TestSiteNameFrom_AlwaysGivesAName(t *testing.T) {
	for in, want := range map[string]string{
		"My Shop": "my-shop", "2024 report": "report", "www": "site-www", "ÄÖ": "site", "a": "site-a",
		"shop!!!": "shop", "  x  y  z ": "x-y-z",
	} {
		if got := SiteNameFrom(in); got != want {
			t.Errorf("SiteNameFrom(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseSiteHost_SplitsAtTheOnlyDoubleHyphen(t *testing.T) {
	for host, want := range map[string][3]string{
		"shop.example.com":                       {"", "shop", "ok"},
		"main--shop.example.com":                 {"main", "shop", "ok"},
		"pr-7--shop.example.com":                 {"pr-7", "shop", "ok"},
		"example.com":                            {},
		".example.com":                           {},
		"shop.other.com":                         {},
		"shopexample.com":                        {},
		"a.shop.example.com":                     {},
		"ab--shop.example.com":                   {}, // a label has 3 characters
		"main--two--shop.example.com":            {},
		"--shop.example.com":                     {},
		"main--.example.com":                     {},
		"x-" + "--shop.example.com":              {},
		strings.Repeat("a", 33) + ".example.com": {},
	} {
		label, site, ok := ParseSiteHost(host, "example.com")
		if ok != (want[2] == "ok") || label != want[0] || site != want[1] {
			t.Errorf("ParseSiteHost(%q) = %q, %q, %v", host, label, site, ok)
		}
		if ok && SiteHost(label, site, "example.com") != host {
			t.Errorf("SiteHost(%q, %q) is not %q", label, site, host)
		}
	}
}

func TestPointerOf_NoBranchTakesAnotherKindsHost(t *testing.T) {
	label := NewDeploymentLabel()
	if got := PointerOf(label); got != "d/"+label {
		t.Errorf("PointerOf(%q) = %q", label, got)
	}
	for in, want := range map[string]string{"": "production", "pr-12": "pr/12", "main": "b/main", "pr-012": "b/pr-012", "pr-x": "b/pr-x"} {
		if got := PointerOf(in); got != want {
			t.Errorf("PointerOf(%q) = %q, want %q", in, got, want)
		}
		if got := LabelOf(want); got != in {
			t.Errorf("LabelOf(%q) = %q, want %q", want, got, in)
		}
	}
	for _, branch := range []string{label, "pr-12", "production", "Main", "feature/x", "a", strings.Repeat("b", 40), "ünïcode", "--", "a--b"} {
		slug := BranchSlug(branch)
		if got := PointerOf(slug); got != BranchPointer(branch) {
			t.Errorf("the branch %q gets the host label %q, which is the pointer %q", branch, slug, got)
		}
		if _, _, ok := ParseSiteHost(slug+"--shop.example.com", "example.com"); !ok {
			t.Errorf("the branch %q gets the label %q, which no host can have", branch, slug)
		}
	}
	if BranchSlug("main") != "main" {
		t.Errorf("BranchSlug(main) = %q", BranchSlug("main"))
	}
	seen := map[string]string{}
	for _, branch := range []string{"feature/x", "feature-x", "feature_x", "Feature-x", "FEATURE/X"} {
		slug := BranchSlug(branch)
		if other, taken := seen[slug]; taken {
			t.Errorf("%q and %q share the slug %q", branch, other, slug)
		}
		seen[slug] = branch
	}
}

func FuzzBranchSlug(f *testing.F) {
	for _, s := range []string{"main", "feature/x", "pr-1", "", "-", strings.Repeat("x", 300), "daaaaaaaaaaaaaaa"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, branch string) {
		slug := BranchSlug(branch)
		label, site, ok := ParseSiteHost(slug+"--shop.example.com", "example.com")
		if !ok || label != slug || site != "shop" || !strings.HasPrefix(PointerOf(slug), "b/") {
			t.Fatalf("BranchSlug(%q) = %q", branch, slug)
		}
	})
}
