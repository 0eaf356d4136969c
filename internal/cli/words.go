package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ago says how long before now t was, as coarse as a person would.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < 5*time.Second: // the clocks of two machines differ: the near future is now
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	case d < 48*time.Hour:
		return "yesterday"
	case d < 30*24*time.Hour:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	}
	return t.In(now.Location()).Format("2006-01-02")
}

// ahead says when something that is to come will be, as coarse as a person would.
func ahead(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case t.IsZero():
		return "never"
	case d <= 0:
		return ago(t, now)
	case d < time.Hour:
		return fmt.Sprintf("in %d min", (d+time.Minute-1)/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("in %d h", d.Round(time.Hour)/time.Hour)
	case d < 30*24*time.Hour:
		return fmt.Sprintf("in %d days", d.Round(24*time.Hour)/(24*time.Hour))
	}
	return "on " + t.In(now.Location()).Format("2006-01-02")
}

// took says how long something lasted.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// size says how many bytes n is, in powers of 1,024, as file managers and quotas count.
func size(n int64) string {
	if n < 1024 {
		return count(int(n), "byte")
	}
	v, unit := float64(n)/1024, "KiB"
	for _, u := range []string{"MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if v < 10 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// count is "1 file" or "1,200 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return digits(n) + " " + noun + "s"
}

// digits is n with a comma before each three digits.
func digits(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shorten cuts s to at most n columns.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 2 {
		return ""
	}
	return strings.TrimRight(string([]rune(s)[:n-1]), " ") + "…"
}

// statusWord is a status in words.
func statusWord(d hosting.Deployment) string {
	switch d.Status {
	case hosting.StatusNotStarted:
		return "waiting"
	case hosting.StatusQueued:
		return "queued"
	case hosting.StatusInProgress:
		if d.Phase != "" {
			return string(d.Phase)
		}
		return "building"
	case hosting.StatusReady:
		return "ready"
	case hosting.StatusFail:
		return "failed"
	case hosting.StatusCanceled:
		return "canceled"
	case hosting.StatusSkipped:
		return "skipped"
	}
	return strings.ToLower(string(d.Status))
}

// statusColour colours text by a status; the word says the same.
func statusColour(s style, status hosting.Status, text string) string {
	switch status {
	case hosting.StatusReady:
		return s.green(text)
	case hosting.StatusFail:
		return s.red(text)
	case hosting.StatusInProgress:
		return s.blue(text)
	}
	return s.muted(text)
}

// title is the deployment's commit, or what it was made from where it has none.
func title(d hosting.Deployment) string {
	switch {
	case d.Source.Commit != "":
		return strings.TrimSpace(shortCommit(d.Source.Commit) + " " + plain(d.Source.Message))
	case d.Source.Kind == hosting.SourceArchive:
		return "uploaded source"
	case d.Source.Kind == hosting.SourceFiles:
		return "uploaded files"
	}
	return ""
}

func shortCommit(c string) string { return c[:min(7, len(c))] }

// duration is how long a deployment was worked on, "" until it ends.
func duration(d hosting.Deployment) string {
	if d.FinishedAt.IsZero() || d.StartedAt.IsZero() {
		return ""
	}
	return took(d.FinishedAt.Sub(d.StartedAt))
}
