package platform

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// bucketKeys are in the environment that Config reads, not in that of the process.
func bucketKeys(name string) string {
	return map[string]string{"AWS_ACCESS_KEY_ID": "AKIAPLATFORM", "AWS_SECRET_ACCESS_KEY": "shibboleth", "AWS_REGION": "eu-test-1"}[name]
}

func TestOpenObjects_OpensABucketWithTheKeysOfTheEnvironment(t *testing.T) {
	var asked atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization"))
		w.Header().Set("Content-Length", "7")
		w.Header().Set("ETag", `"1"`)
	}))
	defer server.Close()
	c := Config{Data: t.TempDir(), Objects: "s3://bucket/pre?path_style=true&endpoint=" + server.URL, Getenv: bucketKeys}
	s, err := (&Platform{}).openObjects(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(t.Context(), "key"); err != nil || info.Size != 7 {
		t.Errorf("%+v, %v", info, err)
	}
	got, _ := asked.Load().(string)
	for _, want := range []string{"HEAD /bucket/pre/key ", "Credential=AKIAPLATFORM/", "/eu-test-1/s3/"} {
		if !strings.Contains(got, want) {
			t.Errorf("the service was asked %q, want %q in it", got, want)
		}
	}
}

func TestOpen_StartsWhileTheBucketIsAway(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	open(t, Config{Data: t.TempDir(), Executable: "/bin/false", Objects: "s3://bucket?region=x&endpoint=" + server.URL, Getenv: bucketKeys})
}

func TestOpen_RefusesABucketWithKeysInItsAddress(t *testing.T) {
	for _, objects := range []string{"s3://me:shibboleth@bucket", "s3://bucket?secret_key=shibboleth", "s3://", "gs://me:shibboleth@bucket"} {
		_, err := Open(t.Context(), Config{Data: t.TempDir(), Executable: "/bin/false", Objects: objects, Getenv: bucketKeys})
		if !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: %v", objects, err)
		} else if strings.Contains(err.Error(), "shibboleth") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
