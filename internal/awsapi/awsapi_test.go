package awsapi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKeysFile_IsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keysFile(path).Retrieve(t.Context()); err == nil {
		t.Error("a file that is not there has keys")
	}
	write("[default]\naws_access_key_id = first\naws_secret_access_key = hush\n")
	c, err := keysFile(path).Retrieve(t.Context())
	if err != nil || c.AccessKeyID != "first" || c.SecretAccessKey != "hush" {
		t.Fatalf("got %q, %v", c.AccessKeyID, err)
	}
	if left := time.Until(c.Expires); !c.CanExpire || left <= 0 || left > keysLife {
		t.Errorf("the keys are good for %v", left)
	}
	write("[default]\naws_access_key_id = second\naws_secret_access_key = other\naws_session_token = token\n")
	if c, err = keysFile(path).Retrieve(t.Context()); err != nil || c.AccessKeyID != "second" || c.SessionToken != "token" {
		t.Errorf("after a rotation: %q, %v", c.AccessKeyID, err)
	}
	write("[default]\nregion = eu-central-1\n")
	if _, err := keysFile(path).Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "aws_access_key_id") {
		t.Errorf("a file without keys: %v", err)
	}
}
