package codec_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/codec/codectest"
)

func TestMsgpackConforms(t *testing.T)  { codectest.TestSerializer(t, codec.Msgpack{}) }
func TestIdentityConforms(t *testing.T) { codectest.TestSerializer(t, codec.Identity{}) }
