package s3

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// Config names a bucket. It holds no keys: those come from Getenv, or from where the AWS SDK
// looks by itself.
type Config struct {
	Bucket    string
	Prefix    string // what all keys begin with, without a slash at its end; "" for none
	Endpoint  string // http:// or https:// address of the service; "" for AWS
	Region    string // "" for the environment's, or the profile's
	PathStyle bool   // the bucket is in the path of requests, not in their host
	Unsigned  bool   // no upload is presigned: all bodies come by Put
	Insecure  bool   // the endpoint may be another machine's, and spoken to in the clear
	// Keys is a file of keys as AWS's programs have it, which is read again when it was changed;
	// "" for where Getenv or the SDK find them.
	Keys string

	Getenv  func(string) string // where AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION are; nil for the process's
	Dir     string              // where large bodies wait to be checked; "" for the system's
	Timeout time.Duration       // how long a response may take to begin, or to go on; default 10 s
}

const (
	scheme    = "s3://"
	maxPrefix = 256
	service   = "the object store"
	example   = "write it as s3://bucket/prefix?endpoint=https://host&region=us-east-1&path_style=true"
)

// bucketName is what S3 allows: also no more than that is put into a host name.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Parse reads "s3://bucket/prefix?endpoint=URL&region=NAME&path_style=BOOL&presign=auto",
// with credentials=file:PATH and insecure=BOOL, too, of which only the bucket is mandatory. Its errors have CodeInvalid and show nothing of a DSN that may
// hold keys.
func Parse(dsn string) (Config, error) {
	rest, ok := strings.CutPrefix(dsn, scheme)
	if !ok {
		return Config{}, invalid("the address of a bucket begins with s3://").WithHint(example)
	}
	place, query, _ := strings.Cut(rest, "?")
	if strings.Contains(place, "@") {
		return Config{}, invalid("the address of a bucket holds no keys").WithHint(awsapi.KeysHint)
	}
	c := Config{}
	c.Bucket, c.Prefix, _ = strings.Cut(place, "/")
	c.Prefix = strings.TrimSuffix(c.Prefix, "/")
	values, err := url.ParseQuery(query)
	if err != nil {
		return Config{}, invalid("the settings of the bucket's address cannot be read").WithHint(example)
	}
	for name, v := range values {
		if err := c.set(name, v); err != nil {
			return Config{}, err
		}
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (c *Config) set(name string, all []string) (err error) {
	v := all[0]
	switch name {
	case "endpoint":
		c.Endpoint = v
	case "region":
		c.Region = v
	case "path_style":
		if c.PathStyle, err = strconv.ParseBool(v); err != nil {
			return invalid("path_style is true or false")
		}
	case "insecure":
		if c.Insecure, err = strconv.ParseBool(v); err != nil {
			return invalid("insecure is true or false")
		}
	case "credentials":
		if c.Keys, err = awsapi.ParseKeys(v); err != nil {
			return err
		}
	case "presign":
		if v != "off" && v != "auto" {
			return invalid("presign is off or auto")
		}
		c.Unsigned = v == "off"
	default:
		if awsapi.IsSecret(name) {
			return invalid("the address of a bucket holds no keys").WithHint(awsapi.KeysHint)
		}
		// Its name is not shown, since it may be a key as well.
		return invalid("the bucket's address has a setting that is not known").WithHint("known: endpoint, region, path_style, credentials, insecure, presign")
	}
	if len(all) > 1 {
		return invalid("the bucket's address has %s more than once", name)
	}
	return nil
}

func (c Config) check() error {
	if !bucketName.MatchString(c.Bucket) || strings.Contains(c.Bucket, "..") {
		return invalid("a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens").WithHint(example)
	}
	if c.Prefix != "" && (object.CheckKey(c.Prefix) != nil || len(c.Prefix) > maxPrefix) {
		return invalid("the prefix in a bucket has 1 to %d letters, digits and ._-/, without empty segments", maxPrefix)
	}
	return awsapi.CheckEndpoint(service, c.Endpoint, c.Insecure)
}

func invalid(format string, args ...any) *hosting.Error {
	return hosting.Errorf(hosting.CodeInvalid, format, args...)
}
