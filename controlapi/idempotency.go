package controlapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// An answer that was given under an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header)
// is given again to the same caller for a day. The key is noted before the request runs and the
// answer after, each durably, so that of two requests under a key only one ever runs. Answers
// are sealed: one of them shows a new token.
const (
	replyTime     = 24 * time.Hour
	replyPurpose  = "reply"
	maxReplyKey   = 255
	maxReply      = 1 << 20
	repliesPruned = 16 // expired ones that a new one removes
)

// reply is a request that runs under a key.
type reply struct {
	team hosting.TeamID
	row  state.Reply
}

// deduplicate answers a request whose key was used before, and notes one that was not.
func (a *API) deduplicate(e *entrance) error {
	key := e.r.Header.Get("Idempotency-Key")
	if key == "" || !isWrite(e.r.Method) || e.caller.Via == "" || e.pattern == "" {
		return nil
	}
	switch {
	case len(key) > maxReplyKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return hosting.Errorf(hosting.CodeInvalid, "the Idempotency-Key is not 1 to %d visible ASCII characters", maxReplyKey)
	case e.rule.upload:
		return hosting.Errorf(hosting.CodeInvalid, "this route takes no Idempotency-Key").WithHint("an upload may be repeated as it is")
	}
	request, err := fingerprint(e)
	if err != nil {
		return err
	}
	c := e.caller
	own := digest(string(c.Via), string(c.User), string(c.Token), key)
	row := state.Reply{Key: own, Request: request, Boot: a.boot, Expires: a.now().Add(replyTime)}
	kept, found, err := a.claimReply(e.r.Context(), c.Team.ID, row)
	if err != nil {
		return fmt.Errorf("note an idempotency key: %w", err)
	}
	if found {
		return a.replay(e, kept, request)
	}
	e.reply = &reply{team: c.Team.ID, row: row}
	a.running.Store(own, true)
	return nil
}

// fingerprint is a digest of all that makes the request what it is. It reads the body, for the
// route to read again; of one that is too long only as much as the route would refuse.
func fingerprint(e *entrance) (string, error) {
	body, err := io.ReadAll(io.LimitReader(e.r.Body, maxBody+1))
	if err != nil {
		return "", err
	}
	e.r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), e.r.Body), e.r.Body}
	return digest(e.r.Method, e.r.URL.RequestURI(), e.r.Header.Get("Content-Type"), e.team, string(body)), nil
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// claimReply returns what is kept under the key, or keeps row there.
func (a *API) claimReply(ctx context.Context, team hosting.TeamID, row state.Reply) (kept state.Reply, found bool, err error) {
	rows := a.cfg.DB.Team(team).Replies
	err = a.cfg.DB.Update(ctx, func(tx state.Tx) error {
		kept, found, err = rows.Find(tx, state.K(row.Key))
		if err != nil {
			return err
		}
		if found = found && a.now().Before(kept.Expires); found {
			return nil
		}
		old, _, err := rows.ListBy(tx, "expires", "", "", repliesPruned)
		if err != nil {
			return err
		}
		for _, r := range old {
			if a.now().Before(r.Expires) {
				break
			}
			if err := rows.Delete(tx, state.K(r.Key)); err != nil {
				return err
			}
		}
		return rows.Put(tx, &row)
	})
	return kept, found, err
}

// errAnswered says that the answer was written, and nothing is left to do.
type errAnswered struct{}

func (errAnswered) Error() string { return "the request was answered before" }

// replay gives a kept answer again, or says why there is none.
func (a *API) replay(e *entrance, kept state.Reply, request string) error {
	_, runs := a.running.Load(kept.Key)
	switch {
	case kept.Request != request:
		return hosting.Errorf(hosting.CodeInvalid, "the Idempotency-Key was used for another request").WithHint("take a new key for each request")
	case kept.Done:
	case runs && kept.Boot == a.boot:
		return hosting.Errorf(hosting.CodeConflict, "the request with this Idempotency-Key still runs").WithHint("ask again in a moment")
	default:
		return hosting.Errorf(hosting.CodeConflict, "Fairway ended while the request with this Idempotency-Key ran, and cannot say how far it came").
			WithHint("look whether it took effect, and repeat it with a new key if not")
	}
	body, err := a.cfg.Ring.Open(replyPurpose, kept.Key, kept.Body)
	if err != nil {
		return fmt.Errorf("open a kept answer: %w", err)
	}
	h := e.w.Header()
	h.Set("Idempotent-Replayed", "true")
	if kept.Type != "" {
		h.Set("Content-Type", kept.Type)
	}
	e.w.WriteHeader(kept.Status)
	_, _ = e.w.Write(body) // whoever asked has gone
	return errAnswered{}
}

// keepReply keeps the answer that was given, or forgets the key where the request may be sent
// again as if it had never been: faults, too many requests, and credentials that are no good.
func (a *API) keepReply(ctx context.Context, r *reply, rec *recorder) {
	defer a.running.Delete(r.row.Key)
	ctx = context.WithoutCancel(ctx)
	rows := a.cfg.DB.Team(r.team).Replies
	err := a.cfg.DB.Update(ctx, func(tx state.Tx) error {
		if !rec.worthKeeping() {
			return rows.Delete(tx, state.K(r.row.Key))
		}
		row := r.row
		row.Done, row.Status, row.Type = true, rec.status, rec.Header().Get("Content-Type")
		row.Body = a.cfg.Ring.Seal(replyPurpose, row.Key, rec.body.Bytes())
		return rows.Put(tx, &row)
	})
	if err != nil { // the answer is out; a repetition will be told that nothing is known
		a.cfg.Log.Error("an answer could not be kept under its idempotency key", "error", err)
	}
}

// recorder passes an answer on and remembers it.
type recorder struct {
	*response
	status int
	body   bytes.Buffer
	whole  bool // the route returned, rather than break off
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.response.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.body.Len() <= maxReply {
		r.body.Write(b)
	}
	return r.response.Write(b)
}

func (r *recorder) worthKeeping() bool {
	switch {
	case !r.whole, r.body.Len() > maxReply, r.Header().Get("Set-Cookie") != "":
		return false
	case r.status == http.StatusUnauthorized, r.status == http.StatusTooManyRequests:
		return false
	}
	return r.status < http.StatusInternalServerError
}
