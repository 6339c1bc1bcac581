package live

import (
	"aictail"
	"aictail/cmd/internal/terminal"
	"aictail/filter/query"
)

// Choice says which events a person wants to see. The zero value wants all.
type Choice struct {
	// Level is the least level; of events without one see terminal.View.Rank.
	Level terminal.Level
	// Transaction is one of the ids of a transaction; "" for any.
	Transaction string
	// Query is looked at before redaction, as the tenant would, but sees events that
	// were put together; nil for any.
	Query *query.Query
}

// Wants tells whether an event is chosen. One that the query cannot be asked of is:
// only what is known not to be wanted is left out.
func (c *Choice) Wants(e *aictail.Event) bool {
	if c.Query != nil {
		if matched, err := c.Query.Match(e); err == nil && !matched {
			return false
		}
	}
	if c.Level == terminal.NoLevel && c.Transaction == "" {
		return true
	}
	v := terminal.Read(e)
	return v.Rank() >= c.Level && (c.Transaction == "" || v.InTransaction(c.Transaction))
}
