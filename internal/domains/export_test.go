package domains

import "time"

// SetPage sets how many names are listed at a time, and returns what sets it back.
func SetPage(n int) (back func()) {
	was := page
	page = n
	return func() { page = was }
}

// SetLook sets how often an edge looks for a wildcard, and returns what sets it back.
func SetLook(d time.Duration) (back func()) {
	was := look
	look = d
	return func() { look = was }
}
