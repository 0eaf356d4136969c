package routes

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The buckets of the file.
var (
	sitesBucket    = []byte("sites")    // site name -> hosting.Site
	pointersBucket = []byte("pointers") // project, NUL, pointer name -> hosting.Pointer
	hostsBucket    = []byte("hosts")    // custom domain -> hosting.Host
	namesBucket    = []byte("names")    // project, NUL, name of a site of it that is not deleted
	metaBucket     = []byte("meta")
	buckets        = [][]byte{sitesBucket, pointersBucket, hostsBucket, namesBucket, metaBucket}
)

// errDamaged marks whatever makes the file unfit to be answered from.
var errDamaged = errors.New("the file is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A value is four bytes of CRC-32C over its bucket, key and payload, then the payload in
// JSON. bbolt checks its meta pages only: the sum finds a flipped bit, and a record that
// stands where another belongs, before anybody is served by it.
const sumSize = 4

func sum(bucket, key, payload []byte) uint32 {
	s := crc32.Update(0, castagnoli, bucket)
	s = crc32.Update(s, castagnoli, key)
	return crc32.Update(s, castagnoli, payload)
}

func pack(bucket, key []byte, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode route: %w", err)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, sumSize+len(payload)), sum(bucket, key, payload))
	return append(b, payload...), nil
}

func checkSum(bucket, key, value []byte) error {
	if len(value) < sumSize || binary.BigEndian.Uint32(value) != sum(bucket, key, value[sumSize:]) {
		return fmt.Errorf("%w: checksum of %s/%q", errDamaged, bucket, key)
	}
	return nil
}

func unpack(bucket, key, value []byte, v any) error {
	if err := checkSum(bucket, key, value); err != nil {
		return err
	}
	if err := json.Unmarshal(value[sumSize:], v); err != nil {
		return fmt.Errorf("%w: %s/%q: %w", errDamaged, bucket, key, err)
	}
	return nil
}

// get reads a record; found is false where there is none.
func get(tx *bbolt.Tx, bucket, key []byte, v any) (found bool, err error) {
	value := tx.Bucket(bucket).Get(key)
	if value == nil {
		return false, nil
	}
	return true, unpack(bucket, key, value, v)
}

func put(tx *bbolt.Tx, bucket, key []byte, v any) error {
	b, err := pack(bucket, key, v)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, b)
}

func pointerKey(project hosting.ProjectID, name string) []byte {
	return []byte(string(project) + "\x00" + name)
}

func nameKey(project hosting.ProjectID, site string) []byte {
	return []byte(string(project) + "\x00" + site)
}
