package cli

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHelp_IsOneScreenWithExamplesFirst(t *testing.T) {
	p := newPerson(t, t.TempDir())
	golden(t, "help", RootHelp())
	for _, args := range [][]string{
		{"deploy"}, {"redeploy"}, {"detect"}, {"projects"}, {"projects", "create"}, {"projects", "delete"}, {"deployments"}, {"logs"},
		{"open"}, {"explain"}, {"promote"}, {"rollback"}, {"cancel"}, {"job"},
		{"env"}, {"env", "set"}, {"env", "rm"}, {"access"}, {"login"}, {"logout"}, {"whoami"}, {"teams"}, {"teams", "create"}, {"teams", "delete"},
		{"members"}, {"members", "invite"}, {"members", "role"}, {"members", "remove"}, {"members", "link"},
		{"tokens"}, {"tokens", "create"}, {"tokens", "revoke"}, {"usage"}, {"audit"},
		{"owner-link"}, {"users"}, {"users", "suspend"}, {"users", "resume"}, {"users", "reset"}, {"suspend"}, {"resume"}, {"quotas"}, {"edges"}, {"edges", "add"}, {"edges", "remove"}, {"state"}, {"state", "copy"},
	} {
		name := strings.Join(args, "_")
		t.Run(name, func(t *testing.T) {
			p := *p
			p.t = t
			r := p.run(append(args, "--help")...).ok()
			golden(t, "help_"+name, r.out)
			if other := p.run(append([]string{"help"}, args...)...).ok(); other.out != r.out {
				t.Errorf("fairway help %s says something else:\n%s", name, other.out)
			}
			if n := strings.Count(r.out, "\n"); n > 40 {
				t.Errorf("%d lines are more than a screen", n)
			}
			for line := range strings.Lines(r.out) {
				if n := utf8.RuneCountInString(line); n > 90 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			if !strings.Contains(strings.SplitN(r.out, "\n", 4)[2], "fairway "+args[0]) {
				t.Errorf("no example at the top:\n%s", r.out)
			}
		})
	}
}

func TestRootHelp_NamesEveryCommandThatIsNotHidden(t *testing.T) {
	for _, cmd := range Commands(Env{}) {
		if got := strings.Contains(RootHelp(), "\n  "+cmd.Name()+" "); got == cmd.Hidden {
			t.Errorf("%s: hidden %v, in the overview %v", cmd.Name(), cmd.Hidden, got)
		}
	}
}
