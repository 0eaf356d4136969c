package controlapi

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *API) humaConfig() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Fairway",
				Version:     a.cfg.Version,
				Description: aboutAPI,
			},
			Tags: []*huma.Tag{
				{Name: "user", Description: "Your account, and how you sign in"},
				{Name: "teams", Description: "Who owns projects: one person, or several"},
				{Name: "members", Description: "Who is in a team, and who is asked into it"},
				{Name: "tokens", Description: "What programs act by: for one team, no more than their maker may, and for a time"},
				{Name: "projects", Description: "What is deployed: a source, how it is built, and the site that shows it"},
				{Name: "deployments", Description: "One attempt to make a source into a site; immutable once it is READY"},
				{Name: "variables", Description: "What a project's builds are given: each for production, previews, or both"},
				{Name: "operator", Description: "What concerns all teams: for the operator of the installation"},
				{Name: "edges", Description: "Who serves the sites elsewhere, and how they are"},
				{Name: "jobs", Description: "What a build speaks with Fairway, by the token of its own attempt"},
				{Name: "installation", Description: "This installation itself"},
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: securitySchemes(),
			},
		},
		Formats:       map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{fromHuma},
	}
}

const aboutAPI = "Deploy sites, follow their builds, and choose which deployment visitors see. " +
	"Every error is a problem of RFC 9457 with a stable code. A request acts in one team: the one in its path, else the one that " +
	"team names in the query, else the token's, or the person's own. What belongs to other teams is not found. " +
	"Lists come in pages, each with the next that the one behind it is asked for by. A 2xx means that what was asked is stored."

func securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		"session":  {Type: "apiKey", In: "cookie", Name: SessionCookie, Description: "A browser that is signed in, over TLS. A write has to come from a page of the control host itself."},
		"token":    {Type: "http", Scheme: "bearer", Description: "An API token: no more than its scope, in its team, and for its project alone if it has one"},
		"operator": {Type: "http", Scheme: "bearer", Description: "The content of the file token in Fairway's data folder: the operator, as the owner of any team. The admin socket asks for none."},
		"job":      {Type: "http", Scheme: "bearer", Description: "The token of one attempt at one deployment"},
		"edge":     {Type: "http", Scheme: "bearer", Description: "An edge's token, by which it reports"},
	}
}

// securityOf says by what a route's caller can be known.
func securityOf(r rule) []map[string][]string {
	by := func(names ...string) (all []map[string][]string) {
		for _, name := range names {
			all = append(all, map[string][]string{name: {}})
		}
		return all
	}
	switch {
	case r.open:
		return []map[string][]string{{}} // the empty requirement: none
	case r.job:
		return by("job")
	case r.edge:
		return by("edge")
	case r.may == hosting.PermitSelf, r.may == hosting.PermitMint:
		return by("session")
	}
	return by("session", "token", "operator")
}

// registerSpec serves the document of all routes that were registered before it, and itself, as
// JSON and as a page.
func (a *API) registerSpec() {
	a.raw(rule{open: true}, huma.Operation{
		OperationID: "getOpenAPI", Method: http.MethodGet, Path: "/api/openapi.json", Tags: []string{"installation"},
		Summary: "This document", Description: "OpenAPI 3.1, made from the routes themselves.", Responses: map[string]*huma.Response{
			"200": {Description: "OpenAPI 3.1", Content: map[string]*huma.MediaType{"application/openapi+json": {Schema: &huma.Schema{Type: huma.TypeObject}}}},
		},
	}, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(a.spec) // whoever asked has gone
		return nil
	})
	a.raw(rule{open: true}, huma.Operation{
		OperationID: "getReference", Method: http.MethodGet, Path: "/api/docs", Tags: []string{"installation"},
		Summary: "This document, as a page", Description: "For people: each operation with its input, its errors and an example.",
		Responses: answers("200", "A page", "text/html", &huma.Schema{Type: huma.TypeString}),
	}, a.getReference)
	a.complete()
	// huma names its own errors in every document; no answer has their shape.
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	spec, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic("controlapi: write the OpenAPI document: " + err.Error()) // it is data of this program
	}
	a.spec = spec
	a.reference = a.writeReference()
}

// schemaOf returns a reference to the schema of v's type.
func (a *API) schemaOf(v any) *huma.Schema {
	t := reflect.TypeOf(v)
	return a.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

// answers describes the one answer of a raw route that is not an error.
func answers(status, description, contentType string, s *huma.Schema) map[string]*huma.Response {
	r := &huma.Response{Description: description}
	if s != nil {
		r.Content = map[string]*huma.MediaType{contentType: {Schema: s}}
	}
	return map[string]*huma.Response{status: r}
}

func pathParam(name, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

func queryParam(name, doc, kind string, values ...any) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: kind, Enum: values}}
}

func binaryBody(contentType, doc string) *huma.RequestBody {
	return &huma.RequestBody{
		Description: doc, Required: true,
		Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
}
