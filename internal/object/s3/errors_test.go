package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

// call makes every call that can fail, each with its error.
func call(t *testing.T, s object.Store) map[string]error {
	t.Helper()
	_, _, get := s.Get(t.Context(), "key")
	_, stat := s.Stat(t.Context(), "key")
	_, list := s.List(t.Context(), "", "", 10)
	return map[string]error{
		"get": get, "stat": stat, "list": list, "delete": s.Delete(t.Context(), "key"),
		"put": s.Put(t.Context(), "key", strings.NewReader("x"), object.Check{Size: 1}),
	}
}

func wantUnavailable(t *testing.T, s object.Store, says string) {
	t.Helper()
	for name, err := range call(t, s) {
		if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s that says %q", name, err, hosting.CodeUnavailable, says)
		}
		wantNoSecrets(t, err)
	}
}

func TestStore_IsUnavailableWithoutItsBucketOrItsKeys(t *testing.T) {
	g := gateway(t)
	bucket := g.bucket(t)
	wantUnavailable(t, open(t, s3.Config{Endpoint: g.url, Bucket: "no-such-bucket"}), "no such bucket")
	wrong := func(secret string) func(string) string {
		return func(name string) string {
			if name == "AWS_SECRET_ACCESS_KEY" {
				return secret
			}
			return keys(name)
		}
	}
	wantUnavailable(t, open(t, s3.Config{Endpoint: g.url, Bucket: bucket, Getenv: wrong("wrong")}), "refuses")
	put(t, open(t, s3.Config{Endpoint: g.url, Bucket: bucket, Getenv: wrong(secretKey)}), "key", "x")
}

func TestStore_IsUnavailableWhereNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	wantUnavailable(t, open(t, s3.Config{Endpoint: "http://" + addr, Bucket: "bucket"}), "connection refused")
}

// answering opens a store whose service answers everything alike.
func answering(t *testing.T, status int, body string) *s3.Store {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return open(t, s3.Config{Endpoint: server.URL, Bucket: "bucket"})
}

// xml is an answer as S3 gives it, with all that it must not be believed to keep secret.
func xml(code string) string {
	return "<Error><Code>" + code + "</Code><Message>no " + accessKey + " http://bucket?X-Amz-Signature=1</Message><AWSAccessKeyId>" +
		accessKey + "</AWSAccessKeyId><StringToSign>Credential=" + accessKey + "</StringToSign></Error>"
}

func TestStore_GivesAnswersTheirCodes(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   hosting.Code
		says   string
	}{
		{404, xml("NoSuchKey"), hosting.CodeNotFound, "no such object"},
		{404, xml("NoSuchBucket"), hosting.CodeUnavailable, "no such bucket"},
		{404, "<html>not here</html>", hosting.CodeUnavailable, "no such bucket"},
		{403, xml("AccessDenied"), hosting.CodeUnavailable, "403 AccessDenied"},
		{403, xml("SignatureDoesNotMatch"), hosting.CodeUnavailable, "refuses"},
		{403, xml("RequestTimeTooSkewed"), hosting.CodeUnavailable, "clock"},
		{401, "", hosting.CodeUnavailable, "refuses"},
		{400, xml("XAmzContentSHA256Mismatch"), hosting.CodeUnavailable, "400 XAmz"},
		{400, xml("KeyTooLongError"), hosting.CodeInvalid, "too long"},
		{409, xml("ObjectParentIsFile"), hosting.CodeConflict, "below another"},
		{409, xml("OperationAborted"), hosting.CodeUnavailable, "409 OperationAborted"},
		{301, xml("PermanentRedirect"), hosting.CodeUnavailable, "301"},
		{500, xml("InternalError"), hosting.CodeUnavailable, "500 InternalError"},
		{500, xml("Some " + accessKey + " text"), hosting.CodeUnavailable, "(500)"},
		{502, "<html>bad gateway", hosting.CodeUnavailable, "502"},
		{503, xml("ServiceUnavailable"), hosting.CodeUnavailable, "503"},
		{507, xml("XMinioStorageFull"), hosting.CodeStorageFull, "no space"},
		{403, xml("QuotaExceeded"), hosting.CodeStorageFull, "no space"},
	} {
		s := answering(t, c.status, c.body)
		_, _, get := s.Get(t.Context(), "key")
		put := s.Put(t.Context(), "key", strings.NewReader("x"), object.Check{Size: 1})
		for name, err := range map[string]error{"get": get, "put": put} {
			if !hosting.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %d %.40s: code %q (%v), want %q that says %q", name, c.status, c.body, hosting.CodeOf(err), err, c.want, c.says)
			}
			wantNoSecrets(t, err)
		}
	}
	err := answering(t, 404, xml("NoSuchKey")).Delete(t.Context(), "key")
	if err != nil {
		t.Errorf("delete of an absent object: %v", err)
	}
}

func TestStore_SlowsDownWhenAskedTo(t *testing.T) {
	_, err := answering(t, 503, xml("SlowDown")).Stat(t.Context(), "key") // a HEAD without a body
	if !hosting.Is(err, hosting.CodeUnavailable) {
		t.Error(err)
	}
	_, _, err = answering(t, 503, xml("SlowDown")).Get(t.Context(), "key")
	if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "SlowDown") {
		t.Error(err)
	}
}

// TestStore_DoesNotTakeAnythingForS3 has a server that answers 200 to everything.
func TestStore_DoesNotTakeAnythingForS3(t *testing.T) {
	for _, page := range []string{"", "<html>welcome to the router</html>"} {
		for name, err := range call(t, answering(t, 200, page)) {
			if name != "delete" && !hosting.Is(err, hosting.CodeUnavailable) {
				t.Errorf("%s of %q: %v", name, page, err)
			}
		}
	}
}

// TestStore_EndsWithTheCallersContext has a service that never answers: the end of the
// caller's patience is no fault of the store.
func TestStore_EndsWithTheCallersContext(t *testing.T) {
	asked := make(chan struct{}, 10)
	s, _ := proxied(t, s3.Config{}, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := s.Stat(ctx, "key"); !errors.Is(err, context.Canceled) || hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := s.Get(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("out of time: %v", err)
	}
}
