package controlapi

// forgotPage asks for the address of an account.
func (a *API) forgotPage(*visit) (*page, error) { return forgotForm().ready(), nil }

func forgotForm() *page {
	return &page{
		Title: "A new password", Lead: []string{"A link to set one will be mailed to you."},
		Form:  &form{Action: "/forgot", Button: "Send the link", Fields: []field{emailField()}},
		Links: []anchor{{"/signin", "Sign in"}},
	}
}

func (a *API) postForgot(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	p := forgotForm()
	if !p.Form.fill(values) {
		return p.wrong(), nil
	}
	if err := a.cfg.Account.Forgot(v.r.Context(), p.Form.Fields[0].Value, a.from(v.r)); err != nil {
		return p.refused(err, "email")
	}
	return &page{
		Title: "Look into your mail",
		Lead: []string{
			"If the address has an account, a link to a new password is on its way. It works once, for an hour.",
			"Where this Fairway sends no mail, its operator can give you such a link.",
		},
		Links: []anchor{{"/signin", "Sign in"}},
	}, nil
}

// resetPage asks for the new password that a link allows to set.
func (a *API) resetPage(v *visit) (*page, error) {
	return resetForm(v.r.URL.Query().Get("link")).ready(), nil
}

func resetForm(link string) *page {
	return &page{
		Title: "Set a new password", Lead: []string{"You will be signed out everywhere."},
		Form: &form{Action: "/reset", Button: "Set the password", Hidden: []value{{"link", link}}, Fields: []field{newPasswordField()}},
	}
}

func (a *API) postReset(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	p := resetForm(values.Get("link"))
	if !p.Form.fill(values) {
		return p.wrong(), nil
	}
	if err := a.cfg.Account.Reset(v.r.Context(), values.Get("link"), values.Get("password"), a.from(v.r)); err != nil {
		return p.refused(err, "")
	}
	clearSession(v.w)
	return &page{Title: "Your password is set", Lead: []string{"The old one no longer works."}, Links: []anchor{{"/signin", "Sign in"}}}, nil
}

// confirmPage only asks: programs that look at mail open every link in it.
func (a *API) confirmPage(v *visit) (*page, error) {
	return confirmForm(v.r.URL.Query().Get("link")), nil
}

func confirmForm(link string) *page {
	return &page{
		Title: "Confirm your address", Lead: []string{"So that invitations and links to a new password can reach you."},
		Form: &form{Action: "/confirm", Button: "Confirm", Hidden: []value{{"link", link}}},
	}
}

func (a *API) postConfirm(v *visit) (*page, error) {
	values, err := readForm(v.w, v.r)
	if err != nil {
		return nil, err
	}
	if err := a.cfg.Account.Confirm(v.r.Context(), values.Get("link")); err != nil {
		return confirmForm(values.Get("link")).refused(err, "")
	}
	return &page{Title: "Your address is confirmed", Lead: []string{"You can close this page."}, Links: []anchor{{"/", "Go on"}}}, nil
}
