package servers

import "syscall"

// ownGroup starts a process in a group of its own, which the kernel kills with
// this process, also when a test's time is up or it panics.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
