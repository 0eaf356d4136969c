package controlapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// referenceField is one value of a body, or one parameter.
type referenceField struct {
	Name, Type, About string
	Required          bool
}

// maxDepth is how deep a schema is unfolded; what is deeper is named by its type.
const maxDepth = 3

// fieldsOf lists the fields of a schema, those inside others by dotted names.
func (a *API) fieldsOf(s *huma.Schema) []referenceField {
	var out []referenceField
	a.unfold(s, "", 0, &out)
	return out
}

func (a *API) unfold(s *huma.Schema, prefix string, depth int, out *[]referenceField) {
	s = a.resolved(s)
	if depth == maxDepth || s == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		inner, dots := a.resolved(field), ""
		if inner.Type == huma.TypeArray {
			inner, dots = a.resolved(inner.Items), "[]"
		}
		about := field.Description
		if about == "" {
			about = a.resolved(field).Description
		}
		*out = append(*out, referenceField{
			Name: prefix + name + dots, Type: typeOf(inner), About: about + bounds(inner), Required: slices.Contains(s.Required, name),
		})
		a.unfold(inner, prefix+name+dots+".", depth+1, out)
	}
}

func (a *API) resolved(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

func typeOf(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	if s.Format != "" && s.Format != "int64" && s.Format != "int32" {
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}

// bounds says in words what a value may be.
func bounds(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	var all []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			if text, ok := v.(string); ok {
				values = append(values, text)
			}
		}
		all = append(all, "one of "+strings.Join(values, ", "))
	}
	if s.MinLength != nil && *s.MinLength > 1 {
		all = append(all, "at least "+strconv.Itoa(*s.MinLength)+" characters")
	}
	if s.MaxLength != nil {
		all = append(all, "at most "+strconv.Itoa(*s.MaxLength)+" characters")
	}
	if s.Minimum != nil {
		all = append(all, "at least "+strconv.FormatFloat(*s.Minimum, 'f', -1, 64))
	}
	if s.Maximum != nil {
		all = append(all, "at most "+strconv.FormatFloat(*s.Maximum, 'f', -1, 64))
	}
	if s.Default != nil {
		all = append(all, "default "+strings.TrimSpace(indented(s.Default)))
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}
