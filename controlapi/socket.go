package controlapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// SocketMessage is one message of the log's web socket.
type SocketMessage struct {
	Type       string              `json:"type" enum:"log,gap,state,end" doc:"Which of the others is set; end has none"`
	Line       *hosting.LogLine    `json:"line,omitempty"`
	Gap        *hosting.LogGap     `json:"gap,omitempty" doc:"Lines that are left out, since the build prints more than is shown live; pages have them"`
	Deployment *hosting.Deployment `json:"deployment,omitempty"`
}

func (a *API) registerSocket() {
	a.raw(rule{may: hosting.PermitRead, class: classLogs}, huma.Operation{
		OperationID: "followLogBySocket", Method: http.MethodGet, Path: "/api/deployments/{id}/logs/socket", Tags: []string{"deployments"},
		Summary:     "Follow a deployment's log by web socket",
		Description: "Sends what the server-sent events of the log send, each as one JSON text message (see the schema SocketMessage). It is resumed by after.",
		Parameters: []*huma.Param{
			pathParam("id", "Identifier of the deployment"),
			queryParam("after", "Only lines with greater numbers", huma.TypeInteger),
		},
		Responses: map[string]*huma.Response{"101": {Description: "The socket is open; each message is a SocketMessage"}},
	}, a.openSocket)
	a.schemaOf(SocketMessage{}) // referred to by the description: OpenAPI has no sockets
}

func (a *API) openSocket(w http.ResponseWriter, r *http.Request) error {
	if err := checkUpgrade(r); err != nil {
		return err
	}
	q, err := readLogQuery(r)
	if err == nil {
		q, err = q.followed()
	}
	if err != nil {
		return err
	}
	watch, err := a.cfg.Deploy.Watch(r.Context(), callerOf(r.Context()), q.id, q.after)
	if err != nil {
		return err
	}
	defer watch.Close()
	// The origin was checked above, where a refusal can be a problem.
	out := &corker{ResponseWriter: w}
	conn, err := websocket.Accept(out, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil //nolint:nilerr // Accept has answered
	}
	defer conn.CloseNow() //nolint:errcheck // closed already, or not worth a word
	// Nothing is expected from the reader but pongs and its going.
	ctx := conn.CloseRead(r.Context())
	s := &socket{conn: conn, out: out.conn, ctx: ctx}
	if err := a.relay(ctx, watch, s); err != nil {
		p := a.problem(ctx, "web socket of "+r.URL.Path, err)
		_ = conn.Close(websocket.StatusInternalError, string(p.Code))
		return nil
	}
	_ = conn.Close(s.status, s.reason)
	return nil
}

// checkUpgrade says what keeps a request from becoming a socket, before Accept would in
// plain text.
func checkUpgrade(r *http.Request) error {
	if upgradesRefused(r.Context()) {
		return &Problem{
			Status: http.StatusNotImplemented, Code: hosting.CodeInvalid,
			Detail: "the admin socket opens no web sockets", Hint: "follow the log by server-sent events: GET .../logs?follow=true",
		}
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.ProtoMajor != 1 {
		return &Problem{
			Status: http.StatusUpgradeRequired, Code: hosting.CodeInvalid,
			Detail: "this route is a web socket", Hint: "open it as one over HTTP/1.1, or follow the log by server-sent events",
			header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
		}
	}
	return checkUpgradeOrigin(r)
}

// socket writes the messages of a web socket.
type socket struct {
	conn   *websocket.Conn
	out    *corkedConn
	ctx    context.Context //nolint:containedctx // the connection's own, which ends with it
	status websocket.StatusCode
	reason string
}

func (s *socket) event(e deploy.Event) error {
	if err := s.lines(e.Lines); err != nil {
		return err
	}
	if e.Gap != nil {
		if err := s.send(SocketMessage{Type: "gap", Gap: e.Gap}); err != nil {
			return err
		}
	}
	if e.Deployment != nil {
		if err := s.send(SocketMessage{Type: "state", Deployment: e.Deployment}); err != nil {
			return err
		}
	}
	if !e.End {
		return nil
	}
	s.status = websocket.StatusNormalClosure
	return s.send(SocketMessage{Type: "end"})
}

// lines sends one message for each line, together.
func (s *socket) lines(lines []hosting.LogLine) error {
	if len(lines) == 0 {
		return nil
	}
	s.out.cork()
	var b []byte
	for i := range lines {
		b = lines[i].AppendJSON(append(b[:0], `{"type":"log","line":`...))
		if err := s.write(append(b, '}')); err != nil {
			return err
		}
	}
	return s.out.uncork(watchWrite)
}

func (s *socket) send(m SocketMessage) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.write(b)
}

func (s *socket) write(b []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, watchWrite)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, b)
}

func (s *socket) ping() error {
	ctx, cancel := context.WithTimeout(s.ctx, watchWrite)
	defer cancel()
	return s.conn.Ping(ctx)
}

func (s *socket) stopping() error {
	s.status, s.reason = websocket.StatusGoingAway, "restarting, come back"
	return nil
}
