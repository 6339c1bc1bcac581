// Package redact takes secrets and personal data out of log events.
//
// It works on the bytes of an event's JSON: object keys that name a secret lose
// their value, and every other string (keys included) and large number is
// searched by the detectors of one table (detectors.go). Own rules (policy.go) choose
// by field, key, detector or pattern and say what becomes of it (actions.go).
// Nothing is decoded into maps, so the order of keys and the digits of numbers stay
// as they were, and an event that no rule touches costs no allocation and is not
// copied. What was taken out is named in its place, for example [redacted:email].
//
// A configuration is compiled into a Set (compile.go): for each source that rules
// name a variant, and in it, for each place in the entry where rules differ, a plan
// of what to look for. A Redactor walks over one event at a time (walk.go, member.go,
// apply.go) and scans texts by a plan (scan.go).
//
// To add a detector, write a find function in a file of its own, enter it in the
// table, and add a maker of its values to corpusvalues_test.go: a test fails without.
//
// Where a doubt remains, a value under a secret's name goes, and a number or id
// that only resembles personal data stays. Redacting what has been redacted
// changes nothing.
//
// The package does not decide what happens to an event that could not be
// redacted, and it has no metrics; package filter does both.
package redact
