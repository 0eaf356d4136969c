package platform

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/object"
)

// probed answers one probe after another, and the last for ever.
type probed struct {
	object.Presigner
	answers []error
	found   object.Enforced
	probes  int
}

func (p *probed) Probe(context.Context) (object.Enforced, error) {
	err := p.answers[min(p.probes, len(p.answers)-1)]
	p.probes++
	if err != nil {
		return object.Enforced{}, err
	}
	return p.found, nil
}

func TestProbeUploads_TriesUntilItKnowsAndSaysSoOnce(t *testing.T) {
	away := errors.New("away")
	all := object.Enforced{Taken: true, Bytes: true, Length: true, Once: true}
	for name, c := range map[string]struct {
		probed
		probes int
		says   string
	}{
		"it enforces":   {probed{answers: []error{nil}, found: all}, 1, ""},
		"away at first": {probed{answers: []error{away, away, nil}, found: all}, 3, ""},
		"lenient": {probed{answers: []error{nil}, found: object.Enforced{Taken: true, Length: true, Once: true}}, 1,
			"other bytes are not refused, other lengths refused, repetitions refused"},
		"takes none":   {probed{answers: []error{nil}}, 1, "it refuses the right bytes"},
		"switched off": {probed{answers: []error{object.ErrNotPresigned}}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
				start := time.Now()
				if err := probeUploads(t.Context(), &c.probed, log); err != nil || c.probed.probes != c.probes {
					t.Errorf("%v after %d probes, want %d", err, c.probed.probes, c.probes)
				}
				if waited := time.Since(start); waited != time.Duration(c.probes-1)*probeEvery {
					t.Errorf("it waited %v", waited)
				}
				if lines := strings.Count(out.String(), "\n"); (lines == 1) != (c.says != "") || lines > 1 || !strings.Contains(out.String(), c.says) {
					t.Errorf("it says %q", out.String())
				}
			})
		})
	}
}

func TestProbeUploads_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := probeUploads(ctx, &probed{answers: []error{errors.New("away")}}, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}
