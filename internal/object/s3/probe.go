package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

const (
	probePrefix = "probe/"
	probeSize   = 64
	probeLife   = 5 * time.Minute
	checksum    = "X-Amz-Checksum-Sha256"
	ifNoneMatch = "If-None-Match"
)

// Probe uploads the right bytes and wrong ones to a key of its own. An ordinary Put goes
// first: where that fails, a refusal would say nothing about presigned uploads.
func (s *Store) Probe(ctx context.Context) (object.Enforced, error) {
	if s.unsigned {
		return object.Enforced{}, object.ErrNotPresigned
	}
	p := &probe{s: s, key: probePrefix + rand.Text(), right: make([]byte, probeSize)}
	_, _ = rand.Read(p.right) // never fails
	check := object.Check{Size: probeSize, Digest: hosting.DigestOf(p.right)}
	if err := s.Put(ctx, p.key, bytes.NewReader(p.right), check); err != nil {
		return object.Enforced{}, fmt.Errorf("probe uploads: %w", err)
	}
	defer p.remove(context.WithoutCancel(ctx)) // nobody waits for it longer than for a Delete
	err := s.Delete(ctx, p.key)
	if err == nil {
		p.upload, err = s.presign(ctx, p.key, check, probeLife)
	}
	var found object.Enforced
	if err == nil {
		found, err = p.run(ctx)
	}
	if err != nil {
		return object.Enforced{}, fmt.Errorf("probe uploads: %w", err)
	}
	s.enforces.Store(found.All())
	return found, nil
}

// probe is the key of one Probe, and the upload that is signed for it.
type probe struct {
	s      *Store
	key    string
	right  []byte
	upload object.Upload
}

// run tries what has to be refused before anything is stored, then the right bytes, then
// these again.
func (p *probe) run(ctx context.Context) (found object.Enforced, err error) {
	wrong := bytes.Clone(p.right)
	wrong[probeSize/2] ^= 1
	// Without the last two, a service that checks the body by a header which it does not hold
	// to the signature would pass: whoever uploads changes both.
	found.Bytes, err = p.refuses(ctx, attempt{body: wrong}, attempt{body: wrong, drop: checksum}, attempt{body: wrong, sum: true})
	if err != nil {
		return found, err
	}
	found.Length, err = p.refuses(ctx, attempt{body: append(bytes.Clone(p.right), 0)}, attempt{body: p.right[:probeSize-1]})
	if err != nil {
		return found, err
	}
	if found.Taken, err = p.takes(ctx, attempt{body: p.right}); err != nil || !found.Taken {
		return found, err
	}
	if found.Taken, err = p.holds(ctx); err != nil {
		return found, err
	}
	again, err := p.send(ctx, attempt{body: p.right})
	if err != nil {
		return found, err
	}
	overwrites, err := p.takes(ctx, attempt{body: p.right, drop: ifNoneMatch})
	// Any other refusal would not tell an uploader that its blob is there.
	found.Once = again == http.StatusPreconditionFailed && !overwrites
	return found, err
}

// refuses reports whether none of the attempts is taken, and none leaves an object.
func (p *probe) refuses(ctx context.Context, attempts ...attempt) (bool, error) {
	for _, a := range attempts {
		taken, err := p.takes(ctx, a)
		if err != nil {
			return false, err
		}
		_, err = p.s.Stat(ctx, p.key)
		if err != nil && !hosting.Is(err, hosting.CodeNotFound) {
			return false, err
		}
		if taken || err == nil {
			return false, p.s.Delete(ctx, p.key)
		}
	}
	return true, nil
}

// holds reports whether the right bytes are stored.
func (p *probe) holds(ctx context.Context) (bool, error) {
	body, _, err := p.s.Get(ctx, p.key)
	if hosting.Is(err, hosting.CodeNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	got, err := io.ReadAll(io.LimitReader(body, probeSize+1))
	return bytes.Equal(got, p.right), err
}

// attempt is one use of the signed upload: with some body, without one of the headers that
// were signed, or with the sum of the body in the place of the one that was signed.
type attempt struct {
	body []byte
	drop string
	sum  bool
}

// takes reports whether the service says that it stores an attempt.
func (p *probe) takes(ctx context.Context, a attempt) (bool, error) {
	status, err := p.send(ctx, a)
	return status/100 == 2, err
}

// send makes an attempt and returns the status of the answer, which stores it or refuses it;
// any other is an error.
func (p *probe) send(ctx context.Context, a attempt) (int, error) {
	bound, cancel := p.s.bound(ctx, 0)
	defer cancel()
	r, err := http.NewRequestWithContext(bound, http.MethodPut, p.upload.URL, bytes.NewReader(a.body))
	if err != nil {
		return 0, errors.New("the signed address cannot be read") // and must not be shown
	}
	for name, value := range p.upload.Headers {
		r.Header.Set(name, value)
	}
	if a.sum {
		digest := hosting.DigestOf(a.body)
		r.Header.Set(checksum, base64.StdEncoding.EncodeToString(digest[:]))
	}
	r.Header.Del(a.drop)
	resp, err := p.s.http.Do(r)
	if err != nil {
		return 0, p.s.explain(ctx, "probe", p.key, err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
	st := resp.StatusCode
	switch {
	case st == http.StatusRequestTimeout, st == http.StatusTooManyRequests:
	case st/100 == 2, st/100 == 4, st == http.StatusNotModified, st == http.StatusNotImplemented:
		return st, nil
	}
	return 0, unavailable("the object store answers %d", st)
}

func (p *probe) remove(ctx context.Context) {
	_ = p.s.Delete(ctx, p.key) // what stays is 64 bytes that nobody reads
}
