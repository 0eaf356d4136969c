package state

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Key names a row within its table. Composite keys are made by K.
type Key string

// K joins parts into a key that sorts by its parts in turn. Strings must not hold NUL, which
// no noun's field does; numbers come from Asc and Desc.
func K(parts ...string) Key { return Key(strings.Join(parts, sep)) }

// Asc writes n so that keys sort by it, smallest first.
func Asc(n uint64) string { return fmt.Sprintf("%016x", n) }

// Desc writes n so that keys sort by it, greatest first.
func Desc(n uint64) string { return Asc(^n) }

const sep = "\x00"

// Table declares how rows of one noun are stored: under which key, in which version of the
// codec, with which indexes. It keeps the index rows itself. A Table is immutable and safe
// for concurrent use; rows are reached through In.
type Table[T any] struct {
	Name    string
	Version int
	Key     func(*T) Key
	Indexes []Index[T]
}

// Index finds rows by something other than their key, within one scope.
type Index[T any] struct {
	Name string
	// Unique refuses a second row with the same index key in the scope (CodeConflict).
	Unique bool
	// Key returns the row's key in the index; ok is false for rows that are not in it.
	Key func(*T) (key Key, ok bool)
}

// In returns the table's rows within a scope.
func (t *Table[T]) In(scope string) Rows[T] { return Rows[T]{t, scope} }

// Rows are the rows of a table within one scope: nothing reaches over its edge.
type Rows[T any] struct {
	table *Table[T]
	scope string
}

// row is the stored form. The version lets a later release read what an earlier one wrote.
type row struct {
	Version int             `json:"v"`
	Row     json.RawMessage `json:"row"`
}

// Get returns the row, or CodeNotFound.
func (r Rows[T]) Get(tx Tx, key Key) (T, error) {
	v, ok, err := r.Find(tx, key)
	if err == nil && !ok {
		err = hosting.Errorf(hosting.CodeNotFound, "there is no such %s", r.table.Name)
	}
	return v, err
}

// Find returns the row, and whether there is one.
func (r Rows[T]) Find(tx Tx, key Key) (v T, ok bool, err error) {
	b, err := tx.Get(r.rowKey(key))
	if err != nil || b == nil {
		return v, false, err
	}
	v, err = r.decode(b)
	return v, err == nil, err
}

// Put stores the row, in place of the one with its key if there is one. It fails with
// CodeConflict, and has written nothing, when another row has its key in a unique index.
func (r Rows[T]) Put(tx Tx, v *T) error {
	key := r.table.Key(v)
	old, had, err := r.Find(tx, key)
	if err != nil {
		return err
	}
	if err := r.unique(tx, key, v); err != nil {
		return err
	}
	for _, ix := range r.table.Indexes {
		if err := r.reindex(tx, ix, key, had, &old, v); err != nil {
			return err
		}
	}
	b, err := json.Marshal(v)
	if err == nil {
		b, err = json.Marshal(row{r.table.Version, b})
	}
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.table.Name, err)
	}
	return tx.Put(r.rowKey(key), b)
}

// unique refuses a row whose key in a unique index belongs to another row. It looks at all
// of them before anything is written, so that a caller may take the refusal and go on in the
// same transaction, with another name say.
func (r Rows[T]) unique(tx Tx, key Key, v *T) error {
	for _, ix := range r.table.Indexes {
		k, in := ix.Key(v)
		if !ix.Unique || !in {
			continue
		}
		b, err := tx.Get(r.indexKey(ix, k, key))
		if err != nil {
			return err
		}
		if b != nil && Key(b) != key {
			return hosting.Errorf(hosting.CodeConflict, "there already is a %s with that %s", r.table.Name, ix.Name)
		}
	}
	return nil
}

// Insert stores a row whose key is free, else CodeConflict.
func (r Rows[T]) Insert(tx Tx, v *T) error {
	_, had, err := r.Find(tx, r.table.Key(v))
	if err != nil {
		return err
	}
	if had {
		return hosting.Errorf(hosting.CodeConflict, "there already is such a %s", r.table.Name)
	}
	return r.Put(tx, v)
}

// Delete removes the row and its index rows; an absent one is no error.
func (r Rows[T]) Delete(tx Tx, key Key) error {
	old, had, err := r.Find(tx, key)
	if err != nil || !had {
		return err
	}
	for _, ix := range r.table.Indexes {
		if k, ok := ix.Key(&old); ok {
			if err := tx.Delete(r.indexKey(ix, k, key)); err != nil {
				return err
			}
		}
	}
	return tx.Delete(r.rowKey(key))
}

