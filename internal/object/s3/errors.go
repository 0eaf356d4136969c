package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// explain gives an error the code of object.Store, and a text that was made here: what the
// SDK says can hold addresses, and what a service says can hold keys.
func (s *Store) explain(ctx context.Context, action, key string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s object %s: %w", action, key, ended)
	}
	if awsapi.Status(err) == 404 && awsapi.Code(err) != noSuchKey && awsapi.Code(err) != noSuchBucket {
		err = s.whatIsAbsent(ctx, err)
	}
	return explained(action, key, err)
}

func explained(action, key string, err error) error {
	return fmt.Errorf("%s object %s: %w (%s)", action, key, meaning(err), detail(err))
}

const (
	noSuchKey    = "NoSuchKey"
	noSuchBucket = "NoSuchBucket"
	isFolder     = "ExistingObjectIsDirectory"
)

// whatIsAbsent asks for the bucket where an answer says no more than 404, as that to HEAD
// does: everything that is stored would look lost where only the bucket's name is wrong.
func (s *Store) whatIsAbsent(ctx context.Context, err error) error {
	if s.found.Load() {
		return &smithy.GenericAPIError{Code: noSuchKey}
	}
	bound, cancel := s.bound(ctx, 0)
	defer cancel()
	_, bucketErr := s.client.HeadBucket(bound, &s3.HeadBucketInput{Bucket: &s.bucket})
	switch {
	case bucketErr == nil:
		s.found.Store(true)
		return &smithy.GenericAPIError{Code: noSuchKey}
	case awsapi.Status(bucketErr) == 404:
		return &smithy.GenericAPIError{Code: noSuchBucket}
	}
	return bucketErr
}

// errNotS3 is for a 200 without what every S3 says with it: the sender is another server,
// as a proxy that asks for a password, and a Put must not be believed done.
var errNotS3 = errors.New("not an answer of S3")

// full are codes of MinIO and versitygw for no space, and for a quota of their own.
var full = map[string]bool{
	"XMinioStorageFull": true, "XMinioAdminBucketQuotaExceeded": true, "QuotaExceeded": true,
}

// conflicts are the codes of services that keep objects as files, as versitygw does.
var conflicts = map[string]bool{
	isFolder: true, "ObjectParentIsFile": true, "XMinioObjectExistsAsDirectory": true,
}

// meaning says what an error of the SDK means for whoever asked.
func meaning(err error) *hosting.Error {
	st, c := awsapi.Status(err), awsapi.Code(err)
	switch {
	case awsapi.IsKeys(err):
		return unavailable("there are no keys for the object store").WithHint(awsapi.KeysHint)
	case c == noSuchKey:
		return hosting.Errorf(hosting.CodeNotFound, "there is no such object")
	case c == noSuchBucket:
		return unavailable("the object store has no such bucket").WithHint("make it, or correct FAIRWAY_OBJECTS")
	case st == 401 || st == 403 && !full[c]:
		return unavailable("the object store refuses Fairway's keys").WithHint("see what their role may do, and the clock")
	case st == 507 || full[c]:
		return hosting.Errorf(hosting.CodeStorageFull, "there is no space left for objects").WithHint("free some in the object store")
	case conflicts[c]:
		return hosting.Errorf(hosting.CodeConflict, "the object key lies below another object, or is the folder of others")
	case c == "KeyTooLongError":
		return invalid("the object key is too long for the object store")
	case st != 0:
		return unavailable("the object store answers with an error")
	}
	return unavailable("the object store does not answer")
}

func unavailable(format string, args ...any) *hosting.Error {
	return hosting.Errorf(hosting.CodeUnavailable, format, args...)
}

// unspooled gives the errors of a temporary file their code, and leaves those of the body.
func unspooled(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", hosting.Errorf(hosting.CodeStorageFull, "there is no space left for a body that is to be checked").
			WithHint("free some on the disk of the data folder"), err)
	}
	return err
}

// word is what an error code of S3 looks like; nothing else that a service sends is shown.
var word = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// detail says for the log what happened, without any text of a request or a response.
func detail(err error) string {
	if st, c := awsapi.Status(err), awsapi.Code(err); (st != 0 || c != "") && !awsapi.IsKeys(err) {
		if word.MatchString(c) {
			return fmt.Sprintf("%d %s", st, c)
		}
		return fmt.Sprint(st)
	}
	return cmp.Or(awsapi.OnTheWay(err), errNotS3.Error())
}
