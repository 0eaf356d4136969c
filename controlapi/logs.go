package controlapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// LogPage is a part of a deployment's log.
type LogPage struct {
	Lines   []hosting.LogLine `json:"lines"`
	Next    int64             `json:"next" doc:"The after of the page that follows; where it is the after of this one, nothing follows yet"`
	Expired bool              `json:"expired,omitempty" doc:"The log was deleted, after as long as logs are kept"`
}

const (
	logLimit    = 200
	logLimitMax = 1000
	logTextMax  = 200
	// watchPing keeps a silent stream alive through proxies that drop idle connections.
	watchPing = 15 * time.Second
	// watchWrite is how long a reader may take over what it is sent. A slow one is cut off
	// and resumes: what it missed is in the store, not in our memory.
	watchWrite = 10 * time.Second
	// watchRetry is how soon, in milliseconds, a cut-off reader should come back.
	watchRetry = 1000
)

func (a *API) registerLogs() {
	content := answers("200", "Lines, or the stream of them", "application/json", a.schemaOf(LogPage{}))
	content["200"].Content["text/event-stream"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	a.raw(rule{may: hosting.PermitRead, class: classLogs}, huma.Operation{
		OperationID: "readLog", Method: http.MethodGet, Path: "/api/deployments/{id}/logs", Tags: []string{"deployments"},
		Summary: "Read or follow a deployment's log",
		Description: "Answers a page of lines; with follow=true or Accept: text/event-stream, server-sent events: " +
			"log (one line, whose number is the event's id), gap (the numbers first to last, of lines that are left out since the build prints " +
			"more than is shown live; pages have them), state (the deployment as it became) and end (nothing follows). " +
			"A stream is resumed by Last-Event-ID, or by after. Of a page stream, step and q choose the lines; what is looked at for one " +
			"is bounded, so that it may have few lines or none although others follow: go on by its next.",
		Parameters: []*huma.Param{
			pathParam("id", "Identifier of the deployment"),
			queryParam("after", "Only lines with greater numbers", huma.TypeInteger),
			queryParam("limit", "How many lines at most, 1 to 1,000", huma.TypeInteger),
			queryParam("stream", "Only lines of this stream", huma.TypeString, "out", "err", "sys"),
			queryParam("step", "Only lines of this step", huma.TypeString, steps...),
			queryParam("q", "Only lines with this text, of 1 to 200 characters, in whatever case", huma.TypeString),
			queryParam("follow", "Whether to stream", huma.TypeBoolean),
			{Name: "Last-Event-ID", In: "header", Description: "Number of the last line that was seen", Schema: &huma.Schema{Type: huma.TypeInteger}},
		},
		Responses: content,
	}, a.readLog)
	handle(a, rule{may: hosting.PermitRead, class: classLogs}, huma.Operation{
		OperationID: "searchLogs", Method: http.MethodGet, Path: "/api/projects/{project}/logs", Tags: []string{"deployments"},
		Summary: "Search the logs of a project's deployments",
		Description: "Answers lines, the newest deployment's first, and each one's in their order. What is looked at for one page is bounded, so that " +
			"it may have few lines or none although others follow: go on by its next, as long as there is one.",
	}, a.searchLogs)
}

// steps are what a line's step can be.
var steps = []any{
	hosting.PhaseProvisioning, hosting.PhaseCloning, hosting.PhaseInstalling, hosting.PhaseBuilding, hosting.PhaseUploading, hosting.PhaseFinalizing,
}

type (
	searchLogsInput struct {
		ProjectPath
		Q      string        `query:"q" minLength:"1" maxLength:"200" doc:"Only lines with this text, in whatever case"`
		Stream string        `query:"stream" enum:"out,err,sys" doc:"Only lines of this stream"`
		Step   hosting.Phase `query:"step" enum:"provisioning,cloning,installing,building,uploading,finalizing" doc:"Only lines of this step"`
		Since  time.Time     `query:"since" doc:"Only of deployments that were made from then on; 30 days ago when absent"`
		Until  time.Time     `query:"until" doc:"Only of deployments that were made before"`
		After  string        `query:"after" maxLength:"200" doc:"The next of the page before"`
		Limit  int           `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"How many lines at most"`
	}
	searchLogsOutput struct {
		Body state.List[hosting.LogMatch]
	}
)

func (a *API) searchLogs(ctx context.Context, in *searchLogsInput) (*searchLogsOutput, error) {
	l, err := a.cfg.Deploy.SearchLogs(ctx, callerOf(ctx), in.Project, deploy.LogSearch{
		LogFilter: deploy.LogFilter{Stream: in.Stream, Step: in.Step, Text: in.Q},
		Since:     in.Since, Until: in.Until, After: in.After, Limit: in.Limit,
	})
	return &searchLogsOutput{filledList(l)}, err
}

// logQuery is what a reader of a log asks for.
type logQuery struct {
	id     hosting.DeploymentID
	after  int64
	limit  int
	filter deploy.LogFilter
	follow bool
}

// followed is the query of whoever follows the log, which is told of every line.
func (q logQuery) followed() (logQuery, error) {
	if q.filter != (deploy.LogFilter{}) {
		return q, hosting.Errorf(hosting.CodeInvalid, "a log that is followed has all its lines").WithHint("leave stream, step and q out, or do not follow it")
	}
	return q, nil
}

func readLogQuery(r *http.Request) (logQuery, error) {
	q := logQuery{limit: logLimit, follow: strings.Contains(r.Header.Get("Accept"), "text/event-stream")}
	var err error
	if q.id, err = deploymentID(r.PathValue("id")); err != nil {
		return q, err
	}
	for name, values := range r.URL.Query() {
		if err := q.set(name, values[0]); err != nil {
			return q, err
		}
	}
	// It comes from a stream that was cut, and so is newer than the URL.
	if last := r.Header.Get("Last-Event-ID"); last != "" && q.follow {
		return q, q.set("after", last)
	}
	return q, nil
}

func (q *logQuery) set(name, value string) error {
	bad := func(want string) error {
		return &Problem{
			Code: hosting.CodeInvalid, Detail: "validation failed",
			Errors: []ProblemDetail{{Message: want, Location: "query." + name}},
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch name {
	case "after":
		if err != nil || n < 0 {
			return bad("expected the number of a line, 0 or more")
		}
		q.after = n
	case "limit":
		if err != nil || n < 1 || n > logLimitMax {
			return bad("expected a number from 1 to 1,000")
		}
		q.limit = int(n)
	case "follow":
		follow, err := strconv.ParseBool(value)
		if err != nil {
			return bad("expected true or false")
		}
		q.follow = q.follow || follow
	case "stream":
		if !slices.Contains([]string{"out", "err", "sys"}, value) {
			return bad("expected out, err or sys")
		}
		q.filter.Stream = value
	case "step":
		if q.filter.Step = hosting.Phase(value); q.filter.Step.Number() == 0 {
			return bad("expected a step: provisioning, cloning, installing, building, uploading or finalizing")
		}
	case "q":
		if n := utf8.RuneCountInString(value); n < 1 || n > logTextMax {
			return bad("expected 1 to 200 characters")
		}
		q.filter.Text = value
	default:
		return bad("unknown query parameter")
	}
	return nil
}

func (a *API) readLog(w http.ResponseWriter, r *http.Request) error {
	q, err := readLogQuery(r)
	if err != nil {
		return err
	}
	if q.follow {
		if q, err = q.followed(); err != nil {
			return err
		}
		return a.followLog(w, r, q)
	}
	part, err := a.cfg.Deploy.QueryLog(r.Context(), callerOf(r.Context()), q.id, deploy.LogQuery{LogFilter: q.filter, After: q.after, Limit: q.limit})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, LogPage{Lines: part.Lines, Next: part.Next, Expired: part.Expired})
}

// followLog sends the log and the states of a deployment as server-sent events.
func (a *API) followLog(w http.ResponseWriter, r *http.Request, q logQuery) error {
	watch, err := a.cfg.Deploy.Watch(r.Context(), callerOf(r.Context()), q.id, q.after)
	if err != nil {
		return err
	}
	defer watch.Close()
	out := newPacedWriter(w, watchWrite)
	defer out.done()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back
	if err := out.send([]byte("retry: " + strconv.Itoa(watchRetry) + "\n\n")); err != nil {
		return nil //nolint:nilerr // whoever asked has gone
	}
	return a.relay(r.Context(), watch, &eventStream{out: out})
}

// sink takes what a watch gives. Its errors mean that the reader is gone.
type sink interface {
	event(e deploy.Event) error
	ping() error
	stopping() error
}

// relay passes a watch on until its end, the reader's, or this process's. It tells no
// error of the reader's: there is nobody to tell.
func (a *API) relay(ctx context.Context, watch *deploy.Watch, to sink) error {
	ctx, release := a.untilStopping(ctx)
	defer release()
	checked := time.Now()
	for {
		e, err := nextEvent(ctx, watch)
		if time.Since(checked) >= watchPing && ctx.Err() == nil {
			if err := stillAdmitted(ctx); err != nil {
				return nil //nolint:nilerr // the reader comes back, and is told at the door
			}
			checked = time.Now()
		}
		switch {
		case ctx.Err() != nil:
			if context.Cause(ctx) == errStopping { //nolint:errorlint // it is never wrapped
				_ = to.stopping()
			}
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			err = to.ping()
		case err != nil:
			return err
		default:
			err = to.event(e)
		}
		if err != nil || e.End {
			return nil //nolint:nilerr // a reader that is gone is no failure
		}
	}
}

// nextEvent waits for the next event no longer than until a ping is due. A watch keeps what
// it has when a wait is given up.
func nextEvent(ctx context.Context, watch *deploy.Watch) (deploy.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, watchPing)
	defer cancel()
	return watch.Next(ctx)
}

// eventBytes is about how much of its events an eventStream holds: a thousand lines may be many
// megabytes, of each reader.
const eventBytes = 64 << 10

// eventStream writes server-sent events.
type eventStream struct {
	out *pacedWriter
	b   bytes.Buffer
}

func (s *eventStream) event(e deploy.Event) error {
	b := &s.b
	b.Reset()
	for i := range e.Lines {
		if writeLine(b, &e.Lines[i]); b.Len() < eventBytes {
			continue
		}
		if _, err := s.out.Write(b.Bytes()); err != nil {
			return err
		}
		b.Reset()
	}
	if e.Gap != nil {
		if err := writeEvent(b, "gap", e.Gap.Last, e.Gap); err != nil {
			return err
		}
	}
	if e.Deployment != nil {
		if err := writeEvent(b, "state", 0, e.Deployment); err != nil {
			return err
		}
	}
	if e.End {
		b.WriteString("event: end\ndata: {}\n\n")
	}
	return s.out.send(b.Bytes())
}

func (s *eventStream) ping() error { return s.out.send([]byte(": ping\n\n")) }

// stopping ends the stream without an end event, so that the reader comes back.
func (s *eventStream) stopping() error { return s.out.send([]byte(": restarting, come back\n\n")) }

// writeLine writes the event of a line.
func writeLine(b *bytes.Buffer, line *hosting.LogLine) {
	text := append(b.AvailableBuffer(), "id: "...)
	text = append(strconv.AppendInt(text, line.N, 10), "\nevent: log\ndata: "...)
	b.Write(append(line.AppendJSON(text), "\n\n"...)) // JSON escapes every line end
}

// writeEvent writes one event; only lines and gaps have an id, since only they can be resumed after.
func writeEvent(b *bytes.Buffer, kind string, id int64, v any) error {
	data, err := json.Marshal(v) // escapes every line end, so one data line is enough
	if err != nil {
		return err
	}
	if id > 0 {
		b.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	}
	b.WriteString("event: " + kind + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return nil
}
