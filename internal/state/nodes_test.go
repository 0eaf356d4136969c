package state_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestJoin_RefusesWhoCannotShareTheWork(t *testing.T) {
	const alone = "it keeps its logs in files"
	for name, tc := range map[string]struct {
		lives, dies, comes string // why each is alone
		key                string
		refused            bool
	}{
		"nobody is there":               {lives: "-", dies: "-", comes: alone},
		"both can share":                {dies: "-"},
		"the one that comes is alone":   {dies: "-", comes: alone, refused: true},
		"the one that lives is alone":   {lives: alone, dies: "-", refused: true},
		"one is dead that was alone":    {dies: alone},
		"alone, and another is dead":    {lives: "-", comes: alone},
		"alone, one lives and one died": {comes: alone, refused: true},
		"it has another key":            {dies: "-", key: "another", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := openDB(t)
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				if tc.dies != "-" {
					if err := db.Join(ctx, state.Node{Name: "dead", Alone: tc.dies}); err != nil {
						t.Fatal(err)
					}
				}
				if tc.lives != "-" {
					n := state.Node{Name: "living", Alone: tc.lives}
					if err := db.Join(ctx, n); err != nil {
						t.Fatal(err)
					}
					all.Go(func() { _ = db.Attend(ctx, n) })
				}
				time.Sleep(time.Minute)
				began := time.Now()
				err := db.Join(ctx, state.Node{Name: "new", Alone: tc.comes, Key: tc.key})
				if hosting.Is(err, hosting.CodeConflict) != tc.refused || err != nil && !tc.refused {
					t.Errorf("refused: %v, want %v", err, tc.refused)
				}
				if tc.refused && !strings.Contains(err.Error(), alone) && !strings.Contains(err.Error(), tc.key+" key") {
					t.Errorf("%v does not say why", err)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("it took %s", took)
				}
				cancel()
				all.Wait()
			})
		})
	}
}

// Who stops as it should leaves nothing that others wait for.
func TestAttend_LeavesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		n := state.Node{Name: "first", Alone: "for a reason"}
		if err := db.Join(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = db.Attend(ctx, n) })
		time.Sleep(time.Hour)
		cancel()
		all.Wait()
		began := time.Now()
		if err := db.Join(t.Context(), state.Node{Name: "second"}); err != nil || time.Since(began) > 0 {
			t.Errorf("%v, after %s", err, time.Since(began))
		}
	})
}