// List returns up to limit rows whose keys begin with prefix and are greater than after
// ("": from the first), in the order of keys.
func (r Rows[T]) List(tx Tx, prefix, after Key, limit int) ([]T, error) {
	from := []byte(nil)
	if after != "" {
		from = r.rowKey(after)
	}
	pairs, err := tx.Scan(r.rowKey(prefix), from, limit)
	if err != nil {
		return nil, err
	}
	rows := make([]T, len(pairs))
	for i, p := range pairs {
		if rows[i], err = r.decode(p.Value); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// FindBy returns the row that a unique index names, and whether there is one.
func (r Rows[T]) FindBy(tx Tx, index string, key Key) (v T, ok bool, err error) {
	ix := r.index(index)
	if !ix.Unique {
		panic("state: index " + r.table.Name + "." + index + " is not unique")
	}
	b, err := tx.Get(r.indexKey(ix, key, ""))
	if err != nil || b == nil {
		return v, false, err
	}
	return r.Find(tx, Key(b))
}

// ListBy returns up to limit rows in the order of an index: those whose index keys begin
// with prefix, behind the cursor after. next is the cursor of the last row, "" if there are
// no rows. A cursor is only good for the same index, prefix and scope.
func (r Rows[T]) ListBy(tx Tx, index string, prefix, after Key, limit int) (rows []T, next Key, err error) {
	head := r.indexPrefix(r.index(index))
	from := []byte(nil)
	if after != "" {
		from = []byte(head + string(after))
	}
	pairs, err := tx.Scan([]byte(head+string(prefix)), from, limit)
	if err != nil {
		return nil, "", err
	}
	if err := r.prefetch(tx, pairs); err != nil {
		return nil, "", err
	}
	for _, p := range pairs {
		v, ok, err := r.Find(tx, Key(p.Value))
		if err != nil {
			return nil, "", err
		}
		if !ok {
			return nil, "", fmt.Errorf("index %s.%s names a row that is not there", r.table.Name, index)
		}
		rows = append(rows, v)
		next = Key(p.Key[len(head):])
	}
	return rows, next, nil
}

// prefetch reads the rows that index rows name at once, where that is quicker.
func (r Rows[T]) prefetch(tx Tx, index []Pair) error {
	p, ok := tx.(Prefetcher)
	if !ok {
		return nil
	}
	keys := make([][]byte, len(index))
	for i, pair := range index {
		keys[i] = r.rowKey(Key(pair.Value))
	}
	return p.Prefetch(keys)
}

func (r Rows[T]) reindex(tx Tx, ix Index[T], key Key, had bool, old, v *T) error {
	var oldKey Key
	wasIn := false
	if had {
		oldKey, wasIn = ix.Key(old)
	}
	newKey, isIn := ix.Key(v)
	if wasIn && (!isIn || oldKey != newKey) {
		if err := tx.Delete(r.indexKey(ix, oldKey, key)); err != nil {
			return err
		}
	}
	if !isIn || (wasIn && oldKey == newKey) {
		return nil
	}
	return tx.Put(r.indexKey(ix, newKey, key), []byte(key))
}

func (r Rows[T]) index(name string) Index[T] {
	for _, ix := range r.table.Indexes {
		if ix.Name == name {
			return ix
		}
	}
	panic("state: table " + r.table.Name + " has no index " + strconv.Quote(name))
}

// prefix is what the keys of the rows begin with.
func (r Rows[T]) prefix() string { return r.scope + sep + r.table.Name + sep }

func (r Rows[T]) rowKey(key Key) []byte { return []byte(r.prefix() + string(key)) }

func (r Rows[T]) indexPrefix(ix Index[T]) string {
	return r.scope + sep + r.table.Name + "." + ix.Name + sep
}

// indexKey is where the index row stands: under its key alone if that is unique, else with
// the row's own key behind it.
func (r Rows[T]) indexKey(ix Index[T], k, key Key) []byte {
	s := r.indexPrefix(ix) + string(k)
	if !ix.Unique {
		s += sep + string(key)
	}
	return []byte(s)
}

func (r Rows[T]) decode(b []byte) (v T, err error) {
	var stored row
	if err := json.Unmarshal(b, &stored); err != nil {
		return v, fmt.Errorf("decode %s: %w", r.table.Name, err)
	}
	if stored.Version != r.table.Version {
		return v, fmt.Errorf("decode %s: stored in version %d, this release reads version %d", r.table.Name, stored.Version, r.table.Version)
	}
	if err := json.Unmarshal(stored.Row, &v); err != nil {
		return v, fmt.Errorf("decode %s: %w", r.table.Name, err)
	}
	return v, nil
}
