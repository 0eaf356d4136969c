// Package argon derives keys from passwords by argon2id (RFC 9106), in processes of their own
// that run when nothing else wants the processor.
//
// A hash takes a processor for some tens of milliseconds and 19 MiB. Within the server, where
// goroutines have no priority and the garbage of one is collected by all, a flood of logins is
// felt by every site. The kernel does better: a [Pool] starts the server's own program again
// as a worker at the lowest priority, hands it passwords through a pipe, and ends it once
// nobody has signed in for a while.
package argon

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
)

// Params are what a hash costs.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// KeySize is the length of every key, in bytes.
const KeySize = 32

// Key derives a key in the process that calls it.
func Key(password string, salt []byte, p Params) []byte {
	return argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, KeySize)
}

// request is what a worker is asked on stdin, and reply what it answers on stdout: both as
// gob. The password goes through the pipe alone, never by arguments or environment.
type request struct {
	Password string
	Salt     []byte
	Params   Params
}

type reply struct{ Key []byte }

// Serve is the worker's side of a [Pool]: it lowers the priority of its own process, where
// that may be done, and answers one request after the other until r ends, which it does when
// the server ends, however it ends.
func Serve(r io.Reader, w io.Writer) error {
	_ = yield() // a sandbox may forbid it, and logins must go on
	in, out := gob.NewDecoder(r), gob.NewEncoder(w)
	for {
		var q request
		switch err := in.Decode(&q); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
		}
		if err := out.Encode(reply{Key(q.Password, q.Salt, q.Params)}); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}
