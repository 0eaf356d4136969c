package controlapi

import (
	"net/url"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// approval is what a CLI asks its person to approve: a token for the computer that it runs on,
// to be fetched by who knows the verifier of the challenge (RFC 8252, RFC 7636).
type approval struct {
	Challenge, State, Name string
	Port                   int
}

var (
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) // a SHA-256 in base64
	stateForm     = regexp.MustCompile(`^[A-Za-z0-9_.~-]{1,200}$`)
)

const (
	minPort = 1024
	maxPort = 65535
	maxName = 60
)

// readApproval reads what the CLI put into the address. The port alone is the CLI's to choose:
// the browser goes nowhere but to this computer.
func readApproval(q url.Values) (approval, error) {
	a := approval{Challenge: q.Get("challenge"), State: q.Get("state"), Name: q.Get("name")}
	port, err := strconv.Atoi(q.Get("port"))
	a.Port = port
	if err != nil || port < minPort || port > maxPort || !challengeForm.MatchString(a.Challenge) || !stateForm.MatchString(a.State) || !readable(a.Name) {
		return approval{}, hosting.Errorf(hosting.CodeInvalid, "this address was not made by fairway login").WithHint("run fairway login again")
	}
	return a, nil
}

// readable reports whether a name can be shown for what it is.
func readable(name string) bool {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// query is the approval as an address holds it.
func (a approval) query() url.Values {
	return url.Values{"challenge": {a.Challenge}, "state": {a.State}, "name": {a.Name}, "port": {strconv.Itoa(a.Port)}}
}

// origin is where the CLI listens for the answer.
func (a approval) origin() string { return "http://127.0.0.1:" + strconv.Itoa(a.Port) }

// callback is the address that brings the CLI its code.
func (a approval) callback(code string) string {
	return a.origin() + "/callback?" + url.Values{"code": {code}, "state": {a.State}}.Encode()
}

func (a *API) approvePage(v *visit) (*page, error) {
	ask, err := readApproval(v.r.URL.Query())
	if err != nil {
		return nil, err
	}
	if !v.signedIn() {
		return v.to(withQuery("/signin", "next", "/cli?"+ask.query().Encode()))
	}
	return a.approveForm(v, ask)
}

// approveForm says which computer asks, and for what.
func (a *API) approveForm(v *visit, ask approval) (*page, error) {
	teams, err := a.cfg.Account.ListTeams(v.r.Context(), v.caller)
	if err != nil {
		return nil, err
	}
	f := &form{Action: "/cli", Button: "Give it the token", Fields: []field{
		{Name: "team", Label: "For the team", Value: string(v.caller.Team.ID), Options: teamOptions(teams)},
		{Name: "scope", Label: "It may", Value: string(hosting.ScopeAdmin), Options: []option{
			{string(hosting.ScopeRead), "Look"},
			{string(hosting.ScopeDeploy), "Look, deploy, cancel and promote"},
			{string(hosting.ScopeAdmin), "Do all that you may do in the team"},
		}},
		{Name: "days", Label: "For", Value: "90", Options: []option{{"1", "A day"}, {"7", "7 days"}, {"30", "30 days"}, {"90", "90 days"}, {"366", "A year"}}},
	}}
	for _, name := range []string{"challenge", "state", "name", "port"} {
		f.Hidden = append(f.Hidden, value{name, ask.query().Get(name)})
	}
	return &page{
		Title: "Let the command line in?", FormTo: ask.origin(), Form: f,
		Lead: []string{
			"A program on the computer “" + ask.Name + "” asks for a token, in the name of " + v.caller.Name + ".",
			"Go on only if you have just run fairway login there.",
		},
		Links: []anchor{{"/", "Do not let it in"}},
	}, nil
}

func teamOptions(teams []hosting.TeamOf) []option {
	out := make([]option, 0, len(teams))
	for _, t := range teams {
		out = append(out, option{string(t.ID), t.Name + " (" + string(t.Role) + ")"})
	}
	return out
}

func (a *API) postApprove(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	ask, err := readApproval(values)
	if err != nil {
		return nil, err
	}
	if !v.signedIn() {
		return v.to(withQuery("/signin", "next", "/cli?"+ask.query().Encode()))
	}
	p, err := a.approveForm(v, ask)
	if err != nil {
		return nil, err
	}
	if !p.Form.fill(values) {
		return p.wrong(), nil
	}
	code, err := a.grant(v, ask, values)
	if err != nil {
		return p.refused(err, "team")
	}
	return v.to(ask.callback(code))
}

// grant promises the token. The team is the form's, and so the caller is made anew for it.
func (a *API) grant(v *visit, ask approval, values url.Values) (string, error) {
	c, err := a.visitor(v.r, values.Get("team"))
	if err != nil {
		return "", err
	}
	if err := c.May(hosting.PermitMint); err != nil {
		return "", err
	}
	days, _ := strconv.Atoi(values.Get("days")) // one of the form's own
	return a.cfg.Account.Grant(v.r.Context(), c, ask.Challenge, hosting.NewToken{
		Name: "fairway login on " + ask.Name, Scope: hosting.Scope(values.Get("scope")), Days: days,
	})
}
