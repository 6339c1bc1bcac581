// Package query is the language of the tenant's _queryFilter, evaluated here:
// filter.drop, filter.sample and the where of a sink are written in it, and a
// tenant's query_filter is checked with it before it is sent. It owns the
// language and its meaning; what becomes of an event that matches is the
// caller's business.
//
// The grammar is that of the vendor's documentation ("Filter expressions"):
//
//	Expr           = OrExpr
//	OrExpr         = AndExpr ( 'or' AndExpr ) *
//	AndExpr        = NotExpr ( 'and' NotExpr ) *
//	NotExpr        = '!' PrimaryExpr | PrimaryExpr
//	PrimaryExpr    = '(' Expr ')' | ComparisonExpr | PresenceExpr | LiteralExpr
//	ComparisonExpr = Pointer OpName JsonValue
//	PresenceExpr   = Pointer 'pr'
//	LiteralExpr    = 'true' | 'false'
//	OpName         = 'eq' | 'co' | 'sw' | 'lt' | 'le' | 'gt' | 'ge'
//	JsonValue      = NUMBER | BOOLEAN | '"' UTF8STRING '"' | "'" UTF8STRING "'"
//
// Where the documentation leaves something open, what is accepted here is
// accepted under every reading of it: words are in small letters, they are
// separated by white space, and a pointer begins with its slash and has no empty
// part.
//
// What a query means:
//
//   - A pointer is looked up in the whole entry: /payload/level, /timestamp. An
//     array is passed through: a pointer without an index means any element. A
//     number in a pointer selects one element (the tenant itself does not do
//     that; see Query.Indexed), or the key of that name in an object.
//   - /source is the event's source, which is that of the entry, or the inferred
//     one where the tenant did not name it.
//   - pr holds if there is a value and it is not null; an empty text, object or
//     array is a value.
//   - A comparison holds only between values of one type. A field that is absent
//     or null, or an object, fulfils none.
//   - Texts are compared character by character, with regard to case: the
//     documentation does not say, and a rule that drops should rather match too
//     little. What stands in escapes is compared by its value. The order is that
//     of the characters' numbers, so times are compared as texts, too: right for
//     times of one form, not for an envelope's timestamp and a shorter one.
//   - Numbers are compared by value, whatever their length.
//   - co and sw want a text, lt, le, gt and ge a text or a number.
//   - ! is plain negation: !(/payload/level eq "DEBUG") holds for an entry without
//     a level.
//   - Of a key that an object has twice the last one counts, as in encoding/json.
package query
