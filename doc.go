// Package aictail holds the words that all parts of the daemon share.
//
//   - tenant: one PingOne Advanced Identity Cloud environment with its own URL,
//     API key and request budget.
//   - source: a log source of a tenant, such as am-access.
//   - entry: what the log API returns, one element of a page's result array.
//   - event: what aictail forwards; made of one or more entries.
//   - page: one answer of the log API.
//   - tailer: the loop that polls the tail endpoint for one configured source
//     entry, which names one source or several separated by commas.
//   - stream: one sequence of pages with its own restart state, for example the
//     tail of one source entry.
//   - position: the place of an event in the journal.
//   - sink: one configured destination.
//   - dead letter: an event that a sink will never take, kept aside.
//   - quarantine: an event that could not be redacted, forwarded as structure only.
//
// The package imports nothing but the standard library and does no I/O.
package aictail
