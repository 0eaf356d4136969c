package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// loginPatience is how long a person has for the browser.
const loginPatience = 5 * time.Minute

// askForToken is the value of a --token without one.
const askForToken = "-"

func (a *app) login() *cobra.Command {
	var name string
	var noBrowser bool
	cmd := a.command(spec{
		use:   "login [--url URL] [--name N] [--no-browser | --token]",
		short: "Sign in to a Fairway elsewhere",
		example: `
fairway login --url https://fairway.example.com
fairway login --url https://localhost:8443
fairway login --no-browser                print the address, and open it yourself
fairway login --token                     with a token, which it asks for
fairway login --token <token.txt          or reads from stdin`,
		long: `The browser asks you to approve, and this machine gets a token of its own. It is kept in
fairway/logins.json in your folder for settings (XDG_CONFIG_HOME), for you alone to read.
Commands that find no data folder near go to where you signed in last.`,
		mute: true,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&name, "name", "", "`NAME` of this machine in the list of tokens")
			f.BoolVar(&noBrowser, "no-browser", false, "open no browser here")
		},
		run: func(ctx context.Context, s *session, _ []string) error {
			l := &signIn{session: s, name: machineName(cmp.Or(name, s.env.Host)), noBrowser: noBrowser}
			return l.run(ctx)
		},
	})
	cmd.Flags().Lookup("token").NoOptDefVal = askForToken
	return cmd
}

// signIn is one run of login.
type signIn struct {
	*session
	name      string
	noBrowser bool
	at        client.Options
}

func (l *signIn) run(ctx context.Context) error {
	known, err := l.logins()
	if err != nil {
		return err
	}
	address := cmp.Or(l.g.url, l.env.Getenv("FAIRWAY_URL"), known.Default)
	if address == "" {
		return errorf(ExitUsage, "no address to sign in to").hint("add --url https://fairway.example.com")
	}
	if l.at, err = l.place(address); err != nil {
		return err
	}
	if l.at.Token, err = l.token(ctx); err != nil {
		return err
	}
	c, err := client.New(l.at)
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := c.Identity(ctx)
	if err != nil {
		return err
	}
	known.Default = siteOf(l.at)
	known.At[known.Default] = login{Token: l.at.Token, User: userName(id), Team: teamSlug(id)}
	if err := l.keep(known); err != nil {
		return err
	}
	return l.report(id)
}

// token comes from the person or stdin where --token asks for that, else by the browser.
func (l *signIn) token(ctx context.Context) (string, error) {
	token := l.g.token
	if token == "" {
		return l.byBrowser(ctx)
	}
	if token == askForToken {
		var err error
		if token, err = l.secret(ctx, "the token"); err != nil {
			return "", err
		}
	}
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", errorf(ExitUsage, "that is no token").hint("make one with fairway tokens create, or sign in without --token")
	}
	return token, nil
}

// byBrowser gets a token that a person approves (RFC 7636 and RFC 8252).
func (l *signIn) byBrowser(ctx context.Context) (string, error) {
	c, err := client.New(l.at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Health(ctx); err != nil { // before a person is sent there
		return "", err
	}
	back, err := listenForCode()
	if err != nil {
		return "", err
	}
	defer back.close()
	verifier := rand.Text() + rand.Text()
	l.send(back, verifier)
	code, err := back.wait(ctx, loginPatience)
	if err != nil {
		return "", err
	}
	secret, err := c.Exchange(ctx, code, verifier)
	return secret.Secret, err
}

// send brings a person to the page that asks them. They are told even where JSON is asked
// for, since nothing goes on without them.
func (l *signIn) send(back *callback, verifier string) {
	challenge := sha256.Sum256([]byte(verifier))
	page := siteOf(l.at) + "/cli?" + url.Values{
		"challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "state": {back.state},
		"port": {strconv.Itoa(back.port())}, "name": {l.name},
	}.Encode()
	o := l.output
	o.json = false
	if l.noBrowser || !l.openBrowser(page) {
		o.say("Open this address in a browser on this machine, and approve:")
	} else {
		o.say("Approve in the browser. If none has opened, open this address yourself:")
	}
	o.say("  %s", page)
}

func (l *signIn) report(id hosting.Identity) error {
	if l.json {
		return l.document(struct {
			URL string `json:"url"`
			hosting.Identity
		}{siteOf(l.at), id})
	}
	l.say("Signed in to %s as %s, in team %s.", siteOf(l.at), userName(id), teamSlug(id))
	return nil
}

// machineName is what the page that asks can show: up to 60 characters, none of them hidden.
func machineName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	return cmp.Or(shorten(strings.TrimSpace(s), 60), "a computer")
}

// userName is how people know a caller.
func userName(id hosting.Identity) string {
	if id.User != nil {
		return plain(id.User.Email)
	}
	return plain(id.Name)
}

func teamSlug(id hosting.Identity) string {
	if id.Team == nil {
		return "none"
	}
	return plain(id.Team.Slug)
}
