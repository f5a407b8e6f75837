// Package filelog keeps a member's log, vote, identity and snapshots in files.
package filelog
