package deploy

import (
	"encoding/base64"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// Page asks for a part of a list: up to Limit items (1 to 100, 20 when 0) behind the cursor
// After, which is List.Next of the part before.
type Page struct {
	After string
	Limit int
}

// List is a part of a list. Next is the cursor of the next part, "" when there is none.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

const (
	defaultPage = 20
	maxPage     = 100
)

func (p Page) read() (after state.Key, limit int, err error) {
	limit = p.Limit
	if limit == 0 {
		limit = defaultPage
	}
	if limit < 1 || limit > maxPage {
		return "", 0, hosting.Errorf(hosting.CodeInvalid, "limit must be 1 to %d", maxPage)
	}
	b, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || len(b) > state.MaxKey/2 {
		return "", 0, hosting.Errorf(hosting.CodeInvalid, "after is no cursor of this list").
			WithHint("use the value of next in the part before")
	}
	return state.Key(b), limit, nil
}

// listPage lists a part of an index, and makes the cursor of the next part if there is one.
func listPage[T any](tx state.Tx, rows state.Rows[T], index string, prefix state.Key, p Page) ([]T, string, error) {
	after, limit, err := p.read()
	if err != nil {
		return nil, "", err
	}
	items, last, err := rows.ListBy(tx, index, prefix, after, limit)
	if err != nil || len(items) < limit {
		return items, "", err
	}
	more, _, err := rows.ListBy(tx, index, prefix, last, 1)
	if err != nil || len(more) == 0 {
		return items, "", err
	}
	return items, base64.RawURLEncoding.EncodeToString([]byte(last)), nil
}
