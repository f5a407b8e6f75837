package tcp_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/transport/transporttest"
)

func TestConforms(t *testing.T) {
	transporttest.Test(t, func(_ testing.TB, s codec.Serializer) transporttest.Network { return loopback{s} },
		codec.Msgpack{}, jsonSerializer{})
}
