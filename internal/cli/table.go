package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table writes aligned columns. A column that no row fills is left out.
type table struct {
	heads []string
	rows  [][]cell
	// flexible is the column that is cut when the table is wider than the terminal.
	flexible int
	// optional are the columns that are left out, in this order, as long as the table is
	// wider than the terminal even so.
	optional []int
}

// cell is a text, and how it looks.
type cell struct {
	text   string
	colour func(string) string // nil: as it is
}

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

const columnGap = "  "

// write prints the table; width 0 means without bound.
func (t *table) write(w io.Writer, s style, width int) error {
	widths := t.widths(width)
	var b strings.Builder
	heads := make([]cell, len(t.heads))
	for i, h := range t.heads {
		heads[i] = cell{h, s.muted}
	}
	for _, row := range append([][]cell{heads}, t.rows...) {
		writeRow(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRow(b *strings.Builder, row []cell, widths []int) {
	last := len(row) - 1
	for last > 0 && (widths[last] == 0 || row[last].text == "") {
		last--
	}
	for i, c := range row[:last+1] {
		if widths[i] == 0 {
			continue
		}
		text := shorten(c.text, widths[i])
		pad := widths[i] - utf8.RuneCountInString(text)
		if c.colour != nil {
			text = c.colour(text)
		}
		b.WriteString(text)
		if i < last { // no spaces at the end of a line
			b.WriteString(strings.Repeat(" ", pad) + columnGap)
		}
	}
	b.WriteByte('\n')
}

// widths returns the width of each column, 0 for one that is empty in every row.
func (t *table) widths(width int) []int {
	widths := make([]int, len(t.heads))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for i, n := range widths {
		if n > 0 {
			widths[i] = max(n, utf8.RuneCountInString(t.heads[i]))
		}
	}
	if width > 0 {
		t.fit(widths, width)
	}
	return widths
}

func (t *table) fit(widths []int, width int) {
	flexible := widths[t.flexible]
	least := min(flexible, minFlexible)
	for _, i := range t.optional {
		if over := total(widths) - width; over <= flexible-least {
			break
		}
		widths[i] = 0
	}
	widths[t.flexible] = max(flexible-max(total(widths)-width, 0), least)
}

func total(widths []int) int {
	n := -len(columnGap)
	for _, w := range widths {
		if w > 0 {
			n += w + len(columnGap)
		}
	}
	return n
}

// minFlexible keeps enough of a commit's message to know it by.
const minFlexible = 14
