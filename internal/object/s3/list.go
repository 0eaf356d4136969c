package s3

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/scale-mesh/fairway/internal/object"
)

const maxPage = 1000 // of S3

// List asks page by page, in the order of S3, which is that of the keys' bytes.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]object.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.explain(ctx, "list", prefix, err)
	}
	if limit <= 0 || !begins(prefix) {
		return nil, nil
	}
	bound, cancel := s.bound(ctx, 0)
	defer cancel()
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.name(prefix)}
	if after != "" {
		in.StartAfter = s.name(reachable(after))
	}
	var found []object.Info
	for {
		in.MaxKeys = aws.Int32(int32(min(limit-len(found), maxPage)))
		out, err := s.client.ListObjectsV2(bound, in)
		if err == nil && out.IsTruncated == nil {
			err = errNotS3
		}
		if err != nil {
			return nil, s.explain(ctx, "list", prefix, err)
		}
		for _, o := range out.Contents {
			// Others' objects are not listed: no call could name them.
			if key, ok := strings.CutPrefix(aws.ToString(o.Key), s.prefix); ok && object.CheckKey(key) == nil {
				found = append(found, object.Info{Key: key, Size: aws.ToInt64(o.Size)})
			}
		}
		if len(found) >= limit || !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextContinuationToken) == "" {
			return found, nil
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// begins reports whether a key can begin with prefix.
func begins(prefix string) bool {
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	last := prefix[len(dir):]
	word := strings.TrimLeft(last, ".") // "." and ".." are no segments, but begin some
	return len(prefix) <= object.MaxKey && !strings.HasPrefix(last, ".tmp") &&
		(word == "" || object.CheckKey(word) == nil) && (dir == "" || object.CheckKey(dir[:len(dir)-1]) == nil)
}

// reachable returns a text of printable characters, no longer than a key can be compared
// with, that the same keys are greater than. The characters of keys lie between "-" and "z".
func reachable(after string) string {
	after = after[:min(len(after), object.MaxKey+1)]
	for i, c := range []byte(after) {
		if c < '-' {
			return after[:i]
		}
		if c > 'z' {
			return after[:i] + "~"
		}
	}
	return after
}
