package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

// thief has the token of a job that runs, and asks over HTTPS as anybody in the world may.
type thief struct {
	*hostile
	http    *http.Client
	token   string
	own     hosting.DeploymentID
	refused int
}

// steal takes the token of a job that runs, and tries it on whatever it is not for: another
// deployment, the rest of the API, bytes that were not declared, and its own deployment when that
// has ended.
func (h *hostile) steal() {
	h.Helper()
	th := &thief{hostile: h, http: h.s.Visitor(2)}
	h.Cleanup(th.http.CloseIdleConnections)
	th.own = h.begin("robbed", map[string]string{"index.html": "robbed"}, "sleep 900", nil)
	h.running(th.own)
	_, th.token = h.task(th.own)

	th.works(th.own, th.token)
	th.touchesNoOther()
	th.opensNothingElse()
	th.bringsNoOtherBytes()
	if _, err := h.api.Cancel(context.Background(), th.own); err != nil {
		h.Fatal(err)
	}
	h.s.eventually(time.Minute, "the deployment has ended", func() bool { return h.stillGoes(th.own).Status.Terminal() })
	for _, r := range th.routes(th.own, []byte("after the end")) {
		th.refuses("after the end of its attempt", r, th.token)
	}
	th.works(h.victim, func() string { _, t := h.task(h.victim); return t }())
	h.Figure("a stolen token did what it is for, and was refused %d times: at another deployment's job, at all operations that somebody without a token is refused, for bytes of another digest, and behind the end of its attempt", th.refused)
}

// route is a request of the job protocol.
type route struct {
	method, path string
	body         []byte
}

// routes are all of the job protocol, for a deployment.
func (th *thief) routes(id hosting.DeploymentID, blob []byte) []route {
	return []route{
		{"GET", "", nil}, {"GET", "/source", nil},
		{"POST", "/heartbeat", []byte(`{}`)},
		{"POST", "/logs", []byte(`{"first": 1, "lines": [{"n": 1, "t": 1, "s": "out", "x": "a thief was here"}]}`)},
		{"POST", "/missing", fmt.Appendf(nil, `{"blobs": [{"digest": %q, "size": %d}]}`, hosting.DigestOf(blob), len(blob))},
		{"PUT", "/blobs/" + hosting.DigestOf(blob).String(), blob},
		{"POST", "/finish", []byte(`{"failure": {"code": "build_failed", "reason": "a thief was here"}}`)},
	}
}

