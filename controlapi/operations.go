package controlapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// complete adds to the document what follows, for each operation, from its rule and its shape:
// errors, limits, headers, the team, and examples. So it is said once, and of every route.
func (a *API) complete() {
	doc := a.huma.OpenAPI()
	doc.Components.Responses = a.problemResponses()
	doc.Components.Headers = headerComponents()
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, op := range operationsOf(doc.Paths[path]) {
			a.completeOne(op, a.mux.rules[op.Method+" "+op.Path])
		}
	}
}

// operationsOf are the operations of a path, in the order that a reader expects.
func operationsOf(p *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{p.Get, p.Post, p.Put, p.Patch, p.Delete}, func(op *huma.Operation) bool { return op == nil })
}

func (a *API) completeOne(op *huma.Operation, r rule) {
	a.describeTeam(op, r)
	a.describeKey(op, r)
	for _, status := range failuresOf(op, r) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + problemName(status)}
	}
	a.describeLimit(op, r)
	addExamples(op)
}

// describeTeam names the query's team, where the door reads it.
func (a *API) describeTeam(op *huma.Operation, r rule) {
	if r.open || r.own() || strings.Contains(op.Path, "{team}") {
		return
	}
	p := queryParam("team", "Id or slug of the team to act in; the token's, or your own, when absent", huma.TypeString)
	least, most := 1, maxTeamName
	p.Schema.MinLength, p.Schema.MaxLength = &least, &most
	op.Parameters = append(op.Parameters, p)
}

// takesKey reports whether a route's answers are kept under an Idempotency-Key.
func takesKey(op *huma.Operation, r rule) bool {
	return isWrite(op.Method) && !r.open && !r.own() && !r.upload
}

func (a *API) describeKey(op *huma.Operation, r rule) {
	if !takesKey(op, r) {
		return
	}
	most := maxReplyKey
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "Idempotency-Key", In: "header",
		Description: "Makes the request safe to repeat: for a day the same key gets the same answer, and nothing is done twice",
		Schema:      &huma.Schema{Type: huma.TypeString, MaxLength: &most, Pattern: "^[!-~]+$"},
	})
}

// describeLimit says how often the operation may be asked for, in words and for programs.
func (a *API) describeLimit(op *huma.Operation, r rule) {
	if r.job || r.unlimited {
		return
	}
	class := r.class
	limits := []map[string]any{a.limitOf(classAPI)}
	text := "Counts as " + a.limitText(classAPI)
	if class != classAPI {
		limits = append(limits, a.limitOf(class))
		text += " and as " + a.limitText(class)
	}
	if r.edge {
		text += ", per edge token, or per address of who has none."
	} else {
		text += ", per person, or per address of who is not known."
	}
	op.Description = strings.TrimSuffix(op.Description, ".") + ". " + text
	if op.Extensions == nil {
		op.Extensions = map[string]any{}
	}
	op.Extensions["x-ratelimit"] = limits
	for status, response := range op.Responses {
		if response.Ref == "" && status < "400" {
			addLimitHeaders(response)
		}
	}
}

func (a *API) limitOf(c limitClass) map[string]any {
	return map[string]any{"class": c.String(), "limit": a.quotas[c], "window": int(windowTime.Seconds()), "per": []string{"person", "address"}}
}

func (a *API) limitText(c limitClass) string {
	if a.quotas[c] < 0 {
		return c.String() + " (not limited)"
	}
	return fmt.Sprintf("%s (%d a minute)", c, a.quotas[c])
}

func addLimitHeaders(r *huma.Response) {
	if r.Headers == nil {
		r.Headers = map[string]*huma.Param{}
	}
	for _, name := range []string{"RateLimit", "RateLimit-Policy"} {
		r.Headers[name] = &huma.Header{Ref: "#/components/headers/" + name}
	}
}

func headerComponents() map[string]*huma.Header {
	text := func(description, example string) *huma.Header {
		return &huma.Header{Description: description, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	return map[string]*huma.Header{
		"RateLimit":        text("What is left of each limit, and in how many seconds more is (draft-ietf-httpapi-ratelimit-headers)", `"api";r=99;t=60`),
		"RateLimit-Policy": text("The limits that the request counted for: requests in a window of seconds", `"api";q=100;w=60`),
		"Retry-After":      {Description: "Seconds to wait", Schema: &huma.Schema{Type: huma.TypeInteger}, Example: 12},
	}
}

// more are the ways to fail that only single operations have.
var more = map[string][]int{
	"signUp":            {http.StatusNotFound},
	"resetPassword":     {http.StatusNotFound},
	"confirmAddress":    {http.StatusNotFound},
	"putSource":         {http.StatusLengthRequired, http.StatusInsufficientStorage},
	"putBlob":           {http.StatusLengthRequired, http.StatusInsufficientStorage},
	"deploy":            {http.StatusInsufficientStorage},
	"finishJob":         {http.StatusInsufficientStorage},
	"appendLog":         {http.StatusInsufficientStorage},
	"followLogBySocket": {http.StatusUpgradeRequired, http.StatusNotImplemented},
}

// failuresOf lists the statuses with which an operation can fail.
func failuresOf(op *huma.Operation, r rule) []int {
	all := []int{http.StatusBadRequest, http.StatusMisdirectedRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}
	add := func(when bool, status ...int) {
		if when {
			all = append(all, status...)
		}
	}
	write := isWrite(op.Method)
	add(true, http.StatusUnauthorized) // a credential that is no good is refused by open routes, too
	add(write || !r.job && (!r.open || !r.setup), http.StatusForbidden)
	add(strings.Contains(op.Path, "{") || !r.open, http.StatusNotFound)
	add(write, http.StatusConflict)
	add(r.job, http.StatusGone)
	add(op.RequestBody != nil, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge)
	add(takesJSON(op), http.StatusUnsupportedMediaType)
	add(op.RejectUnknownQueryParameters || len(op.Parameters) > 0 || op.RequestBody != nil, http.StatusUnprocessableEntity)
	add(!r.job && !r.unlimited, http.StatusTooManyRequests)
	all = append(all, more[op.OperationID]...)
	if op.OperationID == "getHealth" { // it answers 503 in a shape of its own
		all = slices.DeleteFunc(all, func(s int) bool { return s == http.StatusServiceUnavailable })
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func takesJSON(op *huma.Operation) bool {
	return op.RequestBody != nil && op.RequestBody.Content["application/json"] != nil
}

// permissionText says in words whom a route asks for.
func permissionText(r rule) string {
	switch {
	case r.open:
		return "everybody"
	case r.job:
		return "the attempt that it names, by its token"
	case r.edge:
		return "an edge, by its token"
	}
	return map[hosting.Permission]string{
		hosting.PermitKnown: "everybody who is known", hosting.PermitSelf: "a signed-in person",
		hosting.PermitMint: "a signed-in member of the team, or the operator at the admin socket", hosting.PermitRead: "viewers of the team, and tokens with scope read",
		hosting.PermitDeploy: "developers of the team, and tokens with scope deploy", hosting.PermitChange: "developers of the team, and tokens with scope admin",
		hosting.PermitManage: "owners of the team, and their tokens with scope admin", hosting.PermitOperate: "the operator of the installation",
	}[r.may]
}
