package runner

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHideMemory_MakesTheProcessUntraceable(t *testing.T) {
	is := func() int {
		v, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if is() != 1 {
		t.Skip("the test's process hides already")
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }()
	if err := HideMemory(); err != nil || is() != 0 {
		t.Errorf("HideMemory: %v; the process is dumpable: %d", err, is())
	}
}

func TestConceal_RefusesATokenThatOthersHoldOrThatIsNone(t *testing.T) {
	other := exec.Command("sleep", "60")
	other.Env = []string{TokenVariable + "=hunter2"}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	for token, says := range map[string]string{
		"hunter2": "without a shell", "": "not one line", "hun\nter2": "not one line", strings.Repeat("x", MaxToken+1): "not one line",
	} {
		if err := Conceal(os.Environ(), token); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.10q: %v", token, err)
		}
	}
	if pid := holder(TokenVariable + "=hunter"); pid != 0 {
		t.Errorf("process %d is taken to hold what it does not", pid)
	}
}
