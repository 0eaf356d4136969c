package controlapi

import (
	"net/url"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// signInPage shows the form, or goes on where somebody is signed in.
func (a *API) signInPage(v *visit) (*page, error) {
	next := localNext(v.r.URL.Query().Get("next"))
	if v.signedIn() {
		return v.to(next)
	}
	return a.signInForm(next).ready(), nil
}

func (a *API) signInForm(next string) *page {
	p := &page{
		Title: "Sign in",
		Form: &form{
			Action: "/signin", Button: "Sign in", Hidden: []value{{"next", next}},
			Fields: []field{emailField(), passwordField()},
		},
		Links: []anchor{{"/forgot", "Forgot your password?"}},
	}
	for _, provider := range a.cfg.Providers {
		p.Form.Others = append(p.Form.Others, anchor{withQuery("/auth/"+provider.Name(), "next", next), "Sign in with " + provider.Title()})
	}
	switch a.signup() {
	case account.SignupOpen:
		p.Links = append(p.Links, anchor{"/signup", "Make an account"})
	case account.SignupInvite:
		p.Lead = []string{"To have an account, ask an owner of a team for an invitation."}
	}
	return p
}

func (a *API) postSignIn(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	next := localNext(values.Get("next"))
	p := a.signInForm(next)
	if !p.Form.fill(values) {
		return p.wrong(), nil
	}
	s, err := a.cfg.Account.LogIn(v.r.Context(), p.Form.Fields[0].Value, values.Get("password"), a.from(v.r))
	if err != nil {
		return p.refused(err, "password")
	}
	setSession(v.w, s)
	return v.to(next)
}

// postSignOut ends the session; who has none is signed out already.
func (a *API) postSignOut(v *visit) (*page, error) {
	secret, err := sessionSecret(v.r)
	if err != nil {
		return nil, err
	}
	if v.signedIn() {
		if err := a.cfg.Account.LogOut(v.r.Context(), v.caller, secret); err != nil {
			return nil, err
		}
	}
	clearSession(v.w)
	return v.to("/signin")
}

// signUpPage shows the form to who may make an account: with a link, or where all may.
func (a *API) signUpPage(v *visit) (*page, error) {
	link := v.r.URL.Query().Get("link")
	if link == "" && a.signup() != account.SignupOpen {
		return &page{
			Title: "Accounts are by invitation", Links: []anchor{{"/signin", "Sign in"}},
			Lead: []string{"Ask an owner of a team for an invitation, and open the link in it."},
		}, nil
	}
	return a.signUpForm(link).ready(), nil
}

func (a *API) signUpForm(link string) *page {
	name := field{Name: "name", Label: "Your name", Type: "text", Complete: "name", Min: 1, Max: 100}
	password := newPasswordField()
	password.Label = "Password"
	p := &page{
		Title: "Make an account",
		Form: &form{
			Action: "/signup", Button: "Make the account", Hidden: []value{{"link", link}},
			Fields: []field{name, emailField(), password},
		},
		Links: []anchor{{withQuery("/signin", "next", joinAddress(link)), "I have an account"}},
	}
	for _, provider := range a.cfg.Providers {
		p.Form.Others = append(p.Form.Others, anchor{withQuery("/auth/"+provider.Name(), "link", link), "Continue with " + provider.Title()})
	}
	return p
}

func joinAddress(link string) string {
	if link == "" {
		return ""
	}
	return withQuery("/join", "link", link)
}

func (a *API) postSignUp(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	p := a.signUpForm(values.Get("link"))
	if !p.Form.fill(values) {
		return p.wrong(), nil
	}
	in := account.SignUp{Name: p.Form.Fields[0].Value, Email: p.Form.Fields[1].Value, Password: values.Get("password"), Link: values.Get("link")}
	s, err := a.cfg.Account.SignUp(v.r.Context(), in, a.from(v.r))
	if err != nil {
		return p.refused(err, "")
	}
	setSession(v.w, s)
	return v.to("/")
}

// joinPage leads who was invited to an account, and then asks before anything is joined.
func (a *API) joinPage(v *visit) (*page, error) {
	link := v.r.URL.Query().Get("link")
	if v.signedIn() {
		return joinForm(link), nil
	}
	return &page{
		Title: "You are invited to a team", Lead: []string{"Sign in to accept, with the address that the invitation came to."},
		Links: []anchor{
			{withQuery("/signin", "next", joinAddress(link)), "Sign in"},
			{withQuery("/signup", "link", link), "Make an account"},
		},
	}, nil
}

func joinForm(link string) *page {
	return &page{
		Title: "You are invited to a team", Lead: []string{"The team's owners will see your name and your address."},
		Form: &form{Action: "/join", Button: "Accept the invitation", Hidden: []value{{"link", link}}},
	}
}

func (a *API) postJoin(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	link := values.Get("link")
	if err := v.caller.May(hosting.PermitSelf); err != nil {
		return v.to(withQuery("/signin", "next", joinAddress(link)))
	}
	t, err := a.cfg.Account.Accept(v.r.Context(), v.caller, link)
	if err != nil {
		return joinForm(link).refused(err, "")
	}
	return v.to("/?" + url.Values{"team": {t.Slug}}.Encode())
}
