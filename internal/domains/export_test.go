package domains

// SetPage sets how many names are listed at a time, and returns what sets it back.
func SetPage(n int) (back func()) {
	was := page
	page = n
	return func() { page = was }
}
