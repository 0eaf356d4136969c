//go:build crashpoints

package file

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain is also the process that the tests below kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FAIRWAY_TEST_LOGS"); dir != "" {
		if err := write(dir); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// write appends lines until it ends itself, and names each acknowledged number on its
// standard output.
func write(dir string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	for n := int64(1); n <= 10; n++ {
		if _, err := s.Append(context.Background(), id, n, batch(n, n, "x")); err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString("acked " + strconv.FormatInt(n, 10) + "\n"); err != nil {
			return err
		}
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// acked runs the writer until it is killed, and returns the last number that it was promised.
func acked(t *testing.T, dir string, env ...string) int64 {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
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
