package argon

import (
	"strings"
	"testing"
)

func TestParse_RefusesWhatFairwayWouldNotWrite(t *testing.T) {
	salt, key := "AAAAAAAAAAAAAAAAAAAAAA", strings.Repeat("A", 43)
	form := func(algo, version, cost, salt, key string) string {
		return "$" + algo + "$" + version + "$" + cost + "$" + salt + "$" + key
	}
	for in, ok := range map[string]bool{
		form("argon2id", "v=19", "m=19456,t=2,p=1", salt, key):      true,
		form("argon2id", "v=19", "m=262144,t=16,p=16", salt, key):   true,
		form("argon2i", "v=19", "m=19456,t=2,p=1", salt, key):       false,
		form("argon2id", "v=16", "m=19456,t=2,p=1", salt, key):      false,
		form("argon2id", "v=19", "m=262145,t=2,p=1", salt, key):     false,
		form("argon2id", "v=19", "m=4294967295,t=2,p=1", salt, key): false,
		form("argon2id", "v=19", "m=19456,t=17,p=1", salt, key):     false,
		form("argon2id", "v=19", "m=19456,t=0,p=1", salt, key):      false,
		form("argon2id", "v=19", "m=19456,t=2,p=0", salt, key):      false,
		form("argon2id", "v=19", "m=19456,t=2,p=256", salt, key):    false,
		form("argon2id", "v=19", "m=19456,t=2,p=1,x=1", salt, key):  false,
		form("argon2id", "v=19", "m=019456,t=2,p=1", salt, key):     false,
		form("argon2id", "v=19", "m=-1,t=2,p=1", salt, key):         false,
		form("argon2id", "v=19", "m=19456,t=2,p=1", "", key):        false,
		form("argon2id", "v=19", "m=19456,t=2,p=1", salt, ""):       false,
		form("argon2id", "v=19", "m=19456,t=2,p=1", salt+"=", key):  false,
		form("argon2id", "v=19", "m=19456,t=2,p=1", salt, key[:40]): false,
		"": false, "$": false, "plain": false, "correct horse battery staple": false,
	} {
		h, err := Parse(in)
		if (err == nil) != ok || ok && h.String() != in {
			t.Errorf("Parse(%q) = %v, want ok %v", in, err, ok)
		}
		if err != nil && in != "" && strings.Contains(err.Error(), in) && len(in) > 1 {
			t.Errorf("the error tells the hash: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Recommended.Dummy().String())
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$" + strings.Repeat("A", 43))
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err == nil && (h.String() != s || h.Memory > maxMemory || h.Time > maxTime || h.Threads < 1 || len(h.Key) != KeySize) {
			t.Fatalf("%q was read as %+v", s, h.Params)
		}
	})
}
