package vfs

// Op names an operation, for rules and observers.
type Op string

// The operations. Those of a File have the name of the file that was opened.
const (
	OpCreate  Op = "create"
	OpOpen    Op = "open"
	OpRename  Op = "rename" // the name is the old one
	OpRemove  Op = "remove"
	OpList    Op = "list"
	OpMkdir   Op = "mkdir"
	OpSyncDir Op = "syncdir"
	OpLock    Op = "lock"
	OpUsage   Op = "usage"
	OpRead    Op = "read"
	OpWrite   Op = "write"
	OpSync    Op = "sync"
)

// Ops gives all operations.
func Ops() []Op {
	return []Op{OpCreate, OpOpen, OpRename, OpRemove, OpList, OpMkdir, OpSyncDir, OpLock, OpUsage, OpRead, OpWrite, OpSync}
}
