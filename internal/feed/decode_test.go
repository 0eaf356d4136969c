package feed

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// A record that cannot be read costs itself alone, and stays findable by its key.
func TestDecode_LeavesWhatItCannotReadWithItsKey(t *testing.T) {
	var log bytes.Buffer
	c, err := decode([]byte(`{
		"mark": {"epoch": 1, "seq": 2},
		"sites": [
			{"name": "good", "project": "prj_a", "state": "active"},
			{"name": "newer", "project": "prj_b", "state": {"is": "active"}},
			{"name": 7, "project": "prj_c"},
			"text", null, 3, [], {}
		],
		"pointers": [
			{"project": "prj_a", "name": "production", "order": 1},
			{"project": "prj_b", "name": "production", "order": -1},
			{"project": "prj_b", "order": -1}
		],
		"hosts": [{"name": "a.example", "project": "prj_a"}, {"name": "b.example", "project": []}],
		"deletedSites": ["gone", 5],
		"deletedHosts": [{}, "gone.example"],
		"deletedPointers": [{"project": "prj_z", "name": "b/x"}, 1]
	}`), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(c)
	for _, want := range []string{
		`{"name":"good","project":"prj_a","team":"","state":"active"}`,
		`{"name":"newer","project":"","team":"","state":""}`, // no table takes it
		`{"project":"prj_b","name":"production","deployment":"","manifest":"","order":0}`,
		`"hosts":[{"name":"a.example","project":"prj_a"},{"name":"b.example"}]`,
		`"deletedSites":["gone"]`, `"deletedHosts":["gone.example"]`, `"deletedPointers":[{"project":"prj_z","name":"b/x"}]`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s\nis not in %s", want, got)
		}
	}
	if n := strings.Count(log.String(), "left out"); n != 8 {
		t.Errorf("%d records were told of as left out:\n%s", n, log.String())
	}
}

func TestDecode_RefusesWhatIsNoChange(t *testing.T) {
	for _, b := range []string{"", "null x", "[]", `"x"`, `{"sites": 1}`, `{"mark": "x"}`, "<html>"} {
		if _, err := decode([]byte(b), slog.New(slog.DiscardHandler)); !damaged(err) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func TestParseKey_ReadsWhatIsWrittenAndNothingElse(t *testing.T) {
	for _, m := range []hosting.Mark{{Epoch: 1, Seq: 1}, {Epoch: 1 << 60, Seq: 1 << 63}, {}} {
		for _, key := range []string{changeKey(m), snapshotKey(m)} {
			got, isSnapshot, ok := parseKey(key)
			if !ok || got != m || isSnapshot != (key == snapshotKey(m)) {
				t.Errorf("%s is read as %v, %v, %v", key, got, isSnapshot, ok)
			}
		}
	}
	for _, key := range []string{"feed/head", "feed/1/2", "feed/1/snapshot-", "feed//", "blobs/x/y", "feed/1/00000000000000000002x"} {
		if m, _, ok := parseKey(key); ok {
			t.Errorf("%s is read as %v", key, m)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key, err := seal.OpenFile(filepath.Join(f.TempDir(), "key"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("feed/head", sign(key, "feed/head", []byte(`{"epoch":1,"seq":2}`)))
	f.Add("feed/1/00000000000000000002", sign(key, "feed/head", []byte(`{}`)))
	f.Add("feed/head", []byte(magic))
	f.Add("feed/head", []byte("<html>\n"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		payload, err := verify([]seal.Key{key}, name, b)
		if err == nil && !bytes.Equal(sign(key, name, payload), b) {
			t.Errorf("%q is taken for %s, and the publisher writes another", b, name)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"mark":{"epoch":1,"seq":2},"sites":[{"name":"a","project":"prj_a","state":"active"}],"deletedHosts":["x"]}`))
	f.Add([]byte(`{"pointers":[{"project":"p","name":"production","manifest":"zz"}],"hosts":[null]}`))
	f.Add([]byte(`{"sites":[{"name":{}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(b, slog.New(slog.DiscardHandler))
		if err != nil {
			return
		}
		// What was read is written and read again as the same.
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		c2, err := decode(again, slog.New(slog.DiscardHandler))
		third, _ := json.Marshal(c2)
		if err != nil || !bytes.Equal(again, third) {
			t.Errorf("%s\nis read as\n%s (%v)", again, third, err)
		}
	})
}
