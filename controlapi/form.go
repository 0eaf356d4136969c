package controlapi

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// form is the form of a page.
type form struct {
	Action  string
	Problem string // what is wrong with all of it
	Hidden  []value
	Fields  []field
	Button  string
	Others  []anchor // other ways to the same end
}

type value struct{ Name, Value string }

// field is one input with its label.
type field struct {
	Name, Label, Type, Value string
	Complete                 string // for the browser's memory: the tokens of HTML's autocomplete
	Min, Max                 int    // characters; 0 is no bound
	Hint, Problem            string
	Options                  []option // makes it a selection
	Focus                    bool
}

type option struct{ Value, Text string }

func emailField() field {
	return field{Name: "email", Label: "Email address", Type: "email", Complete: "username", Min: 3, Max: 254}
}

func passwordField() field {
	return field{Name: "password", Label: "Password", Type: "password", Complete: "current-password", Min: 1, Max: 256}
}

func newPasswordField() field {
	return field{
		Name: "password", Label: "New password", Type: "password", Complete: "new-password", Min: 12, Max: 256,
		Hint: "12 characters or more; none of the common ones.",
	}
}

// maxForm bounds the body of a form.
const maxForm = 16 << 10

// readForm returns the values of a posted form.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return nil, err
		}
		return nil, hosting.Errorf(hosting.CodeInvalid, "the form cannot be read")
	}
	return r.PostForm, nil
}

// fill puts the values into the form and says whether they are as its fields ask. A password
// never goes back into a page.
func (f *form) fill(values url.Values) bool {
	ok := true
	for i := range f.Fields {
		g := &f.Fields[i]
		v := values.Get(g.Name)
		if g.Type != "password" {
			v = strings.TrimSpace(v)
			g.Value = v
		}
		g.Problem = g.check(v)
		ok = ok && g.Problem == ""
	}
	return ok
}

func (g *field) check(v string) string {
	n := utf8.RuneCountInString(v)
	switch {
	case len(g.Options) > 0 && !g.offers(v):
		return "Choose one of these."
	case len(g.Options) > 0:
		return ""
	case n == 0:
		return "This is missing."
	case n < g.Min:
		return "This has at least " + strconv.Itoa(g.Min) + " characters."
	case g.Max > 0 && n > g.Max:
		return "This has at most " + strconv.Itoa(g.Max) + " characters."
	}
	return ""
}

func (g *field) offers(v string) bool {
	for _, o := range g.Options {
		if o.Value == v {
			return true
		}
	}
	return false
}

// focus marks the first field that is wrong, or else the first that is empty.
func (f *form) focus() {
	at := -1
	for i, g := range f.Fields {
		if g.Problem != "" {
			at = i
			break
		}
		if at < 0 && g.Value == "" && len(g.Options) == 0 {
			at = i
		}
	}
	if at >= 0 {
		f.Fields[at].Focus = true
	}
}

// refused puts what a service says into the form, beside the field named, or above all of them
// for "". Errors that are not for people are returned.
func (p *page) refused(err error, field string) (*page, error) {
	e, ok := errors.AsType[*hosting.Error](err)
	if !ok || e.Code == hosting.CodeInternal || p.Form == nil {
		return nil, err
	}
	text := sentence(e.Message)
	if e.Hint != "" {
		text += " " + sentence(e.Hint)
	}
	p.Status, _ = kind(e.Code)
	for i := range p.Form.Fields {
		if p.Form.Fields[i].Name == field {
			p.Form.Fields[i].Problem = text
			return p.ready(), nil
		}
	}
	p.Form.Problem = text
	return p.ready(), nil
}

// wrong is the page with what its own fields found.
func (p *page) wrong() *page {
	p.Status = http.StatusUnprocessableEntity
	return p.ready()
}

// ready is the page with its focus set.
func (p *page) ready() *page {
	p.Form.focus()
	return p
}
