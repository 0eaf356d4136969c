package s3_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

func TestParse_ReadsAddresses(t *testing.T) {
	for dsn, want := range map[string]s3.Config{
		"s3://bucket":           {Bucket: "bucket"},
		"s3://bucket/":          {Bucket: "bucket"},
		"s3://bucket//":         {Bucket: "bucket"},
		"s3://my.bucket-1/a/b/": {Bucket: "my.bucket-1", Prefix: "a/b"},
		"s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=true": {
			Bucket: "bucket", Prefix: "prefix", Endpoint: "http://127.0.0.1:9000", Region: "us-east-1", PathStyle: true,
		},
		"s3://bucket?endpoint=https%3A%2F%2Fabc.r2.cloudflarestorage.com%2F&region=auto": {
			Bucket: "bucket", Endpoint: "https://abc.r2.cloudflarestorage.com/", Region: "auto",
		},
		"s3://bucket?path_style=false": {Bucket: "bucket"},
		"s3://bucket?presign=off":      {Bucket: "bucket", Unsigned: true},
		"s3://bucket?presign=auto":     {Bucket: "bucket"},
	} {
		got, err := s3.Parse(dsn)
		got.Getenv = nil
		if err != nil || !same(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", dsn, got, err, want)
		}
	}
}

func same(a, b s3.Config) bool {
	return a.Bucket == b.Bucket && a.Prefix == b.Prefix && a.Endpoint == b.Endpoint && a.Region == b.Region && a.PathStyle == b.PathStyle && a.Unsigned == b.Unsigned
}

func TestParse_RefusesWhatIsNoBucket(t *testing.T) {
	for dsn, says := range map[string]string{
		"":                                     "begins with s3://",
		"bucket":                               "begins with s3://",
		"S3://bucket":                          "begins with s3://",
		"s3://":                                "3 to 63",
		"s3:///prefix":                         "3 to 63",
		"s3://ab":                              "3 to 63",
		"s3://Bucket":                          "3 to 63",
		"s3://-bucket":                         "3 to 63",
		"s3://buc..ket":                        "3 to 63",
		"s3://buc_ket":                         "3 to 63",
		"s3://" + strings.Repeat("b", 64):      "3 to 63",
		"s3://bucket/a//b":                     "the prefix",
		"s3://bucket/../b":                     "the prefix",
		"s3://bucket/a b":                      "the prefix",
		"s3://bucket/a#b":                      "the prefix",
		"s3://bucket/%61":                      "the prefix",
		"s3://bucket/.tmp":                     "the prefix",
		"s3://b.b/" + strings.Repeat("a", 257): "the prefix",
		"s3://bucket?path_style=maybe":         "true or false",
		"s3://bucket?path_style=":              "true or false",
		"s3://bucket?presign=on":               "off or auto",
		"s3://bucket?colour=red":               "not known",
		"s3://bucket?region=a&region=b":        "more than once",
		"s3://bucket?endpoint=%zz":             "cannot be read",
		"s3://bucket?endpoint=127.0.0.1":       "endpoint",
		"s3://bucket?endpoint=ftp://host":      "endpoint",
		"s3://bucket?endpoint=http://":         "endpoint",
		"s3://bucket?endpoint=http://h/path":   "endpoint",
		"s3://bucket?endpoint=http://h?x=1":    "endpoint",
		"s3://bucket?endpoint=http://[::1":     "endpoint",
	} {
		c, err := s3.Parse(dsn)
		if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v; want an error that says %q", dsn, c, err, says)
		}
	}
}

