package domains

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/object"
)

func TestEncode_SpellsNamesAsKeys(t *testing.T) {
	for name, want := range map[string]string{
		"certificates/acme-v02.api.letsencrypt.org-directory/wildcard_.example.com/wildcard_.example.com.crt": "certs/certificates/acme-v02.api.letsencrypt.org-directory/wildcard__.example.com/wildcard__.example.com.crt",
		"acme/x/users/Ann@example.com/ann.key": "certs/acme/x/users/_41nn_40example.com/ann.key",
		"*.example.com":                        "certs/_2a.example.com",
		"last_clean.json":                      "certs/last__clean.json",
		"..":                                   "certs/_2e.",
		"../../etc":                            "certs/_2e./_2e./etc",
		".tmp/x":                               "certs/_2etmp/x",
		"":                                     "certs/_",
		"a//b/":                                "certs/a/_/b/_",
		"ä":                                    "certs/_c3_a4",
	} {
		if got, err := encode("certs/", name); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", name, got, err, want)
		}
	}
	for what, name := range map[string]string{
		"a name of three segments": strings.Repeat("a", 250) + "/" + strings.Repeat("a", 250) + "/" + strings.Repeat("a", 250),
		"a segment":                strings.Repeat("a", 256),
	} {
		if key, err := encode("certs/", name); err == nil {
			t.Errorf("%s that no store can have: %q", what, key)
		}
	}
	host := strings.Repeat("a.", 110) + "com"
	if _, err := encode("certs/", "certificates/acme-v02.api.letsencrypt.org-directory/"+host+"/"+host+".json"); err != nil {
		t.Errorf("a host of %d characters has no certificate: %v", len(host), err)
	}
}

func TestDecode_KnowsItsOwnKeysAlone(t *testing.T) {
	for _, key := range []string{"certs/A", "certs/_", "certs/__a", "certs/_2A", "certs/_61", "certs/_zz", "certs/a_", "certs/_4", "certs/.a", "mirror/a", "certs"} {
		name, ok := decode("certs/", key)
		if want := key == "certs/_" || key == "certs/__a"; ok != want {
			t.Errorf("%s is read as %q: %v", key, name, ok)
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("a/b", "a//b")
	f.Add("*.example.com", "_2a.example.com")
	f.Add("A", "a")
	f.Add("..", ".tmp")
	f.Add("wildcard_.a/_", "_/__/_5f")
	f.Fuzz(func(t *testing.T, a, b string) {
		ka, err := encode("certs/", a)
		if err != nil {
			if len(a) < 80 {
				t.Fatalf("%q has no key: %v", a, err)
			}
			return
		}
		if err := object.CheckKey(ka); err != nil {
			t.Fatalf("%q: %v", a, err)
		}
		if got, ok := decode("certs/", ka); !ok || got != a {
			t.Fatalf("%q is stored as %s and read as %q", a, ka, got)
		}
		kb, err := encode("certs/", b)
		if err == nil && a != b && strings.EqualFold(ka, kb) {
			t.Fatalf("%q and %q are both %s", a, b, ka)
		}
		// What somebody else put there is read as a name whose key it is, or not at all.
		if name, ok := decode("certs/", "certs/"+b); ok {
			if again, err := encode("certs/", name); err != nil || again != "certs/"+b {
				t.Fatalf("the key %q is read as %q, whose key is %q", b, name, again)
			}
		}
	})
}
