package object_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

func TestCopy_ReadsOneByteMoreThanTheCheckAtMost(t *testing.T) {
	body := strings.NewReader(strings.Repeat("x", 1000))
	var w bytes.Buffer
	err := object.Copy(t.Context(), &w, body, object.Check{Size: 10})
	if !hosting.Is(err, hosting.CodeMismatch) || body.Len() != 989 || w.Len() != 10 {
		t.Errorf("%v; %d bytes are left, %d were written", err, body.Len(), w.Len())
	}
}

func TestCopy_ChecksDigestOnlyWhereThereIsOne(t *testing.T) {
	for name, c := range map[string]struct {
		digest hosting.Digest
		want   hosting.Code
	}{
		"none": {hosting.Digest{}, ""}, "right": {hosting.DigestOf([]byte("body")), ""}, "another": {hosting.DigestOf([]byte("else")), hosting.CodeMismatch},
	} {
		err := object.Copy(t.Context(), io.Discard, strings.NewReader("body"), object.Check{Size: 4, Digest: c.digest})
		if hosting.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCopy_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := strings.NewReader("body")
	if err := object.Copy(ctx, io.Discard, body, object.Check{Size: 4}); !errors.Is(err, context.Canceled) || body.Len() != 4 {
		t.Errorf("%v, %d bytes are left", err, body.Len())
	}
}
