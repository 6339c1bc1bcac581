//go:build unix && !linux && !darwin && !freebsd

package file

import "errors"

// Free is not known on this system.
func Free(string) (uint64, error) {
	return 0, errors.New("how much space is free is not known on this system")
}
