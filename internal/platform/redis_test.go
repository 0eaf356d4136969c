package platform

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/servertest"
)

// A password in a file is read for each connection, so that one that was rotated is found.
func TestOpenRedis_FindsAPasswordThatWasRotated(t *testing.T) {
	server := servertest.Redis(t, "--requirepass", "first")
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	var said strings.Builder
	p := &Platform{log: slog.New(slog.NewTextHandler(&said, nil))}
	client, err := p.openRedis(Config{}, "bell", "redis://"+server.Addr+"?password=file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	admin := redis.NewClient(&redis.Options{Addr: server.Addr, Password: "first"})
	defer admin.Close()
	if err := admin.ConfigSet(t.Context(), "requirepass", "second").Err(); err != nil {
		t.Fatal(err)
	}
	// The control: with the file as it was, a new connection is refused.
	kill := func() { _ = admin.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err() }
	kill()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("the old password is good")
	}
	write("second")
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("with the new one: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	kill()
	if err := client.Ping(t.Context()).Err(); err == nil || !strings.Contains(said.String(), "cannot be read from its file") {
		t.Errorf("without the file: %v, said %q", err, said.String())
	}
}
