package postgres

import (
	"errors"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestParse_ReadsAnAddress(t *testing.T) {
	secret := func(at string) (string, error) {
		if at == "env:DB" {
			return "from-env", nil
		}
		return "", errors.New("is to be in a variable")
	}
	for address, want := range map[string]struct {
		max, idle int32
		tls       bool
		refused   string
	}{
		"postgres://ann@localhost/fairway":                                                    {max: 16, idle: 2},
		"postgresql://ann:x@127.0.0.1:5433/fairway?pool_max=4&pool_idle=3":                    {max: 4, idle: 3},
		"postgres://ann@[::1]/fairway?pool_max=1":                                             {max: 1, idle: 1},
		"postgres:///fairway?host=/var/run/postgresql&user=ann":                               {max: 16, idle: 2},
		"postgres://ann@db.example.com/fairway?password=env:DB":                               {max: 16, idle: 2, tls: true},
		"postgres://ann@db.example.com/fairway?sslmode=require":                               {max: 16, idle: 2, tls: true},
		"postgres://ann@10.0.0.7/fairway?insecure=true":                                       {max: 16, idle: 2},
		"postgres://ann@10.0.0.7/fairway?insecure=true&sslmode=disable":                       {max: 16, idle: 2},
		"postgres://ann:hush@db.example.com/fairway?sslmode=disable":                          {refused: "in the clear"},
		"postgres://ann:hush@db.example.com/fairway?sslmode=prefer":                           {refused: "in the clear"},
		"postgres://ann:hush@db.example.com/fairway?sslmode=hush":                             {refused: "cannot be read"},
		"postgres://ann:hush@localhost/fairway?pool_max=0":                                    {refused: "pool_max"},
		"postgres://ann:hush@localhost/fairway?pool_max=2&pool_idle=3":                        {refused: "pool_idle"},
		"postgres://ann:hush@localhost/fairway?pool_idle=x":                                   {refused: "pool_idle"},
		"postgres://ann:hush@localhost/fairway?password=hush":                                 {refused: "password is to be in a variable"},
		"postgres://ann@h1:5432,h2:5432/fairway?target_session_attrs=read-write":              {max: 16, idle: 2, tls: true},
		"postgres:///fairway?host=/run,10.0.0.7&user=ann":                                     {max: 16, idle: 2},
		"postgres:///fairway?host=127.0.0.1,10.0.0.7&sslmode=disable":                         {refused: "in the clear"},
		"postgres://ann:hush@localhost/fairway?sslrootcert=/no/such/file&sslmode=verify-full": {refused: "cannot be read"},
		"mysql://ann:hush@localhost/fairway":                                                  {refused: "cannot be read"},
		"postgres://ann:hu%sh@localhost/fairway":                                              {refused: "cannot be read"},
	} {
		c, err := Parse(address, secret)
		if want.refused != "" {
			if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), want.refused) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %v, want %q", address, err, want.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		p := c.pool()
		if p.MaxConns != want.max || p.MinIdleConns != want.idle || (p.ConnConfig.TLSConfig != nil) != want.tls || inTheClear(&p.ConnConfig.Config) && !strings.Contains(address, "insecure") {
			t.Errorf("%s: at most %d, %d idle, TLS %v", address, p.MaxConns, p.MinIdleConns, p.ConnConfig.TLSConfig != nil)
		}
		if want.tls && !strings.Contains(address, "sslmode") && p.ConnConfig.TLSConfig.InsecureSkipVerify {
			t.Errorf("%s: certificates are not verified", address)
		}
	}
}

// Where the address names no host, libpq's variables do.
func TestParse_LooksAtWhatTheEnvironmentNames(t *testing.T) {
	t.Setenv("PGHOST", "10.0.0.7")
	if c, err := Parse("postgres:///fairway", noSecret); err != nil || c.at.ConnConfig.TLSConfig == nil {
		t.Errorf("%v, want TLS", err)
	}
	if _, err := Parse("postgres:///fairway?sslmode=disable", noSecret); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("in the clear: %v", err)
	}
	if _, err := Parse("postgres:///fairway?insecure=true", noSecret); err != nil {
		t.Errorf("as it was asked for: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"postgres://ann:s3cret@localhost/db", "postgres://ann:s3cret@h/db?sslmode=disable", "postgres://ann:s3cret@[::1]:x/db?pool_max=9", "postgres://%zz:s3cret@h/?a=b;c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c, err := Parse(address, noSecret)
		if err == nil {
			c.pool()
		} else if strings.Contains(address, ":s3cret@") && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", address, err)
		}
	})
}
