//go:build unix && !linux

package servers

import "syscall"

// ownGroup starts a process in a group of its own. Only Linux can end it
// together with a test that dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
