package state_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// note is a noun of the tests: found by its title, which is unique, and by its colour, newest
// first, if it has one.
type note struct {
	ID, Title, Colour string
	Number            uint64
}

func notes(version int) *state.Table[note] {
	return &state.Table[note]{
		Name: "note", Version: version,
		Key: func(n *note) state.Key { return state.K(n.ID) },
		Indexes: []state.Index[note]{
			{Name: "colour", Key: func(n *note) (state.Key, bool) {
				return state.K(n.Colour, state.Desc(n.Number)), n.Colour != ""
			}},
			{Name: "title", Unique: true, Key: func(n *note) (state.Key, bool) { return state.K(n.Title), n.Title != "" }},
		},
	}
}

func putNotes(t *testing.T, db state.DB, rows state.Rows[note], ns ...note) {
	t.Helper()
	update(t, db, func(tx state.Tx) error {
		for i := range ns {
			if err := rows.Put(tx, &ns[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func ids(ns []note) []string {
	var out []string
	for _, n := range ns {
		out = append(out, n.ID)
	}
	return out
}

// colour lists the notes of a colour by the index, in pages of the size.
func colour(t *testing.T, db state.DB, rows state.Rows[note], colour string, page int) []string {
	t.Helper()
	var got []string
	view(t, db, func(tx state.Tx) error {
		for after := state.Key(""); ; {
			found, next, err := rows.ListBy(tx, "colour", state.K(colour, ""), after, page)
			if err != nil || len(found) == 0 {
				return err
			}
			got, after = append(got, ids(found)...), next
		}
	})
	return got
}

func wantIDs(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestRows_FindWhatWasPut(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	putNotes(t, db, rows, note{ID: "a", Title: "first"}, note{ID: "a", Title: "second"})
	view(t, db, func(tx state.Tx) error {
		n, err := rows.Get(tx, "a")
		if err != nil || n.Title != "second" {
			t.Errorf("Get: %+v, %v", n, err)
		}
		if _, ok, err := rows.Find(tx, "b"); ok || err != nil {
			t.Errorf("Find of what is absent: %t, %v", ok, err)
		}
		if _, ok, err := rows.Find(tx, state.Key(strings.Repeat("k", 5000))); ok || err != nil {
			t.Errorf("Find by what no key can be: %t, %v", ok, err)
		}
		_, err = rows.Get(tx, "b")
		wantCode(t, err, hosting.CodeNotFound)
		return nil
	})
}

func TestRows_InsertRefusesAKeyThatIsTaken(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	update(t, db, func(tx state.Tx) error {
		if err := rows.Insert(tx, &note{ID: "a", Title: "first"}); err != nil {
			return err
		}
		wantCode(t, rows.Insert(tx, &note{ID: "a", Title: "second"}), hosting.CodeConflict)
		n, err := rows.Get(tx, "a")
		if n.Title != "first" {
			t.Errorf("the refused row is there: %+v", n)
		}
		return err
	})
}

func TestRows_ListInTheOrderOfKeys(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	putNotes(t, db, rows, note{ID: "b"}, note{ID: "ab"}, note{ID: "a"}, note{ID: "ac"})
	view(t, db, func(tx state.Tx) error {
		for _, c := range []struct {
			prefix, after state.Key
			limit         int
			want          []string
		}{
			{"", "", 10, []string{"a", "ab", "ac", "b"}},
			{"", "", 2, []string{"a", "ab"}},
			{"", "ab", 10, []string{"ac", "b"}},
			{"a", "", 10, []string{"a", "ab", "ac"}},
			{"a", "ac", 10, nil},
			{"c", "", 10, nil},
		} {
			found, err := rows.List(tx, c.prefix, c.after, c.limit)
			if err != nil {
				return err
			}
			wantIDs(t, ids(found), c.want...)
		}
		return nil
	})
}

func TestIndex_FollowsItsRow(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	putNotes(t, db, rows, note{ID: "a", Colour: "red", Number: 1}, note{ID: "b", Colour: "red", Number: 2}, note{ID: "c", Colour: "redder", Number: 3})
	wantIDs(t, colour(t, db, rows, "red", 10), "b", "a")

	putNotes(t, db, rows, note{ID: "a", Colour: "red", Number: 3}) // moves within the colour
	wantIDs(t, colour(t, db, rows, "red", 10), "a", "b")

	putNotes(t, db, rows, note{ID: "a", Colour: "blue", Number: 3}) // to another
	wantIDs(t, colour(t, db, rows, "red", 10), "b")
	wantIDs(t, colour(t, db, rows, "blue", 10), "a")

	putNotes(t, db, rows, note{ID: "a", Number: 3}) // out of the index
	wantIDs(t, colour(t, db, rows, "blue", 10))

	for range 2 { // a deletion may be repeated
		update(t, db, func(tx state.Tx) error { return rows.Delete(tx, "b") })
	}
	wantIDs(t, colour(t, db, rows, "red", 10))
	wantIDs(t, colour(t, db, rows, "redder", 10), "c")
}

func TestIndex_PagesThroughRowsOfOneIndexKey(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	var want []string
	for i := range 7 {
		n := note{ID: fmt.Sprint("n", i), Colour: "red", Number: 1} // all alike but for their keys
		want = append(want, n.ID)
		putNotes(t, db, rows, n)
	}
	for page := 1; page <= 8; page++ {
		wantIDs(t, colour(t, db, rows, "red", page), want...)
	}
}

func TestIndex_UniqueRefusesASecondRow(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	putNotes(t, db, rows, note{ID: "a", Title: "mine"}, note{ID: "b", Title: "other"})
	putNotes(t, db, rows, note{ID: "a", Title: "mine", Number: 2}) // itself does not stand in its way
	err := db.Update(t.Context(), func(tx state.Tx) error { return rows.Put(tx, &note{ID: "b", Title: "mine"}) })
	wantCode(t, err, hosting.CodeConflict)

	update(t, db, func(tx state.Tx) error { return rows.Delete(tx, "a") })
	putNotes(t, db, rows, note{ID: "b", Title: "mine"}) // free again
	putNotes(t, db, rows, note{ID: "c", Title: "other"})
	view(t, db, func(tx state.Tx) error {
		n, ok, err := rows.FindBy(tx, "title", state.K("mine"))
		if !ok || n.ID != "b" {
			t.Errorf("found %+v, %t", n, ok)
		}
		if _, ok, _ := rows.FindBy(tx, "title", state.K("nobody's")); ok {
			t.Error("a title that no row has was found")
		}
		return err
	})
}

// Whoever is refused one name may take another in the same transaction: so a refused Put
// must have written nothing at all.
func TestIndex_ARefusedPutHasWrittenNothing(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	putNotes(t, db, rows, note{ID: "a", Title: "taken"}, note{ID: "b", Title: "own", Colour: "red", Number: 1})
	update(t, db, func(tx state.Tx) error {
		wantCode(t, rows.Put(tx, &note{ID: "b", Title: "taken", Colour: "blue"}), hosting.CodeConflict)
		wantCode(t, rows.Insert(tx, &note{ID: "c", Title: "taken", Colour: "blue"}), hosting.CodeConflict)
		return nil
	})
	wantIDs(t, colour(t, db, rows, "blue", 10))
	wantIDs(t, colour(t, db, rows, "red", 10), "b")
}

func TestIndex_PanicsForOneThatIsNotDeclared(t *testing.T) {
	db, rows := openDB(t), notes(1).In("s")
	for name, ask := range map[string]func(tx state.Tx){
		"no such index":      func(tx state.Tx) { _, _, _ = rows.ListBy(tx, "size", "", "", 1) },
		"FindBy, not unique": func(tx state.Tx) { _, _, _ = rows.FindBy(tx, "colour", "red") },
	} {
		view(t, db, func(tx state.Tx) error {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			ask(tx)
			return nil
		})
	}
}

func TestRows_DoNotReachOverTheirScope(t *testing.T) {
	db, table := openDB(t), notes(1)
	mine, theirs := table.In("t\x00team_a"), table.In("t\x00team_ab")
	putNotes(t, db, mine, note{ID: "a", Title: "x", Colour: "red"})
	putNotes(t, db, theirs, note{ID: "b", Title: "x", Colour: "red"}) // unique within its scope only
	wantIDs(t, colour(t, db, mine, "red", 10), "a")
	wantIDs(t, colour(t, db, theirs, "red", 10), "b")
	update(t, db, func(tx state.Tx) error {
		if _, ok, _ := mine.Find(tx, "b"); ok {
			t.Error("a row of another scope was found")
		}
		found, err := mine.List(tx, "", "", 10)
		wantIDs(t, ids(found), "a")
		return errors.Join(err, mine.Delete(tx, "b"))
	})
	wantIDs(t, colour(t, db, theirs, "red", 10), "b")
}

func TestTeam_FindsItsOwnRowsOnly(t *testing.T) {
	db := openDB(t)
	p := hosting.Project{ID: "prj_a", Team: "team_a", Name: "A", Slug: "site", GitURL: "https://git.test/" + strings.Repeat("long/", 390), CreatedAt: at(0)}
	d := hosting.Deployment{ID: "dpl_a", Project: "prj_a", Team: "team_a", Order: 1}
	update(t, db, func(tx state.Tx) error {
		team := db.Team("team_a")
		return errors.Join(team.Projects.Insert(tx, &p), team.Deployments.Insert(tx, &d))
	})
	view(t, db, func(tx state.Tx) error {
		found, _, err := db.Team("team_a").Projects.ListBy(tx, "git", state.GitKey(p.GitURL), "", 10)
		if err != nil || len(found) != 1 || found[0].ID != p.ID {
			t.Errorf("by its long URL: %v, %v", found, err)
		}
		for _, other := range []hosting.TeamID{"team_", "team_ab", "team_b", ""} {
			_, err := db.Team(other).Projects.Get(tx, state.K("prj_a"))
			wantCode(t, err, hosting.CodeNotFound)
			_, err = db.Team(other).Deployments.Get(tx, state.K("dpl_a"))
			wantCode(t, err, hosting.CodeNotFound)
		}
		return nil
	})
}

func TestTable_RefusesANewerCodec(t *testing.T) {
	db := openDB(t)
	putNotes(t, db, notes(2).In("s"), note{ID: "a", Colour: "red", Title: "x"})
	rows := notes(1).In("s")
	refused := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("got %v", err)
		}
	}
	update(t, db, func(tx state.Tx) error {
		_, err := rows.Get(tx, "a")
		refused(err)
		_, err = rows.List(tx, "", "", 10)
		refused(err)
		_, _, err = rows.ListBy(tx, "colour", "", "", 10)
		refused(err)
		_, _, err = rows.FindBy(tx, "title", "x")
		refused(err)
		refused(rows.Put(tx, &note{ID: "a"})) // would write over what it cannot read
		refused(rows.Delete(tx, "a"))
		return nil
	})
}

// Random Puts, Inserts and Deletes leave the rows and index rows that a map would have.
func TestTable_AgreesWithAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	db, rows := openDB(t), notes(1).In("s")
	want := map[string]note{}
	for range 80 {
		update(t, db, func(tx state.Tx) error {
			for range 4 {
				randomWrite(t, r, tx, rows, want)
			}
			return nil
		})
		for _, c := range []string{"red", "blue"} {
			wantIDs(t, colour(t, db, rows, c, 1+r.IntN(5)), ofColour(want, c)...)
		}
	}
}

func randomWrite(t *testing.T, r *rand.Rand, tx state.Tx, rows state.Rows[note], want map[string]note) {
	n := note{ID: fmt.Sprint(r.IntN(12)), Number: r.Uint64N(5)}
	n.Title = []string{"", "x", "y", "z"}[r.IntN(4)]
	n.Colour = []string{"", "red", "blue"}[r.IntN(3)]
	_, had := want[n.ID]
	taken := n.Title != "" && slices.ContainsFunc(slices.Collect(maps.Values(want)), func(o note) bool { return o.Title == n.Title && o.ID != n.ID })
	switch r.IntN(4) {
	case 0:
		delete(want, n.ID)
		if err := rows.Delete(tx, state.K(n.ID)); err != nil {
			t.Fatalf("delete: %v", err)
		}
		return
	case 1:
		if err := rows.Insert(tx, &n); (err == nil) == (had || taken) {
			t.Fatalf("insert of %+v: %v, there: %t, title taken: %t", n, err, had, taken)
		}
		if had {
			return
		}
	default:
		if err := rows.Put(tx, &n); (err == nil) == taken {
			t.Fatalf("put of %+v: %v, title taken: %t", n, err, taken)
		}
	}
	if !taken {
		want[n.ID] = n
	}
}

func ofColour(want map[string]note, colour string) []string {
	var found []note
	for _, n := range want {
		if n.Colour == colour {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b note) int { return cmp.Or(cmp.Compare(b.Number, a.Number), cmp.Compare(a.ID, b.ID)) })
	return ids(found)
}
