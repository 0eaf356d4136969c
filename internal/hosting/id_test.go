package hosting

import "testing"

func TestValidID_AdmitsWhatIsMadeAndNothingThatIsAPath(t *testing.T) {
	for _, s := range []string{string(NewProjectID()), string(NewDeploymentID()), string(DefaultTeam), "dpl_aaaa"} {
		if !ValidID(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", "_", "dpl_", "_aaaa", "dpl", "../dpl_aaaa", "a/b_aaaa", "dpl_a/a", "dpl_a_a", ".tmp_aaaa", "DPL_aaaa", "dpl_a\x00a"} {
		if ValidID(s) {
			t.Errorf("%q passes for an id", s)
		}
	}
}
