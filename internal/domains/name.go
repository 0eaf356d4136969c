package domains

import (
	"encoding/hex"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// maxSegment is the longest name of a file, in bytes, on the disks there are.
const maxSegment = 255

// encode spells a name as a key below folder, which ends in a slash. Each name has a key of its
// own, also where case is not told apart: segments stay segments, what is not in [a-z0-9.-]
// becomes _ and two hex digits, _ becomes __, and an empty segment a lone _.
func encode(folder, name string) (string, error) {
	b := make([]byte, 0, len(folder)+len(name)+16)
	b = append(b, folder...)
	for i, segment := range strings.Split(name, "/") {
		if i > 0 {
			b = append(b, '/')
		}
		began := len(b)
		if b = appendSegment(b, segment); len(b)-began > maxSegment {
			return "", tooLong(name)
		}
	}
	if len(b) > object.MaxKey {
		return "", tooLong(name)
	}
	return string(b), nil
}

func tooLong(name string) error {
	return hosting.Errorf(hosting.CodeInvalid, "the name %.40q... is too long to be stored", name).
		WithHint("a host with a certificate has at most some 220 characters")
}

func appendSegment(b []byte, segment string) []byte {
	if segment == "" {
		return append(b, '_')
	}
	for i, c := range []byte(segment) {
		switch {
		case c == '_':
			b = append(b, "__"...)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.' && i > 0:
			b = append(b, c)
		default: // a dot at the beginning, too: no key may have "..", nor ".tmp"
			b = hex.AppendEncode(append(b, '_'), []byte{c})
		}
	}
	return b
}

// decode returns the name whose key below folder this is.
func decode(folder, key string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(key, folder)
	if !ok {
		return "", false
	}
	var b []byte
	for i, segment := range strings.Split(rest, "/") {
		if i > 0 {
			b = append(b, '/')
		}
		if segment == "_" {
			continue
		}
		for i := 0; i < len(segment); i++ {
			switch {
			case segment[i] != '_':
				b = append(b, segment[i])
			case strings.HasPrefix(segment[i:], "__"):
				b = append(b, '_')
				i++
			case i+2 < len(segment):
				c, err := hex.DecodeString(segment[i+1 : i+3])
				if err != nil {
					return "", false
				}
				b = append(b, c...)
				i += 2
			default:
				return "", false
			}
		}
	}
	// What somebody else put there may read like a name that has another key.
	name = string(b)
	again, err := encode(folder, name)
	return name, err == nil && again == key
}
