package controlapi

import (
	"net/http"
	"net/url"
	"regexp"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Admission is how members of a team come to see a site that is for them alone.
type Admission struct {
	Team hosting.TeamID
	// URL is where the site lets in whoever comes with it: once, within a minute, and only the
	// browser that the state belongs to.
	URL func(state, next string) string
}

// visitState is a SHA-256 in hex: what an edge names a browser by.
var visitState = regexp.MustCompile(`^[0-9a-f]{64}$`)

// visitPage is where an edge sends a visitor of a site that is for its team's members. It
// sends members back with what lets them in. It does so by a page, not by a redirect: browsers
// hold what follows a form, such as the one that signs in, to the form's own host.
func (a *API) visitPage(v *visit) (*page, error) {
	q := v.r.URL.Query()
	host, state, next := q.Get("host"), q.Get("state"), q.Get("next")
	canonical, ok := hosting.CanonicalHost(host)
	if !ok || !visitState.MatchString(state) || a.cfg.Admit == nil {
		return noVisit(), nil
	}
	if !v.signedIn() {
		here := url.Values{"host": {host}, "state": {state}, "next": {next}}
		return v.to(withQuery("/signin", "next", "/visit?"+here.Encode()))
	}
	admission, ok := a.cfg.Admit(canonical)
	if !ok {
		return noVisit(), nil
	}
	switch member, err := a.visitor(v.r, string(admission.Team)); {
	case hosting.Is(err, hosting.CodeNotFound), hosting.Is(err, hosting.CodeForbidden):
		return &page{
			Status: http.StatusForbidden, Title: "This site is not for you",
			Lead:  []string{"The site at " + canonical + " is for the members of a team, and " + v.caller.Name + " is none of them.", "Ask an owner of the team for an invitation."},
			Links: []anchor{{"/", "To the start"}},
		}, nil
	case err != nil:
		return nil, err
	case member.Via == "":
		return noVisit(), nil
	}
	to := admission.URL(state, next)
	v.w.Header().Set("Refresh", "0; url="+to)
	return &page{Title: "You may see it", Links: []anchor{{to, "Open " + canonical}}}, nil
}

// noVisit is the one answer for sites that do not exist and for those that are for everybody.
func noVisit() *page {
	return &page{
		Status: http.StatusNotFound, Title: "No site to open", Lead: []string{"No site that is for a team's members has that address."},
		Links: []anchor{{"/", "To the start"}},
	}
}
