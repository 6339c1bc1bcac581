package query

import (
	"fmt"
	"unicode/utf8"
)

// Error says what is wrong with a query, and where.
type Error struct {
	// Column is where, counted in characters from 1.
	Column int
	// What says what is wrong and holds nothing of the query.
	What string
	// Remedy says what to write instead. It may repeat parts of the query.
	Remedy string
}

// Error returns column, problem and remedy on one line.
func (e *Error) Error() string {
	return fmt.Sprintf("column %d: %s: %s", e.Column, e.What, e.Remedy)
}

// fail returns an error about what stands at a byte of the text.
func (p *parser) fail(at int, what, remedy string) error {
	return &Error{Column: utf8.RuneCountInString(p.text[:at]) + 1, What: what, Remedy: remedy}
}

// short cuts a part of the query to what fits into a message.
func short(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}
