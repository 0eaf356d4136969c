package routes

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// check reads all that the file holds: the sum of every record, and that the index of names
// agrees with the sites. A hundred thousand routes take a fraction of a second.
func check(tx *bbolt.Tx) (meta, error) {
	for _, b := range buckets {
		if tx.Bucket(b) == nil {
			return meta{}, fmt.Errorf("%w: there is no bucket %s", errDamaged, b)
		}
	}
	var m meta
	found, err := get(tx, metaBucket, metaKey, &m)
	if err != nil {
		return meta{}, err
	}
	if !found || m.Format != format {
		return meta{}, fmt.Errorf("%w: it has format %d, this release reads %d", errDamaged, m.Format, format)
	}
	return m, checkRecords(tx)
}

func checkRecords(tx *bbolt.Tx) error {
	live := 0
	err := each(tx, sitesBucket, func(s *hosting.Site, key []byte) error {
		if s.State == hosting.SiteDeleted {
			return nil
		}
		live++
		if tx.Bucket(namesBucket).Get(nameKey(s.Project, s.Name)) == nil || s.Name != string(key) {
			return fmt.Errorf("%w: site %q is not in the index", errDamaged, s.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n := tx.Bucket(namesBucket).Stats().KeyN; n != live {
		return fmt.Errorf("%w: its index has %d names for %d sites", errDamaged, n, live)
	}
	err = each(tx, pointersBucket, func(p *hosting.Pointer, key []byte) error {
		if !bytes.Equal(pointerKey(p.Project, p.Name), key) {
			return fmt.Errorf("%w: pointer %q stands at another's place", errDamaged, key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(tx, hostsBucket, func(*hosting.Host, []byte) error { return nil })
}

func each[T any](tx *bbolt.Tx, bucket []byte, fn func(v *T, key []byte) error) error {
	return tx.Bucket(bucket).ForEach(func(k, value []byte) error {
		v := new(T)
		if err := unpack(bucket, k, value, v); err != nil {
			return err
		}
		return fn(v, k)
	})
}
