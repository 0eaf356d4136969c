// Package awsapi is what adapters of AWS, and of services that speak its protocols, have in
// common: where settings and keys come from, how often a request is repeated, and what may be
// shown of an error. What the SDK says can hold addresses, and what a service says can hold
// keys, so errors are told in words of Fairway's own.
package awsapi

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// KeysHint says where keys come from.
const KeysHint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile or the machine's role"

// Settings say where a service is found and what it is asked with.
type Settings struct {
	Service string // what errors call it: "the object store"
	Region  string // "" for the environment's, or the profile's
	Hint    string // where the region is set
	// Keys is a file of keys as AWS's programs have it, which is read again every minute; "" for
	// where Getenv or the SDK find them.
	Keys string
	// Getenv has AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION; nil
	// is the process's.
	Getenv func(string) string
	HTTP   aws.HTTPClient
}

// Load finds region and keys: first where s says, then where the SDK looks. It asks nobody.
func (s Settings) Load(ctx context.Context) (aws.Config, error) {
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	with := []func(*config.LoadOptions) error{config.WithHTTPClient(s.HTTP)}
	if region := cmp.Or(s.Region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION")); region != "" {
		with = append(with, config.WithRegion(region))
	}
	id, secret := getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	switch {
	case s.Keys != "":
		with = append(with, config.WithCredentialsProvider(aws.NewCredentialsCache(keysFile(s.Keys))))
	case (id == "") != (secret == ""):
		return aws.Config{}, hosting.Errorf(hosting.CodeInvalid, "of the keys of %s, one is missing", s.Service).WithHint(KeysHint)
	case id != "":
		static := credentials.NewStaticCredentialsProvider(id, secret, getenv("AWS_SESSION_TOKEN"))
		with = append(with, config.WithCredentialsProvider(static))
	}
	cfg, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return cfg, fmt.Errorf("load the settings of AWS: %w", err)
	}
	if cfg.Region == "" {
		return cfg, hosting.Errorf(hosting.CodeInvalid, "the region of %s is not known", s.Service).WithHint("%s", s.Hint)
	}
	cfg.Credentials = named{cfg.Credentials}
	return cfg, nil
}

// keysLife is how long keys of a file are good before it is read again.
const keysLife = time.Minute

// keysFile reads keys from a file as ~/.aws/credentials, its profile "default". What writes it,
// such as an agent of a vault, replaces it when the keys are rotated.
type keysFile string

// Retrieve implements aws.CredentialsProvider.
func (path keysFile) Retrieve(ctx context.Context) (aws.Credentials, error) {
	profile, err := config.LoadSharedConfigProfile(ctx, "default", func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{string(path)}, []string{}
	})
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("read the keys from their file: %w", err)
	}
	c := profile.Credentials
	if !c.HasKeys() {
		return aws.Credentials{}, fmt.Errorf("the file of the keys has no aws_access_key_id and aws_secret_access_key below [default]")
	}
	c.CanExpire, c.Expires = true, time.Now().Add(keysLife)
	return c, nil
}

// ParseKeys reads what an address says of a file of keys: file:PATH.
func ParseKeys(v string) (path string, err error) {
	path, ok := strings.CutPrefix(v, "file:")
	if !ok || path == "" {
		return "", hosting.Errorf(hosting.CodeInvalid, "credentials is file:PATH, of a file as ~/.aws/credentials").WithHint(KeysHint)
	}
	return path, nil
}

// IsSecret reports whether the name of a setting is one that a key could be given by, which an
// address has no place for.
func IsSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"key", "secret", "token", "password", "credential", "signature"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// CheckEndpoint refuses what is no address of a service, and one of another machine that would
// be spoken to in the clear, unless that was asked for. "" is AWS. The error shows nothing of it.
func CheckEndpoint(service, endpoint string, insecure bool) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err == nil && u.User != nil:
		return hosting.Errorf(hosting.CodeInvalid, "the endpoint of %s holds no keys", service).WithHint(KeysHint)
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return hosting.Errorf(hosting.CodeInvalid, "the endpoint of %s is not an address", service).WithHint("write it as https://host, without a path")
	case u.Scheme == "http" && !insecure && !hosting.IsLoopback(u.Hostname()):
		return hosting.Errorf(hosting.CodeInvalid, "%s at another machine would be spoken to in the clear", service).
			WithHint("write its endpoint as https://, or add insecure=true if nobody else is on that network")
	}
	return nil
}
