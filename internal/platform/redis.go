package platform

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const redisExample = "write redis://user@host:6379/0?password=env:NAME, or rediss:// for TLS"

// openRedis returns a client of the Redis that an address names. It does not wait for Redis:
// who needs it says what happens while it is away.
func (p *Platform) openRedis(c Config, field, address string) (*redis.Client, error) {
	o, err := p.parseRedis(c, field, address)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silent{}) // adapters say themselves what is lost, once, and without addresses
	client := redis.NewClient(o)
	p.closers = append(p.closers, client.Close)
	return client, nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// parseRedis reads an address. Its errors show nothing of one that may hold a password.
func (p *Platform) parseRedis(c Config, field, address string) (*redis.Options, error) {
	invalid := func(format string, args ...any) error {
		return hosting.Errorf(hosting.CodeInvalid, field+": "+format, args...).WithHint(redisExample)
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "redis" && u.Scheme != "rediss" || u.Fragment != "" {
		return nil, invalid("the address of Redis cannot be read")
	}
	o := &redis.Options{
		Addr: net.JoinHostPort(u.Hostname(), pick(u.Port() == "", "6379", u.Port())), Username: u.User.Username(),
		DialTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second,
		MaxRetries: 1, DialerRetries: 1, PoolSize: 32, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	o.Password, _ = u.User.Password()
	if db := strings.Trim(u.Path, "/"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return nil, invalid("the number of the database is none")
		}
	}
	insecure := false
	for name, values := range u.Query() {
		v := values[len(values)-1]
		switch name {
		case "password":
			if _, err := c.secret(v); err != nil {
				return nil, invalid("the password %v", err)
			}
			o.CredentialsProvider = func() (user, password string) { // for each connection anew: it may have been rotated
				password, err := c.secret(v)
				if err != nil {
					p.log.Warn(field + ": the password of Redis " + err.Error())
				}
				return o.Username, password
			}
		case "insecure":
			insecure = v == "true"
		default:
			return nil, invalid("the address has a setting that is not known: known are password and insecure")
		}
	}
	switch {
	case u.Scheme == "rediss":
		o.TLSConfig = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	case !insecure && !hosting.IsLoopback(u.Hostname()):
		return nil, hosting.Errorf(hosting.CodeInvalid, "%s: Redis at another machine would be spoken to in the clear", field).
			WithHint("write rediss://, or add insecure=true if nobody else is on that network")
	}
	return o, nil
}

// secret reads what env:NAME or file:PATH names.
func (c Config) secret(at string) (string, error) {
	scheme, rest, _ := strings.Cut(at, ":")
	switch scheme {
	case "env":
		if v := c.getenv(rest); v != "" {
			return v, nil
		}
		return "", hosting.Errorf(hosting.CodeInvalid, "is to be in the variable %s, which is empty", rest)
	case "file":
		b, err := os.ReadFile(rest)
		if err != nil {
			return "", hosting.Errorf(hosting.CodeInvalid, "cannot be read from its file")
		}
		return strings.TrimSpace(string(b)), nil
	}
	return "", hosting.Errorf(hosting.CodeInvalid, "must be env:NAME or file:PATH")
}
