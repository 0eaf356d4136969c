package hosting

import (
	"strings"
	"testing"
)

func TestQuotas_CheckNamesTheFieldThatIsOutOfRange(t *testing.T) {
	for _, q := range []Quotas{{}, {Projects: 1, Builds: 1, Bytes: 1, Files: 1}, {1_000_000, 1000, 1 << 60, 10_000_000}} {
		if err := q.Check(); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for name, qs := range map[string][]Quotas{
		"projects": {{Projects: -1}, {Projects: 1_000_001}}, "builds": {{Builds: -1}, {Builds: 1001}},
		"bytes": {{Bytes: -1}, {Bytes: 1<<60 + 1}}, "files": {{Files: -1}, {Files: 10_000_001}},
	} {
		for _, q := range qs {
			if err := q.Check(); !Is(err, CodeInvalid) || !strings.Contains(err.Error(), name) {
				t.Errorf("%+v: %v", q, err)
			}
		}
	}
}

func TestQuotas_OrFillsInWhatIsNotSet(t *testing.T) {
	got := Quotas{Projects: 2, Bytes: 5}.Or(Quotas{Projects: 1, Builds: 3, Files: 4})
	if got != (Quotas{Projects: 2, Builds: 3, Bytes: 5, Files: 4}) {
		t.Errorf("got %+v", got)
	}
}
