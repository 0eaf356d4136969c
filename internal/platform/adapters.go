package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/bell"
	belllocal "github.com/scale-mesh/fairway/internal/bell/local"
	bellredis "github.com/scale-mesh/fairway/internal/bell/redis"
	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	logfile "github.com/scale-mesh/fairway/internal/logs/file"
	logredis "github.com/scale-mesh/fairway/internal/logs/redis"
	"github.com/scale-mesh/fairway/internal/object"
	objectfile "github.com/scale-mesh/fairway/internal/object/file"
	objects3 "github.com/scale-mesh/fairway/internal/object/s3"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
	"github.com/scale-mesh/fairway/internal/state/postgres"
)

// adapters is one implementation of each contract. The runner is opened behind the others: it
// needs the key.
type adapters struct {
	db      state.DB
	objects object.Store
	blobs   *blob.Store
	logs    logs.Store
	bell    bell.Bell
	runner  runners
}

// openAdapters opens what the addresses name. What it has opened by an error is closed by
// Close.
func (p *Platform) openAdapters(ctx context.Context, c Config) (a adapters, err error) {
	// First of all: the locks of its file, and of the routing table's, keep a second Fairway from
	// what is made below.
	if a.db, err = p.openState(ctx, c); err != nil {
		return a, err
	}
	if err = p.openRoutes(bell.Routes); err != nil {
		return a, err
	}
	if a.objects, err = p.openObjects(ctx, c); err != nil {
		return a, err
	}
	a.blobs = blob.New(a.objects)
	if a.logs, err = p.openLogs(c, a.objects); err != nil {
		return a, err
	}
	a.bell, err = p.openBell(c)
	return a, err
}

// openBell opens the bell, which listens to some topics, or to all.
func (p *Platform) openBell(c Config, only ...bell.Topic) (bell.Bell, error) {
	scheme, _, err := address("bell", c.Bell, "local", "redis", "rediss")
	if err != nil || scheme == "local" {
		return belllocal.New(), err
	}
	client, err := p.openRedis(c, "bell", c.Bell)
	if err != nil {
		return nil, err
	}
	b := bellredis.New(bellredis.Config{Client: client, Local: belllocal.New(), Only: only, Log: p.log})
	p.closers = append(p.closers, b.Close)
	return b, nil
}

func (p *Platform) openObjects(ctx context.Context, c Config) (object.Store, error) {
	scheme, dir, err := address("objects", c.Objects, "file", "s3")
	if err != nil {
		return nil, err
	}
	if scheme == "s3" {
		return openBucket(ctx, c)
	}
	objects, err := objectfile.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	p.closers = append(p.closers, objects.Close)
	return objects, nil
}

