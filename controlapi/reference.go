package controlapi

import (
	"bytes"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

var referencePage = template.Must(template.New("reference.html").Funcs(template.FuncMap{"style": styleOf}).ParseFS(pageFiles, "pages/reference.html"))

// reference is the OpenAPI document as its page shows it.
type reference struct {
	About, Version string
	Groups         []referenceGroup
	Ways           []named
	Problems       []referenceProblem
}

type named struct{ Name, About string }

type referenceGroup struct {
	named
	Operations []referenceOperation
}

type referenceOperation struct {
	ID, Method, Path, Summary, About, For, Curl string
	Deprecated                                  bool
	Parameters                                  []referenceField
	Body                                        *referenceBody
	Answers                                     []referenceAnswer
	Errors                                      []string
}

type referenceBody struct {
	Kind   string // of media, where it is not JSON
	Fields []referenceField
}

type referenceAnswer struct {
	Status, About, Example string
	Fields                 []referenceField
}

type referenceProblem struct {
	Status   int
	About    string
	Examples []string
}

func (a *API) getReference(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	_, _ = w.Write(a.reference) // whoever asked has gone
	return nil
}

// writeReference writes the page of the document, once: it is the same for everybody.
func (a *API) writeReference() []byte {
	doc := a.huma.OpenAPI()
	r := reference{About: doc.Info.Description, Version: doc.Info.Version, Problems: referenceProblems()}
	for _, tag := range doc.Tags {
		g := referenceGroup{named: named{tag.Name, tag.Description}}
		for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
			for _, op := range operationsOf(doc.Paths[path]) {
				if op.Tags[0] == tag.Name {
					g.Operations = append(g.Operations, a.referenceOf(op))
				}
			}
		}
		r.Groups = append(r.Groups, g)
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.SecuritySchemes)) {
		r.Ways = append(r.Ways, named{name, doc.Components.SecuritySchemes[name].Description})
	}
	var page bytes.Buffer
	if err := referencePage.Execute(&page, r); err != nil {
		panic("controlapi: write the reference: " + err.Error()) // it is data of this program
	}
	return page.Bytes()
}

func referenceProblems() (all []referenceProblem) {
	at := map[int]int{}
	for _, f := range failures {
		p := f.example()
		i, known := at[p.Status]
		if !known {
			i = len(all)
			at[p.Status] = i
			all = append(all, referenceProblem{Status: p.Status, About: meanings[p.Status]})
		}
		all[i].Examples = append(all[i].Examples, indented(p))
	}
	slices.SortFunc(all, func(a, b referenceProblem) int { return a.Status - b.Status })
	return all
}

func (a *API) referenceOf(op *huma.Operation) referenceOperation {
	rule := a.mux.rules[op.Method+" "+op.Path]
	r := referenceOperation{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, About: op.Description, For: permissionText(rule),
		Deprecated: op.Deprecated, Curl: a.curl(op, rule),
	}
	for _, p := range op.Parameters {
		r.Parameters = append(r.Parameters, referenceField{
			Name: p.Name, Type: typeOf(p.Schema) + " in the " + p.In, About: p.Description + bounds(p.Schema), Required: p.Required,
		})
	}
	if op.RequestBody != nil {
		for kind, m := range op.RequestBody.Content {
			r.Body = &referenceBody{Fields: a.fieldsOf(m.Schema)}
			if kind != "application/json" {
				r.Body.Kind = kind
			}
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := op.Responses[status]
		switch {
		case status == "default":
		case answer.Ref != "":
			r.Errors = append(r.Errors, status)
		default:
			r.Answers = append(r.Answers, a.answerOf(status, answer))
		}
	}
	return r
}

func (a *API) answerOf(status string, r *huma.Response) referenceAnswer {
	out := referenceAnswer{Status: status, About: r.Description}
	if m := r.Content["application/json"]; m != nil {
		out.Fields = a.fieldsOf(m.Schema)
		out.Example = indented(m.Example)
	}
	return out
}

func indented(v any) string {
	if v == nil {
		return ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the template escapes
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic("controlapi: write an example: " + err.Error()) // it is data of this program
	}
	return strings.TrimSpace(b.String())
}
