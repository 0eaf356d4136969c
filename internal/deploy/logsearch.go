package deploy

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// What one request looks at: no more logs than this, and hardly more bytes of their lines
	// than that. Its answer says where the next one goes on.
	searchedLogs  = 20
	searchedBytes = 8 << 20
	// searchedCost is added to each line's text when that is counted: what reading a line costs
	// even if it is empty.
	searchedCost = 64
	// searchedSpan is how far back a search goes that does not say it.
	searchedSpan = 30 * 24 * time.Hour
	maxWanted    = 200
)

// LogFilter says which lines of a log are wanted: every one, where it is empty.
type LogFilter struct {
	Stream string        // out, err or sys
	Step   hosting.Phase // which printed it
	// Text is what it has in it, of 1 to 200 characters, in whatever case. Colours are no text.
	Text string
}

// search is what one request looks for, what it may still look at, and what it found.
type search struct {
	LogFilter
	since, until time.Time
	limit        int
	bytes        int // that it may still look at
	found        []hosting.LogMatch
}

func newSearch(f LogFilter, limit int) (*search, error) {
	if limit == 0 {
		limit = pageOfLines
	}
	switch {
	case limit < 1 || limit > maxBatchLines:
		return nil, hosting.Errorf(hosting.CodeInvalid, "limit must be 1 to %d", maxBatchLines)
	case f.Stream != "" && !isStream(f.Stream):
		return nil, hosting.Errorf(hosting.CodeInvalid, "stream must be out, err or sys")
	case f.Step != "" && f.Step.Number() == 0:
		return nil, hosting.Errorf(hosting.CodeInvalid, "there is no step %q", printableText(string(f.Step), 40))
	case utf8.RuneCountInString(f.Text) > maxWanted:
		return nil, hosting.Errorf(hosting.CodeInvalid, "the text to look for has more than %d characters", maxWanted)
	case !isLogText(f.Text) || f.Text != "" && colourless(f.Text) == "":
		return nil, hosting.Errorf(hosting.CodeInvalid, "the text to look for must be UTF-8 without control characters, as lines are")
	}
	f.Text = folded(f.Text)
	return &search{LogFilter: f, limit: limit, bytes: searchedBytes, found: []hosting.LogMatch{}}, nil
}

func isStream(s string) bool { return s == "out" || s == "err" || s == "sys" }

// over reports whether the request has looked at enough, or found it.
func (l *search) over() bool { return l.bytes <= 0 || len(l.found) >= l.limit }

func (l *search) wants(line *hosting.LogLine) bool {
	return (l.Stream == "" || line.Stream == l.Stream) && (l.Step == "" || line.Step == l.Step) &&
		(l.Text == "" || strings.Contains(folded(line.Text), l.Text))
}

// look looks through a log behind the line after. next is the last line that it looked at, and end
// says that there is no other.
func (s *Service) look(ctx context.Context, id hosting.DeploymentID, after int64, look *search) (next int64, end bool, err error) {
	for next = after; !look.over(); {
		lines, err := s.readLines(ctx, id, next, maxBatchLines)
		if err != nil || len(lines) == 0 {
			return next, err == nil, err
		}
		for i := range lines {
			if look.over() {
				break
			}
			line := &lines[i]
			next = line.N
			look.bytes -= len(line.Text) + searchedCost
			if look.wants(line) {
				look.found = append(look.found, hosting.LogMatch{Deployment: id, Line: *line})
			}
		}
	}
	return next, false, nil
}

// folded is a text as texts are compared.
func folded(s string) string { return strings.ToLower(colourless(s)) }

// colourless returns the text of a log's line without the sequences that set colours.
func colourless(s string) string {
	if strings.IndexByte(s, 0x1b) < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		n := 0
		if s[0] == 0x1b {
			n = lenSGR(s)
		}
		if n == 0 {
			n = 1 + strings.IndexByte(s[1:], 0x1b)
			if n == 0 {
				n = len(s)
			}
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
