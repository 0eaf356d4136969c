package controlapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestVisit_LetsMembersInAndNobodyElse(t *testing.T) {
	const state = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	var team hosting.TeamID
	w := newWorld(t, func(c *controlapi.Config) {
		c.Admit = func(host string) (controlapi.Admission, bool) {
			return controlapi.Admission{Team: team, URL: func(state, next string) string {
				return "https://" + host + "/.fairway/login?" + url.Values{"ticket": {"for-" + state}, "next": {next}}.Encode()
			}}, host == "secret.localhost"
		}
	})
	team = hosting.DefaultTeam
	at := func(host, state string) string {
		return "/visit?" + url.Values{"host": {host}, "state": {state}, "next": {"/a?b=c"}}.Encode()
	}
	ann := newBrowser(t, w.api).signIn()
	a := ann.get(at("secret.localhost", state))
	to := "https://secret.localhost/.fairway/login?next=%2Fa%3Fb%3Dc&ticket=for-" + state
	if a.status != http.StatusOK || a.header.Get("Refresh") != "0; url="+to || !strings.Contains(a.body, strings.ReplaceAll(to, "&", "&amp;")) {
		t.Errorf("a member gets %d, %q\n%s", a.status, a.header.Get("Refresh"), a.body)
	}
	newBrowser(t, w.api).get(at("secret.localhost", state)).leads(t, "/signin?next="+url.QueryEscape("/visit?"+url.Values{
		"host": {"secret.localhost"}, "state": {state}, "next": {"/a?b=c"},
	}.Encode()))
	for name, path := range map[string]string{
		"a site for everybody": at("open.localhost", state), "no host": at("", state), "no name": at("a b", state),
		"no state": at("secret.localhost", ""), "another state": at("secret.localhost", strings.ToUpper(state)), "nothing": "/visit",
	} {
		if a := ann.get(path); a.status != http.StatusNotFound || a.header.Get("Refresh") != "" || strings.Contains(a.body, "ticket") {
			t.Errorf("%s: %d, %q", name, a.status, a.header.Get("Refresh"))
		}
	}
	team = "team_another"
	if a := ann.get(at("secret.localhost", state)); a.status != http.StatusForbidden || strings.Contains(a.body, "ticket") {
		t.Errorf("who is no member gets %d\n%s", a.status, a.body)
	}
}
