package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// logPrinter writes the lines of a log as they are, under a heading for each step.
type logPrinter struct {
	w     io.Writer
	style style
	step  hosting.Phase
	first int64 // Unix milliseconds of the first line
	lines int
}

func (p *logPrinter) print(l hosting.LogLine) error {
	var b strings.Builder
	if p.lines == 0 {
		p.first = l.At
	}
	if l.Step != p.step && l.Step != "" {
		if p.lines > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.heading(l))
		p.step = l.Step
	}
	p.lines++
	b.WriteString(lineText(l, p.style) + "\n")
	_, err := io.WriteString(p.w, b.String())
	return err
}

// printGap stands for lines that are left out.
func (p *logPrinter) printGap(g hosting.LogGap) error {
	_, err := fmt.Fprintln(p.w, p.style.muted(fmt.Sprintf("(%s left out: the build prints faster than that. The log has them)", count(int(g.Last-g.First+1), "line"))))
	return err
}

// lineText is a line as it is shown.
func lineText(l hosting.LogLine, st style) string {
	text := clean(l.Text, st.on)
	switch {
	case l.Stream == "sys":
		return st.muted(text)
	case strings.Contains(text, "\x1b["):
		return text + "\x1b[0m" // a line that forgets to end its colour ends it here
	}
	return text
}

// heading names the step and how far into the attempt it begins.
func (p *logPrinter) heading(l hosting.LogLine) string {
	s := p.style.bold(phaseTitle(l.Step))
	if after := time.Duration(l.At-p.first) * time.Millisecond; after >= time.Second {
		s += p.style.muted(", after " + took(after.Truncate(time.Second)))
	}
	return s + "\n"
}

func phaseTitle(ph hosting.Phase) string {
	if ph == hosting.PhaseProvisioning {
		return "Preparing"
	}
	s := plain(string(ph))
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// event is one line of --json where something is followed, spelled as the API's web socket
// spells it.
type event struct {
	Type       string              `json:"type"` // log, gap, state or end
	Line       *hosting.LogLine    `json:"line,omitempty"`
	Gap        *hosting.LogGap     `json:"gap,omitempty"`
	Deployment *hosting.Deployment `json:"deployment,omitempty"`
	URL        string              `json:"url,omitempty"` // of an end that is READY
}

// waitingFor says what a deployment waits for, for the moving line.
func waitingFor(d hosting.Deployment) string {
	switch {
	case d.Status == hosting.StatusQueued:
		return "Waiting for a free place to build"
	case d.Status == hosting.StatusInProgress && d.Attempt > 1:
		return fmt.Sprintf("%s (attempt %d)", phaseTitle(d.Phase), d.Attempt)
	case d.Status == hosting.StatusInProgress:
		return phaseTitle(d.Phase)
	}
	return ""
}
