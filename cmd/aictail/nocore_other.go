//go:build !linux

package main

// keepMemoryPrivate does nothing here: Go programs write no core files unless
// GOTRACEBACK=crash asks for it.
func keepMemoryPrivate() error { return nil }
