package tcp

import (
	"net"
	"time"
)

// tune sets what makes the kernel notice a dead peer: keep-alives on a silent connection
// and the user timeout on one that sends. Nagle's algorithm is off by Go's default. It
// is best effort: connections that are not TCP have none of it.
func tune(c net.Conn, deadAfter time.Duration) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	const probes = 3
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable:   true,
		Idle:     max(deadAfter/2, time.Second),
		Interval: max(deadAfter/(2*probes), time.Second),
		Count:    probes,
	})
	setUserTimeout(tcp, deadAfter)
}
