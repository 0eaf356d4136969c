package routes

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// checkHead looks at what a file says of itself.
func checkHead(tx *bbolt.Tx) (meta, error) {
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
	return m, nil
}

// checkedAtOnce is how many records one transaction of verify reads: while one is open the
// file's map cannot grow, for which changes would wait.
const checkedAtOnce = 5000

// verify reads all records of a file that an earlier process left: the sum of each, which it is
// also read by, and that the index of names agrees with the sites. A million records take
// seconds, so it runs beside look-ups and changes; until then a host whose record has lost its
// key is unknown. Damage is a fault, and Follow builds the file anew.
func (t *Table) verify(ctx context.Context, f *file) {
	for _, b := range [][]byte{sitesBucket, pointersBucket, hostsBucket, namesBucket} {
		if err := verifyBucket(ctx, f, b); err != nil {
			t.fault(f, err)
			return
		}
	}
}

func verifyBucket(ctx context.Context, f *file, bucket []byte) error {
	var after []byte
	for ctx.Err() == nil {
		n := 0
		err := f.view(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucket).Cursor()
			k, v := c.Seek(after)
			if after != nil && bytes.Equal(k, after) {
				k, v = c.Next()
			}
			for ; k != nil && n < checkedAtOnce; k, v = c.Next() {
				if err := verifyRecord(tx, bucket, k, v); err != nil {
					return err
				}
				after, n = bytes.Clone(k), n+1
			}
			return nil
		})
		if err != nil || n < checkedAtOnce {
			return err
		}
	}
	return nil
}

// verifyRecord checks one record, by its sum over bucket, key and payload; those of the sites
// and of the index by each other, too.
func verifyRecord(tx *bbolt.Tx, bucket, k, v []byte) error {
	switch {
	case bytes.Equal(bucket, sitesBucket):
		var s hosting.Site
		if err := unpack(bucket, k, v, &s); err != nil {
			return err
		}
		if s.State != hosting.SiteDeleted && tx.Bucket(namesBucket).Get(nameKey(s.Project, s.Name)) == nil {
			return fmt.Errorf("%w: site %q is not in the index", errDamaged, s.Name)
		}
		return nil
	case bytes.Equal(bucket, namesBucket):
		project, name, found := bytes.Cut(k, []byte{0})
		var s hosting.Site
		ok, err := get(tx, sitesBucket, name, &s)
		if err == nil && (!found || !ok || s.State == hosting.SiteDeleted || string(s.Project) != string(project)) {
			err = fmt.Errorf("%w: the index has %q, which is no site", errDamaged, k)
		}
		return err
	}
	return checkSum(bucket, k, v)
}
