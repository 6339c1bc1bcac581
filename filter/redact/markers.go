package redact

import "bytes"

const markerOpen = "[redacted:"

// maxMarkerName bounds the name in a marker, which may be that of an own rule.
const maxMarkerName = 32

// isMarker reports whether t[i:] begins with a marker or a hash token, and where it ends.
func isMarker(t []byte, i int) (end int, ok bool) {
	if i >= len(t) || t[i] != '[' {
		return 0, false
	}
	if !hasAt(t, i, markerOpen) {
		return hashToken(t, i)
	}
	name := i + len(markerOpen)
	end = name
	for end < len(t) && isMarkerChar(t[end]) {
		end++
	}
	if end == name || end-name > maxMarkerName || end == len(t) || t[end] != ']' {
		return 0, false
	}
	return end + 1, true
}

func isMarkerChar(c byte) bool { return isDigit(c) || c-'a' < 26 || c == '_' || c == '-' }

// isWholeMarker reports whether t is a marker and nothing else.
func isWholeMarker(t []byte) bool {
	end, ok := isMarker(t, 0)
	return ok && end == len(t)
}

// isInMarker reports whether t[start:end] is a marker or a part of one.
func isInMarker(t []byte, start, end int) bool {
	const longest = len(hashOpen) + maxKeyID + 1 + hashLetters + hashCheck + 1
	for from := max(0, end-longest); from <= start; from++ {
		k := bytes.IndexByte(t[from:start+1], '[')
		if k < 0 {
			return false
		}
		from += k
		if markerEnd, ok := isMarker(t, from); ok && markerEnd >= end {
			return true
		}
	}
	return false
}
