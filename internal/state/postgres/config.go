package postgres

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Config names a database. Parse reads it.
type Config struct {
	at *pgxpool.Config
	// password reads it anew for each connection, so that one that was rotated is found; nil
	// where the address has it.
	password func() (string, error)
}

const (
	// defaultMax is how many connections a process has at most, and defaultIdle how many it
	// keeps.
	defaultMax  = 16
	defaultIdle = 2
	maxPool     = 1000

	example = "write postgres://user@host:5432/database?password=env:NAME"
)

// Parse reads an address: postgres://user@host:port/database with the settings of libpq, and
// pool_max, the most connections (16); pool_idle, those that are kept (2); password, read by
// secret from what it names, for each connection anew; insecure=true, which lets another
// machine be spoken to without TLS. Its errors show nothing of an address that may hold a
// password.
func Parse(address string, secret func(at string) (string, error)) (Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Fragment != "" {
		return Config{}, invalid("the address of PostgreSQL cannot be read").WithHint(example)
	}
	var c Config
	q := u.Query()
	if at := q.Get("password"); at != "" {
		c.password = func() (string, error) { return secret(at) }
		if _, err := c.password(); err != nil {
			return Config{}, invalid("the password %v", err).WithHint(example)
		}
	}
	most, err := number(q, "pool_max", defaultMax)
	if err != nil {
		return Config{}, err
	}
	idle, err := number(q, "pool_idle", min(defaultIdle, most))
	if err != nil {
		return Config{}, err
	}
	if idle > most {
		return Config{}, invalid("pool_idle is more than pool_max")
	}
	insecure := q.Get("insecure") == "true"
	host := u.Hostname()
	if h := q.Get("host"); h != "" {
		host = h
	}
	if !q.Has("sslmode") {
		q.Set("sslmode", "verify-full")
		if insecure || near(host) {
			q.Set("sslmode", "disable")
		}
	}
	for _, ours := range []string{"password", "pool_max", "pool_idle", "insecure"} {
		q.Del(ours)
	}
	u.RawQuery = q.Encode()
	if c.at, err = pgxpool.ParseConfig(u.String()); err != nil {
		return Config{}, invalid("the address of PostgreSQL cannot be read").WithHint(example) // err may show it
	}
	if !insecure && inTheClear(&c.at.ConnConfig.Config) {
		return Config{}, invalid("PostgreSQL at another machine would be spoken to in the clear").
			WithHint("leave sslmode out, or add insecure=true if nobody else is on that network")
	}
	c.at.MaxConns, c.at.MinIdleConns = int32(most), int32(idle)
	return c, nil
}

func invalid(format string, args ...any) *hosting.Error {
	return hosting.Errorf(hosting.CodeInvalid, "state: "+format, args...)
}

func number(q url.Values, name string, def int) (int, error) {
	v := q.Get(name)
	if v == "" {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxPool {
		return 0, invalid("%s is not between 1 and %d", name, maxPool)
	}
	return n, nil
}

// near reports whether a host is this machine.
func near(host string) bool {
	return hosting.IsLoopback(host) || strings.HasPrefix(host, "/") && !strings.Contains(host, ",")
}

// inTheClear reports whether another machine could be spoken to without TLS.
func inTheClear(c *pgconn.Config) bool {
	if c.TLSConfig == nil && !near(c.Host) {
		return true
	}
	return slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil && !near(f.Host) })
}

// pool is what the pool is made of.
func (c Config) pool() *pgxpool.Config {
	p := c.at.Copy()
	p.ConnConfig.ConnectTimeout = 5 * time.Second
	p.MaxConnIdleTime = 5 * time.Minute
	p.MaxConnLifetime, p.MaxConnLifetimeJitter = time.Hour, 10*time.Minute
	if _, named := p.ConnConfig.RuntimeParams["application_name"]; !named {
		p.ConnConfig.RuntimeParams["application_name"] = "fairway"
	}
	if c.password != nil {
		p.BeforeConnect = func(_ context.Context, to *pgx.ConnConfig) (err error) {
			if to.Password, err = c.password(); err != nil {
				return fmt.Errorf("the password of the state's database %w", err)
			}
			return nil
		}
	}
	return p
}
