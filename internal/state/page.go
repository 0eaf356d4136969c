package state

import (
	"encoding/base64"

	"github.com/scale-mesh/fairway/internal/hosting"
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

func (p Page) read() (after Key, limit int, err error) {
	limit = p.Limit
	if limit == 0 {
		limit = defaultPage
	}
	if limit < 1 || limit > maxPage {
		return "", 0, hosting.Errorf(hosting.CodeInvalid, "limit must be 1 to %d", maxPage)
	}
	b, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || len(b) > MaxKey/2 {
		return "", 0, hosting.Errorf(hosting.CodeInvalid, "after is no cursor of this list").
			WithHint("use the value of next in the part before")
	}
	return Key(b), limit, nil
}

// Page lists a part of an index, of the rows whose index keys begin with prefix, and makes the
// cursor of the next part if there is one. A Page that cannot be read is CodeInvalid.
func (r Rows[T]) Page(tx Tx, index string, prefix Key, p Page) (List[T], error) {
	after, limit, err := p.read()
	if err != nil {
		return List[T]{}, err
	}
	items, last, err := r.ListBy(tx, index, prefix, after, limit)
	if err != nil || len(items) < limit {
		return List[T]{Items: items}, err
	}
	more, _, err := r.ListBy(tx, index, prefix, last, 1)
	if err != nil || len(more) == 0 {
		return List[T]{Items: items}, err
	}
	return List[T]{Items: items, Next: base64.RawURLEncoding.EncodeToString([]byte(last))}, nil
}

// PageOf lists a part of the table itself, in the order of its keys, as Page does.
func (r Rows[T]) PageOf(tx Tx, prefix Key, p Page) (List[T], error) {
	after, limit, err := p.read()
	if err != nil {
		return List[T]{}, err
	}
	items, err := r.List(tx, prefix, after, limit+1)
	if err != nil || len(items) <= limit {
		return List[T]{Items: items}, err
	}
	last := r.table.Key(&items[limit-1])
	return List[T]{Items: items[:limit], Next: base64.RawURLEncoding.EncodeToString([]byte(last))}, nil
}

// MapPage is a part of a list with its items changed by fn.
func MapPage[T, U any](l List[T], fn func(T) (U, error)) (List[U], error) {
	out := List[U]{Items: make([]U, 0, len(l.Items)), Next: l.Next}
	for _, v := range l.Items {
		u, err := fn(v)
		if err != nil {
			return List[U]{}, err
		}
		out.Items = append(out.Items, u)
	}
	return out, nil
}
