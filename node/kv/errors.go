package kv

import "errors"

// The refusals of the store. They are equal on all members and leave the state
// unchanged. Texts are those of etcd, because clients compare them.
var (
	// ErrCompacted tells that the revision asked for was compacted away.
	ErrCompacted = errors.New("mvcc: required revision has been compacted")
	// ErrFutureRevision tells that the revision asked for has not happened yet.
	ErrFutureRevision = errors.New("mvcc: required revision is a future revision")
	// ErrKeyNotFound tells that a put with ignore_value or ignore_lease names a key
	// that does not exist.
	ErrKeyNotFound = errors.New("etcdserver: key not found")
	// ErrLeaseNotFound tells that a put names a lease that does not exist.
	ErrLeaseNotFound = errors.New("etcdserver: requested lease not found")
	// ErrEmptyRange tells that a watch names a range that holds no key.
	ErrEmptyRange = errors.New("mvcc: watcher range is empty")
	// ErrDuplicateWatch tells that a watch ID is taken on its stream.
	ErrDuplicateWatch = errors.New("mvcc: duplicate watch ID provided on the WatchStream")
	// ErrNoWatch tells that there is no watch of the ID on its stream.
	ErrNoWatch = errors.New("mvcc: watcher does not exist")
	// ErrClosed tells that the store or the stream was closed.
	ErrClosed = errors.New("kv: the store is closed")
)
