package s3_test

import (
	"fmt"
	"testing"

	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

func TestStore_KeepsTheContract(t *testing.T) {
	g := gateway(t)
	for _, prefix := range []string{"", "team/objects"} {
		t.Run(fmt.Sprintf("below %q", prefix), func(t *testing.T) {
			objecttest.Run(t, func(t *testing.T) object.Store {
				return open(t, s3.Config{Endpoint: g.url, Bucket: g.bucket(t), Prefix: prefix})
			})
		})
	}
}
