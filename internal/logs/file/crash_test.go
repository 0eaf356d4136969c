//go:build crashpoints

package file

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestWriter is no test but the process that the tests below kill: it appends lines until it
// ends and names each acknowledged number on its standard output.
func TestWriter(t *testing.T) {
	dir := os.Getenv("FAIRWAY_TEST_LOGS")
	if dir == "" {
		t.Skip("only runs in a process of its own, with a folder")
	}
	s := openIn(t, dir)
	for n := int64(1); n <= 10; n++ {
		mustAppend(t, s, id, batch(n, n, "x"))
		if _, err := os.Stdout.WriteString("acked " + strconv.FormatInt(n, 10) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// acked runs the writer until it is killed, and returns the last number that it was promised.
func acked(t *testing.T, dir string, env ...string) int64 {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestWriter$")
	cmd.Env = append(os.Environ(), append(env, "FAIRWAY_TEST_LOGS="+dir)...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the writer was not killed: %v\n%s", err, out)
	}
	last := int64(0)
	for line := range strings.Lines(string(out)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "acked "); ok {
			if last, err = strconv.ParseInt(n, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return last
}

func TestCrash_LosesNoAcknowledgedLine(t *testing.T) {
	for _, point := range []string{"log.written:1", "log.written:4", "log.synced:1", "log.synced:7"} {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			promised := acked(t, dir, "FAIRWAY_CRASH="+point)
			next, err := openIn(t, dir).Next(t.Context(), id)
			if err != nil || next <= promised {
				t.Errorf("next %d, %v; but %d was acknowledged", next, err, promised)
			}
		})
	}
}

func TestCrash_FindsThePlantedLoss(t *testing.T) {
	dir := t.TempDir()
	promised := acked(t, dir, "FAIRWAY_SKIP=logs.flush")
	next, err := openIn(t, dir).Next(t.Context(), id)
	if err != nil || promised != 10 || next != 1 {
		t.Errorf("next %d, %v, with %d acknowledged: the loss was not planted", next, err, promised)
	}
}
