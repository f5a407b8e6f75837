package nodeapi

// Formats tells the versions of what outlives a node's process or goes to other members:
// whether nodes of different versions work together, in one group or one after the other on a
// volume. They count up by themselves and say nothing about the node's own version.
type Formats struct {
	Messages Format `json:"messages"` // between members
	Volume   Format `json:"volume"`   // log, votes and snapshots
	Machine  Format `json:"machine"`  // the state machine's commands, store and snapshots
}

// Format is one of them.
type Format struct {
	Writes uint32 `json:"writes"` // what others must read to understand all that this node writes
	Reads  uint32 `json:"reads"`  // the newest that it reads
}