func openBucket(ctx context.Context, c Config) (object.Store, error) {
	at, err := objects3.Parse(c.Objects)
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	// Not the system's folder for temporary files, which is memory on many machines.
	at.Getenv, at.Dir = c.Getenv, filepath.Join(c.Data, "tmp")
	if err := os.MkdirAll(at.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for bodies: %w", err)
	}
	bucket, err := objects3.Open(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	return bucket, nil
}

func (p *Platform) openState(ctx context.Context, c Config) (state.DB, error) {
	store, err := OpenState(ctx, c, c.State)
	if err != nil {
		return state.DB{}, err
	}
	p.closers = append(p.closers, store.Close)
	return state.DB{Store: store}, nil
}

// OpenState opens the state store that an address names: bolt:///file or postgres://...
func OpenState(ctx context.Context, c Config, dsn string) (state.Store, error) {
	scheme, path, err := address("state", dsn, "bolt", "postgres", "postgresql")
	if err != nil {
		return nil, err
	}
	var store state.Store
	if scheme == "bolt" {
		store, err = bolt.Open(path)
	} else {
		var at postgres.Config
		if at, err = postgres.Parse(dsn, c.secret); err == nil {
			store, err = postgres.Open(ctx, at)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the state store: %w", err)
	}
	return store, nil
}

func (p *Platform) openLogs(c Config, objects object.Store) (logs.Store, error) {
	scheme, dir, err := address("logs", c.Logs, "file", "redis", "rediss")
	if err != nil {
		return nil, err
	}
	if scheme != "file" {
		client, err := p.openRedis(c, "logs", c.Logs)
		if err != nil {
			return nil, err
		}
		store := logredis.Open(logredis.Config{Client: client, Objects: objects, Log: p.log})
		p.closers = append(p.closers, store.Close)
		return store, nil
	}
	store, err := logfile.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the log store: %w", err)
	}
	p.closers = append(p.closers, store.Close)
	return store, nil
}

// program is what the server starts other processes of.
func (c Config) program() (string, error) {
	if c.Executable != "" {
		return c.Executable, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the program to start: %w", err)
	}
	return self, nil
}

// openHashes returns what hashes passwords: workers, and the server itself where none can be
// started, since nobody is kept out for that.
func (p *Platform) openHashes(c Config) (func(string, []byte, argon.Params) []byte, error) {
	exe, err := c.program()
	if err != nil {
		return nil, err
	}
	pool := &argon.Pool{Command: func() *exec.Cmd {
		cmd := exec.Command(exe, "hash")
		cmd.Env = []string{"GOMAXPROCS=1"} // none of the secrets of the server
		return cmd
	}}
	p.closers = append(p.closers, pool.Close)
	return func(password string, salt []byte, params argon.Params) []byte {
		key, err := pool.Key(password, salt, params)
		if err != nil {
			p.log.Warn("a password is hashed by the server itself, which slows the sites", "error", err)
			key = argon.Key(password, salt, params)
		}
		return key
	}, nil
}

// openKey reads the platform's key, from a file that is made at the first start or from the
// environment.
func openKey(c Config) (seal.Key, error) {
	scheme, path, err := address("key", c.Key, "file", "env")
	if err != nil {
		return seal.Key{}, err
	}
	if scheme == "env" {
		return keyOfEnv(c, path)
	}
	return seal.OpenFile(path)
}

func keyOfEnv(c Config, name string) (seal.Key, error) {
	if c.Getenv == nil {
		return seal.Key{}, hosting.Errorf(hosting.CodeInvalid, "key env:%s: there is no environment to read", name)
	}
	return seal.FromText(c.Getenv(name))
}

// openRing returns what values are sealed with: the key, and the one before it while what it
// sealed may still be there.
func openRing(c Config, key seal.Key) (seal.Ring, error) {
	if c.OldKey == "" {
		return seal.NewRing(key), nil
	}
	scheme, path, err := address("old_key", c.OldKey, "file", "env")
	if err != nil {
		return seal.Ring{}, err
	}
	var old seal.Key
	if scheme == "env" {
		old, err = keyOfEnv(c, path)
	} else {
		old, err = seal.ReadFile(path)
	}
	if err != nil {
		return seal.Ring{}, err
	}
	return seal.NewRing(key, old), nil
}

const (
	minToken = 32
	maxToken = 1024
)

// openToken reads the token that callers over TCP need, and makes it at the first start.
func openToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		token := strings.TrimSpace(string(b))
		return token, checkToken(token, path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := seal.NewToken()
	if err := seal.WriteSecret(path, []byte(token+"\n")); err != nil {
		return "", fmt.Errorf("make the token: %w", err)
	}
	return token, nil
}

// checkToken refuses what no caller could send: a header's value is one word of printable
// characters.
func checkToken(token, path string) error {
	sendable := !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(token) >= minToken && len(token) <= maxToken && sendable {
		return nil
	}
	return hosting.Errorf(hosting.CodeInvalid, "the file %s does not hold one word of %d to %d letters and digits", path, minToken, maxToken).
		WithHint("delete it: the next start makes a new one")
}
