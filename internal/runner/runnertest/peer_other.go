//go:build !linux

package runnertest

import "net"

// pidOf believes what the process says.
func pidOf(_ net.Conn, said int) int { return said }
