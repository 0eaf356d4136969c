package routes

import (
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func entry(host string, project hosting.ProjectID, seq uint64) *hosting.Resolved {
	return &hosting.Resolved{Host: host, Site: hosting.Site{Project: project}, Mark: hosting.Mark{Epoch: 1, Seq: seq}}
}

func TestCache_KeepsNothingThatAChangeMayHaveMadeOld(t *testing.T) {
	c := newCache()
	c.keep(entry("a.localhost", "prj_a", 5))
	if c.get("a.localhost") == nil {
		t.Fatal("it was not kept")
	}
	c.drop("prj_a", 7)
	if c.get("a.localhost") != nil {
		t.Error("it is still there after a change of its project")
	}
	c.keep(entry("a.localhost", "prj_a", 6)) // read before change 7, kept after it
	if c.get("a.localhost") != nil {
		t.Error("what was read before the change was kept")
	}
	c.keep(entry("a.localhost", "prj_a", 7))
	if r := c.get("a.localhost"); r == nil || r.Mark.Seq != 7 {
		t.Errorf("what was read after the change is %+v", r)
	}
}

func TestCache_MarksOfAHostNeverGoBack(t *testing.T) {
	c := newCache()
	c.keep(entry("a.localhost", "prj_a", 9))
	if r := c.keep(entry("a.localhost", "prj_a", 5)); r.Mark.Seq != 9 { // a slow reader's
		t.Errorf("the answer has mark %d", r.Mark.Seq)
	}
	if r := c.get("a.localhost"); r.Mark.Seq != 9 {
		t.Errorf("the entry has mark %d", r.Mark.Seq)
	}
}

func TestCache_IsBounded(t *testing.T) {
	c := newCache()
	for i := range sets * ways * 3 / 2 {
		c.keep(entry(numbered("host", i), "prj_a", 1))
	}
	n := entries(c)
	if n > sets*ways {
		t.Errorf("%d entries", n)
	}
	if n < sets*ways*9/10 {
		t.Errorf("only %d of %d slots are used", n, sets*ways)
	}
	last := numbered("host", sets*ways*3/2-1)
	if c.get(last) == nil {
		t.Error("the newest entry is not there")
	}
}

func TestCache_KeepsAHostOnce(t *testing.T) {
	c := newCache()
	for seq := range uint64(100) {
		c.keep(entry("a.localhost", "prj_a", seq))
	}
	if n := entries(c); n != 1 {
		t.Errorf("%d entries for one host", n)
	}
}
