package controlapi

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

func (a *API) humaConfig() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Fairway",
				Version:     a.cfg.Version,
				Description: "Deploy sites, follow their builds, and choose which deployment visitors see. Every error is a problem of RFC 9457 with a stable code.",
			},
			Tags: []*huma.Tag{
				{Name: "projects", Description: "What is deployed: a source, how it is built, and the site that shows it"},
				{Name: "deployments", Description: "One attempt to make a source into a site; immutable once it is READY"},
				{Name: "jobs", Description: "What a build speaks with Fairway, by the token of its own attempt"},
				{Name: "installation", Description: "This installation itself"},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"owner": {Type: "http", Scheme: "bearer", Description: "The content of the file token in Fairway's data folder. The admin socket asks for none."},
					"job":   {Type: "http", Scheme: "bearer", Description: "The token of one attempt at one deployment"},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{fromHuma},
	}
}

// registerSpec serves the document of all routes that were registered before it, and itself.
func (a *API) registerSpec() {
	a.raw(rule{open: true}, huma.Operation{
		OperationID: "getOpenAPI", Method: http.MethodGet, Path: "/api/openapi.json", Tags: []string{"installation"},
		Summary: "This document", Responses: map[string]*huma.Response{
			"200": {Description: "OpenAPI 3.1", Content: map[string]*huma.MediaType{"application/openapi+json": {Schema: &huma.Schema{Type: huma.TypeObject}}}},
		},
	}, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(a.spec) // whoever asked has gone
		return nil
	})
	// huma names its own errors in every document; no answer has their shape.
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	spec, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic("controlapi: write the OpenAPI document: " + err.Error()) // it is data of this program
	}
	a.spec = spec
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

func queryParam(name, doc, kind string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: kind}}
}

func binaryBody(contentType, doc string) *huma.RequestBody {
	return &huma.RequestBody{
		Description: doc, Required: true,
		Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}
}
