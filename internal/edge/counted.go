package edge

import (
	"net/http"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// counted is a ResponseWriter that counts what goes through it.
type counted struct {
	http.ResponseWriter
	project hosting.ProjectID
	bytes   int64
	status  int
}

// counters are reused, so that a hit allocates nothing of ours.
var counters = sync.Pool{New: func() any { return new(counted) }}

func (c *counted) WriteHeader(status int) {
	c.status = status // the last one is the answer's: 103 goes before
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// counts tells what was answered, also where the answer was broken off.
func (s *Server) counts(c *counted) {
	s.count(c.project, c.bytes, c.status >= http.StatusInternalServerError)
	*c = counted{}
	counters.Put(c)
}
