package server

import (
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/storage/filelog"
)

// formats tells what this program writes and reads. Others need to read no messages but the
// first: a member is sent no newer ones than it reads.
func (a *App) formats() *nodeapi.Formats {
	own := max(a.Format, 1)
	return &nodeapi.Formats{
		Messages: nodeapi.Format{Writes: 1, Reads: uint32(codec.Msgpack{}.NewestMessage())},
		Volume:   nodeapi.Format{Writes: filelog.NewestFormat, Reads: filelog.NewestFormat},
		Machine:  nodeapi.Format{Writes: own, Reads: own},
	}
}
