package s3

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

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
		return aws.Credentials{}, fmt.Errorf("read the keys of the object store from their file: %w", err)
	}
	c := profile.Credentials
	if !c.HasKeys() {
		return aws.Credentials{}, fmt.Errorf("the file of the object store's keys has no aws_access_key_id and aws_secret_access_key below [default]")
	}
	c.CanExpire, c.Expires = true, time.Now().Add(keysLife)
	return c, nil
}
