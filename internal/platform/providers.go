package platform

import (
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// providers makes the places by which people sign in, of the settings oidc and github.
func (c Config) providers() (list []controlapi.Provider, err error) {
	// The places are the operator's own choice, so they may be anywhere.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 8 * time.Second, ForceAttemptHTTP2: true, MaxIdleConns: 10, IdleConnTimeout: time.Minute,
	}}
	for _, place := range []struct {
		name, setting, title string
		open                 func(oidc.Config) (*oidc.Provider, error)
	}{{"oidc", c.OIDC, "Single sign-on", oidc.New}, {"github", c.GitHub, "GitHub", oidc.GitHub}} {
		if place.setting == "" {
			continue
		}
		config, err := c.place(place.name, place.setting)
		if err != nil {
			return nil, err
		}
		config.HTTP = client
		if config.Title == "" {
			config.Title = place.title
		}
		p, err := place.open(config)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// place reads the setting of one place: issuer=URL client=ID secret=env:NAME|file:PATH title=WORD.
// The secret itself cannot stand there, since settings are shown where secrets should not be.
func (c Config) place(name, setting string) (oidc.Config, error) {
	config := oidc.Config{Name: name}
	var secret string
	fields := map[string]*string{"issuer": &config.Issuer, "client": &config.ClientID, "title": &config.Title, "secret": &secret}
	for _, word := range strings.Fields(setting) {
		key, value, _ := strings.Cut(word, "=")
		if fields[key] == nil {
			return config, hosting.Errorf(hosting.CodeInvalid, "%s: there is no setting %q", name, key).
				WithHint("write issuer=https://id.example.com client=ID secret=env:NAME title=Example")
		}
		*fields[key] = strings.ReplaceAll(value, "_", " ")
		if key != "title" {
			*fields[key] = value
		}
	}
	if variable, ok := strings.CutPrefix(secret, "env:"); ok {
		config.ClientSecret = c.getenv(variable)
	} else if path, ok := strings.CutPrefix(secret, "file:"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return config, hosting.Errorf(hosting.CodeInvalid, "%s: its secret's file cannot be read", name).WithHint("say secret=file:PATH of a file that Fairway may read")
		}
		config.ClientSecret = strings.TrimSpace(string(b))
	}
	if config.ClientSecret == "" {
		return config, hosting.Errorf(hosting.CodeInvalid, "%s has no secret", name).WithHint("say secret=env:NAME, or secret=file:PATH")
	}
	return config, nil
}
