package builder

import (
	"fmt"
	"strings"
	"time"
)

// formatBytes writes a size as people read it: "182 kB".
func formatBytes(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n), -1
	for ; v >= 999.5 && unit < len(units)-1; unit++ {
		v /= 1000
	}
	s := fmt.Sprintf("%.1f", v)
	if v >= 10 {
		s = fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%s %cB", strings.TrimSuffix(s, ".0"), units[unit])
}

// plural writes a count with its noun: "1 file", "4 files".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clip shortens s to about n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// formatTime writes a limit without the zeros of its smaller units: "45m".
func formatTime(d time.Duration) string {
	s := d.Round(time.Second).String()
	if d < time.Second {
		return d.String()
	}
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
