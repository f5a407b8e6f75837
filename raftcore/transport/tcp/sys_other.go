//go:build !linux

package tcp

import (
	"net"
	"time"
)

// setUserTimeout does nothing: elsewhere keep-alives alone find a dead peer.
func setUserTimeout(*net.TCPConn, time.Duration) {}