func (th *thief) ask(id hosting.DeploymentID, r route, token string) Answer {
	th.Helper()
	req, err := http.NewRequest(r.method, th.s.Control()+"/api/jobs/"+string(id)+r.path, bytes.NewReader(r.body))
	if err != nil {
		th.Fatal(err)
	}
	if req.Header.Set("Content-Type", "application/json"); strings.HasPrefix(r.path, "/blobs/") {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return do(th, th.http, req)
}

// works is the control: the token is good for its own deployment, but for its end.
func (th *thief) works(id hosting.DeploymentID, token string) {
	th.Helper()
	for _, r := range th.routes(id, []byte("of its own "+string(id))) {
		if r.path != "/finish" && r.path != "/logs" { // whose numbers are the job's
			th.ask(id, r, token).OK()
		}
	}
}

func (th *thief) refuses(what string, r route, token string) {
	th.Helper()
	id := th.own
	if what == another {
		id = th.victim
	}
	a := th.ask(id, r, token)
	if a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden && a.Status != http.StatusNotFound && a.Status != http.StatusGone {
		th.Errorf("%s: %s %s: status %d: %.300s", what, r.method, r.path, a.Status, a.Body)
		return
	}
	th.refused++
}

const another = "at another deployment"

// touchesNoOther tries every route of the victim's job.
func (th *thief) touchesNoOther() {
	th.Helper()
	before := th.stillGoes(th.victim)
	for _, r := range th.routes(th.victim, []byte("for another")) {
		th.refuses(another, r, th.token)
	}
	after := th.stillGoes(th.victim)
	lines, err := th.api.ReadLog(context.Background(), th.victim, 0, 1000)
	if err != nil || slices.ContainsFunc(lines, func(l hosting.LogLine) bool { return strings.Contains(l.Text, "thief") }) || after.Status != before.Status {
		th.Errorf("the victim is %s and was %s; its log: %v %v", after.Status, before.Status, lines, err)
	}
}

// opensNothingElse compares every operation of the API with what somebody without a token is told.
func (th *thief) opensNothingElse() {
	th.Helper()
	var doc openapi
	th.s.Operate("GET", "/openapi.json", nil).Is(http.StatusOK).Into(&doc)
	tried := 0
	for _, op := range doc.Operations() {
		if strings.HasPrefix(op.Path, "/api/jobs/") || strings.HasSuffix(op.Path, "/socket") {
			continue
		}
		path := op.Path
		for before, rest, ok := strings.Cut(path, "{"); ok; before, rest, ok = strings.Cut(path, "{") {
			name, after, _ := strings.Cut(rest, "}")
			value := map[string]string{"id": string(th.victim), "project": "victim", "name": "SECRET"}[name]
			if value == "" {
				value = "of-another"
			}
			path = before + url.PathEscape(value) + after
		}
		var status [2]int
		for i, token := range []string{"", th.token} {
			r := request(th, op.Method, th.s.Control()+path, nil)
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			status[i] = do(th, th.http, r).Status
		}
		if status[1] != status[0] && status[1] != http.StatusUnauthorized {
			th.Errorf("%s %s: status %d with the token of a job, %d without one", op.Method, path, status[1], status[0])
		}
		if status[0]/100 != 2 {
			th.refused++
		}
		tried++
	}
	if tried < 50 {
		th.Errorf("void: %d operations of the API were tried", tried)
	}
}

// bringsNoOtherBytes tries bytes that have not the digest which was declared, by the API and at the
// object store's own address.
func (th *thief) bringsNoOtherBytes() {
	th.Helper()
	declared, other := []byte("what was declared"), []byte("what was not, no!")
	job := th.api.Job(th.own, th.token)
	var up [2]hosting.BlobUpload
	th.s.eventually(time.Minute, "uploads are presigned", func() bool {
		a, err := job.Missing(context.Background(), hosting.MissingRequest{Blobs: []hosting.BlobRef{
			{Digest: hosting.DigestOf(declared), Size: int64(len(declared))}, {Digest: hosting.DigestOf(append(declared, '!')), Size: int64(len(declared) + 1)},
		}})
		if err != nil || len(a.Missing) != 2 {
			th.Fatalf("missing: %v, %v", a, err)
		}
		up = [2]hosting.BlobUpload(a.Missing)
		return up[0].URL != ""
	})
	send := func(u hosting.BlobUpload, body []byte) int {
		st, err := objecttest.Send(context.Background(), object.Upload{URL: u.URL, Headers: u.Headers}, body)
		if err != nil {
			th.Fatal(err)
		}
		return st
	}
	elsewhere := up[0]
	elsewhere.URL = strings.Replace(up[0].URL, hosting.DigestOf(declared).String(), hosting.DigestOf(other).String(), 1)
	if elsewhere.URL == up[0].URL {
		th.Fatalf("void: the address does not name the digest: %s", strings.SplitN(up[0].URL, "?", 2)[0])
	}
	for what, st := range map[string]int{
		"other bytes": send(up[0], other), "other bytes at their own key": send(elsewhere, other), "declared bytes at another key": send(elsewhere, declared),
		"one byte more": send(up[0], append(bytes.Clone(declared), '.')), "another blob's bytes": send(up[0], append(bytes.Clone(declared), '!')),
	} {
		if st/100 != 4 {
			th.Errorf("the object store: %s: status %d", what, st)
		}
		th.refused++
	}
	put := func(body []byte) Answer {
		return th.ask(th.own, route{"PUT", "/blobs/" + hosting.DigestOf(declared).String(), body}, th.token)
	}
	for what, body := range map[string][]byte{"other bytes": other, "one byte more": append(bytes.Clone(declared), '.'), "one byte less": declared[1:]} {
		if a := put(body); a.Status/100 != 4 {
			th.Errorf("the API: %s: status %d", what, a.Status)
		}
		th.refused++
	}
	if st := send(up[0], declared); st != http.StatusOK {
		th.Errorf("void: the object store does not take what was declared: status %d", st)
	}
	put(declared).OK()
}
