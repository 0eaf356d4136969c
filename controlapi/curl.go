package controlapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// curl is how to ask for an operation from a shell.
func (a *API) curl(op *huma.Operation, r rule) string {
	words := []string{"curl"}
	if op.Method != http.MethodGet {
		words = append(words, "-X "+op.Method)
	}
	words = append(words, quoted(a.controlURL(examplePath(op))))
	switch {
	case r.open:
	case r.job:
		words = append(words, `-H "Authorization: Bearer $ATTEMPT_TOKEN"`)
	case r.edge:
		words = append(words, `-H "Authorization: Bearer $EDGE_TOKEN"`)
	case len(op.Security) == 1: // a session's
		words = append(words, `-b "`+SessionCookie+`=$SESSION"`)
		if isWrite(op.Method) {
			words = append(words, "-H "+quoted("Origin: "+a.controlURL("")))
		}
	default:
		words = append(words, `-H "Authorization: Bearer $FAIRWAY_TOKEN"`)
	}
	if op.RequestBody != nil {
		words = append(words, bodyWords(op.RequestBody)...)
	}
	return strings.Join(words, " \\\n  ")
}

func bodyWords(body *huma.RequestBody) (words []string) {
	for kind, m := range body.Content {
		words = append(words, "-H "+quoted("Content-Type: "+kind))
		if m.Example == nil {
			return append(words, "--data-binary @FILE")
		}
		b, err := json.Marshal(m.Example)
		if err != nil {
			panic("controlapi: write an example: " + err.Error()) // it is data of this program
		}
		words = append(words, "-d "+quoted(string(b)))
	}
	return words
}

// quoted is a word as a POSIX shell takes it literally.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// examplePath is the path with the examples' own names in it.
func examplePath(op *huma.Operation) string {
	id := string(exampleDeployment)
	switch {
	case strings.HasPrefix(op.Path, "/api/operator/teams"):
		id = string(exampleTeam)
	case strings.HasPrefix(op.Path, "/api/operator/projects"):
		id = string(exampleProject)
	case strings.HasPrefix(op.Path, "/api/operator/invitations"):
		id = string(exampleInvitation().ID)
	}
	return strings.NewReplacer(
		"{id}", id, "{project}", "shop", "{team}", "outfitters", "{user}", string(exampleUser), "{token}", string(exampleToken().ID),
		"{invitation}", string(exampleInvitation().ID), "{session}", string(exampleSession().ID), "{name}", "API_KEY", "{edge}", exampleEdgeName, "{digest}", exampleDigest.String(),
	).Replace(op.Path)
}
