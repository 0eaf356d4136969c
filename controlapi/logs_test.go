package controlapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestLogs_AreSearched(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.owner(), t.Context()
	w.project("searched")
	var ids []hosting.DeploymentID
	for range 2 {
		id, j := w.build("searched")
		b := lines(1, "vite v7", "\x1b[31mError\x1b[0m: no such file", "an error of a warning", "done")
		b.Lines[2].Stream, b.Lines[2].Step = "err", hosting.PhaseBuilding
		must[hosting.LogAck](t)(j.AppendLog(ctx, b))
		ids = append(ids, id)
	}
	page := must[client.LogPage](t)(c.QueryLog(ctx, ids[0], client.LogFilter{Text: "ERROR"}, 0, 1))
	if len(page.Lines) != 1 || page.Lines[0].N != 2 || page.Next != 2 || page.Expired {
		t.Errorf("the first such line: %+v", page)
	}
	page = must[client.LogPage](t)(c.QueryLog(ctx, ids[0], client.LogFilter{Text: "error", Stream: "err", Step: hosting.PhaseBuilding}, 0, 10))
	if len(page.Lines) != 1 || page.Lines[0].N != 3 || page.Next != 4 {
		t.Errorf("by stream and step: %+v", page)
	}
	search := client.LogSearch{LogFilter: client.LogFilter{Text: "error"}}
	var found []hosting.LogMatch
	for p := (client.Page{Limit: 1}); ; {
		l := must[client.List[hosting.LogMatch]](t)(c.SearchLogs(ctx, "searched", search, p))
		found = append(found, l.Items...)
		if p.After = l.Next; p.After == "" {
			break
		}
	}
	if len(found) != 4 || found[0].Deployment != ids[1] || found[0].Line.N != 2 || found[1].Line.N != 3 || found[2].Deployment != ids[0] {
		t.Errorf("of the project: %+v", found)
	}
	search.Since = time.Now().Add(time.Hour)
	if l := must[client.List[hosting.LogMatch]](t)(c.SearchLogs(ctx, "searched", search, client.Page{})); len(l.Items) != 0 || l.Items == nil {
		t.Errorf("of deployments that are yet to come: %+v", l)
	}
}

func TestLogs_SayWhatIsWrongWithAQuery(t *testing.T) {
	w := newWorld(t)
	w.project("searched")
	id, _ := w.build("searched")
	one, all := "/api/deployments/"+string(id)+"/logs?", "/api/projects/searched/logs?"
	long := strings.Repeat("ü", 201)
	for query, at := range map[string]string{
		one + "stream=x": "query.stream", one + "step=x": "query.step", one + "q=": "query.q", one + "q=" + url.QueryEscape(long): "query.q",
		one + "since=2026-01-01T00:00:00Z": "query.since", one + "q=a&follow=true": "", one + "q=%0A": "",
		all + "stream=x": "query.stream", all + "step=x": "query.step", all + "q=" + url.QueryEscape(long): "query.q", all + "follow=true": "query.follow",
		all + "since=yesterday": "query.since", all + "limit=1001": "query.limit", all + "after=x": "", all + "q=%0A": "",
		all + "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z": "",
	} {
		resp := w.ask(http.MethodGet, query, "")
		var p controlapi.Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.StatusCode != http.StatusUnprocessableEntity || p.Code != hosting.CodeInvalid {
			t.Errorf("%s: %d, %+v, %v", query, resp.StatusCode, p, err)
		}
		if at != "" && (len(p.Errors) == 0 || p.Errors[0].Location != at) {
			t.Errorf("%s: it is told of %+v", query, p.Errors)
		}
	}
	for _, query := range []string{
		one + "q=" + url.QueryEscape(long[2:]) + "&stream=sys&step=uploading", all + "q=" + url.QueryEscape(long[2:]) + "&stream=err&step=cloning&limit=1000",
		all + "since=2026-01-01T00:00:00%2B02:00&until=2026-01-02T00:00:00Z",
	} {
		if resp := w.ask(http.MethodGet, query, ""); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", query, resp.StatusCode)
		}
	}
}

func TestLogs_ThatAreDeletedAreEmptyAndSaySo(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.owner(), t.Context()
	w.project("old")
	id, j := w.build("old")
	must[hosting.LogAck](t)(j.AppendLog(ctx, lines(1, "a line")))
	d := w.publish(j, "old")
	if page := must[client.LogPage](t)(c.QueryLog(ctx, id, client.LogFilter{}, 0, 10)); page.Expired || len(page.Lines) == 0 {
		t.Errorf("before: %+v", page)
	}
	deleted := time.Now().UTC().Truncate(time.Second)
	if err := w.parts.db.Update(ctx, func(tx state.Tx) error {
		rows := w.parts.db.Team(d.Team).Deployments
		d, err := rows.Get(tx, state.K(string(id)))
		if err != nil {
			return err
		}
		d.LogDeletedAt = deleted
		return rows.Put(tx, &d)
	}); err != nil {
		t.Fatal(err)
	}
	if page := must[client.LogPage](t)(c.QueryLog(ctx, id, client.LogFilter{}, 0, 10)); !page.Expired || len(page.Lines) != 0 || page.Lines == nil {
		t.Errorf("after: %+v", page)
	}
	if d := must[hosting.Deployment](t)(c.FindDeployment(ctx, id)); !d.LogDeletedAt.Equal(deleted) || d.Status != hosting.StatusReady {
		t.Errorf("the deployment is %+v", d)
	}
}