func TestParse_RefusesKeysAndShowsNone(t *testing.T) {
	for _, dsn := range []string{
		"s3://AKIAX:hunter2@bucket", "s3://hunter2@bucket/prefix", "s3://bucket/a@hunter2",
		"s3://bucket?access_key=hunter2", "s3://bucket?secret_key=hunter2", "s3://bucket?AWS_SECRET_ACCESS_KEY=hunter2",
		"s3://bucket?secretAccessKey=hunter2", "s3://bucket?session_token=hunter2", "s3://bucket?password=hunter2",
		"s3://bucket?X-Amz-Signature=hunter2", "s3://bucket?endpoint=http://me:hunter2@host",
	} {
		_, err := s3.Parse(dsn)
		if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
			t.Errorf("%s: %v, want a hint where keys belong", dsn, err)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	if _, err := s3.Parse("s3://bucket?hunter2=x"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a setting that is not known: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, dsn := range []string{"s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=true", "s3://a:b@c", "s3://bucket?x;y", ""} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		c, err := s3.Parse(dsn)
		if err != nil {
			if !hosting.Is(err, hosting.CodeInvalid) || !same(c, s3.Config{}) {
				t.Errorf("%q: %+v, %v", dsn, c, err)
			}
			return
		}
		if !strings.HasPrefix(dsn, "s3://"+c.Bucket) || !strings.Contains(dsn, c.Prefix) || strings.Contains(c.Endpoint, "@") {
			t.Errorf("%q became %+v", dsn, c)
		}
	})
}

// bare is an environment without keys, region, profile or instance.
func bare(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, v)
	}
}

func TestOpen_NeedsARegionAndBothKeys(t *testing.T) {
	bare(t)
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for _, p := range pairs {
				if k, v, _ := strings.Cut(p, "="); k == name {
					return v
				}
			}
			return ""
		}
	}
	both := env("AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b")
	for says, c := range map[string]s3.Config{
		"region":         {Bucket: "bucket", Getenv: both},
		"one is missing": {Bucket: "bucket", Region: "x", Getenv: env("AWS_ACCESS_KEY_ID=a")},
		"is missing":     {Bucket: "bucket", Region: "x", Getenv: env("AWS_SECRET_ACCESS_KEY=b")},
		"a bucket's":     {Bucket: "B", Region: "x", Getenv: both},
	} {
		if _, err := s3.Open(t.Context(), c); !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want an error that says %q", err, says)
		}
	}
	for name, c := range map[string]s3.Config{
		"region in the address":     {Bucket: "bucket", Region: "x", Getenv: both},
		"region in the environment": {Bucket: "bucket", Getenv: env("AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_DEFAULT_REGION=x")},
		"no keys yet":               {Bucket: "bucket", Region: "x"},
	} {
		if _, err := s3.Open(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStore_SaysThatThereAreNoKeysAndTakesThemFromAProfile(t *testing.T) {
	bare(t)
	g := gateway(t)
	c := s3.Config{Endpoint: g.url, Bucket: g.bucket(t), Getenv: func(string) string { return "" }}
	_, err := open(t, c).Stat(t.Context(), "key")
	if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without keys: %v", err)
	}
	file := filepath.Join(t.TempDir(), "credentials")
	profile := "[default]\naws_access_key_id = " + accessKey + "\naws_secret_access_key = " + secretKey + "\n"
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	put(t, open(t, c), "key", "x")
}

func TestParse_ReadsWhereKeysAreAndWhatIsInTheClear(t *testing.T) {
	for dsn, refused := range map[string]string{
		"s3://bucket?credentials=file:/run/secrets/s3":            "",
		"s3://bucket?credentials=/run/secrets/s3":                 "file:PATH",
		"s3://bucket?credentials=AKIAHUSH":                        "file:PATH",
		"s3://bucket?endpoint=http://10.0.0.7:9000":               "in the clear",
		"s3://bucket?endpoint=http://minio:9000&insecure=false":   "in the clear",
		"s3://bucket?endpoint=http://minio:9000&insecure=true":    "",
		"s3://bucket?endpoint=http://minio:9000&insecure=perhaps": "true or false",
		"s3://bucket?endpoint=http://localhost:9000":              "",
		"s3://bucket?endpoint=http://[::1]:9000":                  "",
		"s3://bucket?endpoint=https://s3.example.com":             "",
	} {
		_, err := s3.Parse(dsn)
		if (err == nil) != (refused == "") || err != nil && (!strings.Contains(err.Error(), refused) || strings.Contains(err.Error(), "AKIAHUSH")) {
			t.Errorf("%s: %v, want %q", dsn, err, refused)
		}
	}
}
