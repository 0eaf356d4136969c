//go:build !crashpoints

package crash

import "testing"

func TestRelease_NeverSkipsAStep(t *testing.T) {
	t.Setenv("FAIRWAY_SKIP", "logs.flush")
	At("activate.commit") // returns
	if Skip("logs.flush") {
		t.Fatal("a release left a step out")
	}
}
