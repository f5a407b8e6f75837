package server

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

func sortMembers(ms []protocol.Member) {
	slices.SortFunc(ms, func(a, b protocol.Member) int { return cmp.Compare(a.ID, b.ID) })
}
