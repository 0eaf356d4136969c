package runnertest

import (
	"net"

	"golang.org/x/sys/unix"
)

// pidOf returns the number that the process at the other end has here, whatever it calls itself.
func pidOf(conn net.Conn, said int) int {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return said
	}
	pid := said
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil && peer.Pid != 0 {
			pid = int(peer.Pid)
		}
	})
	return pid
}
