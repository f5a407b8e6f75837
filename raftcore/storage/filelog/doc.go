// Package filelog keeps a member's log, vote, identity and snapshots in files. This
// comment is the specification of what is on the disk.
//
// # In this room
//
// [Format] makes a data directory, [Open] gives the [Store] in it: [Log], [Votes] and
// [Snapshots]. [Inspect] looks into one without changing it. The directory holds
//
//	LOCK          held by the process that has the directory open
//	meta          two copies of the identity, two slots of the vote
//	log/N.seg     the segments of the log; N is 16 hex digits, ascending by one
//	log/X.free    pre-written files that wait for their next life
//	snap/I-T.snap snapshots that end in index I and term T, 16 hex digits each
//	faults        not ours: package fault
//
// Files that end in .new or .unfinished are being made; Open removes them.
//
// # Never here
//
// Raft's rules; retries; the choice of when to compact; the encoding of payloads.
//
// # The segments
//
// A segment begins with a page that holds its header, numbers little-endian:
//
//	offset  bytes  content
//	     0      8  "QUORLOG\n"
//	     8      4  format version, 1
//	    12      4  0
//	    16      8  number of the segment, as in its name
//	    24      8  salt: drawn at random for each life of the file
//	    32      4  CRC-32C of the 32 bytes before
//
// From offset 4096 on there are frames (see package codec), one directly after the
// other, up to the end of the segment's records; what is behind it is zeros, or
// what a former life of the file has left. A frame's place is a hash of salt and offset.
// The flag 1 marks the first frame of a write. The kinds below 0x80 are entries; the
// log's own are
//
//	0x80 head   the first record of a segment; term and index: the last entry before it;
//	            payload: term and index of the base, and the offset at which the records
//	            of the segment before it end, 8 bytes each; then the configuration
//	0x81 base   the base moves to term and index; payload: the configuration
//	0x82 reset  the log is empty, with the base term and index; payload: the configuration
//	0x83 mark   changes nothing; it is the last record after recovery and after an
//	            orderly close, and proves that all before it had been durable
//
// The configuration there is the payload of the last Configuration entry at or before the
// base, empty when there is none: the log forgets entries, but never who the members are.
//
// An entry with an index that the log has already cuts off that index and all after it.
//
// # Writing
//
// One goroutine takes everything that is queued, frames it into one buffer, writes it
// with one pwrite and makes it durable with one fdatasync; then it calls the done
// functions in order. What is queued meanwhile is the next write. A record that does not
// fit goes into the next segment, which a second goroutine has prepared: written with
// zeros or taken from those that are free, its header and its name durable. So a
// write in the middle of a segment changes no metadata of the file system, which halves
// the cost of its sync.
//
// Compact appends a base record. When it is durable, segments at the beginning of the log that
// hold no entry above the base are freed, oldest first, each durably before the next.
//
// # Recovery
//
//  1. Read meta: the identity must be the expected one. Lock the directory.
//  2. List the segments. There must be one, and no number missing between two.
//  3. Read them in the order of their numbers. A header that does not hold is damage.
//  4. Read the frames in physical order, applying each: an entry is inserted and cuts
//     off what follows, a base moves the base, a reset empties the log. Whatever
//     does not follow from the state before it is damage.
//  5. Where a frame does not hold, look for a whole frame behind it in this segment that
//     begins a write. When there is one, this place is damage: that write
//     was begun only after this place had been durable. See below how to go on.
//  6. Otherwise the records of the segment end here. The head of the next segment must
//     agree on the base and the last entry, and on that offset: when it tells of a later
//     one, all between is damage.
//  7. A segment without any such frame was only prepared, or its first write was torn.
//     It and those after it are given to another life. If one after it has records,
//     or if it is the oldest, that is damage.
//  8. The entries that were written before the oldest segment and not cut off since must
//     not reach above the base, or segments are missing: damage.
//  9. Now what is left behind the last record is the rest of a torn write that nobody
//     was told to be durable. When there is anything that could ever hold as a frame
//     of this life, it is overwritten with zeros and synced.
//  10. The last write is written again and synced: after a kill it was perhaps only in
//     the page cache, and after a failed sync the page cache would claim that it is
//     clean. Then a mark is written and synced.
//  11. Sync the directory; remove what was being made; prepare the next segment.
//
// Until step 7 gives files to another life nothing is changed on the disk, and not at all
// when there is damage that cannot be named. Names are synced before anything relies on them, here and for
// meta and the snapshots: a process that was killed may have renamed without syncing.
//
// # Damage
//
// Damage is never cut. A damaged place, a hole, is named by the entries that it held:
//
//   - The header of the frame holds and only its payload does not: it is that entry.
//   - The header does not hold either: the hole reaches up to the next whole frame. When that
//     tells that the log ended in entry k of term t behind the hole, and the entry before
//     the hole is of the term t too, then the hole held the entries between, of term t; and what
//     else was in it has not changed any other: all entries of one term come from one leader's
//     log, where they stand together. An entry tells so of the one before it; a mark, and
//     the head of the next segment, of their own.
//   - A base, a reset and a mark whose header holds are taken as they are: they have no payload.
//
// Such entries are a part of the log as ever; Damaged gives them, Read refuses them, and
// Repair writes them again into the same bytes, which is possible because a frame never
// changes its length: where the header holds, behind it; otherwise all entries of the hole at
// once, behind a mark with as much payload as fills what they do not need. It syncs and reads
// back. A write that is torn there leaves a hole with the same names, or a smaller one.
//
// What cannot be named, and is not below the base or cut off by what follows, keeps the log
// from being opened, with a *storage.DamageError: file, offset and, where its header
// holds, index and term. So does damage of a segment's header or head.
//
// A Read that meets damage in a running log makes a hole of it too; there the index of the log
// knows what each place holds. A mark is written at once, so that recovery does not take it
// for a torn write.
//
// # The vote
//
// Both slots hold the same state with the same number. Save writes one, syncs, writes
// the other, syncs. So at each moment one slot is whole, and one that rots later never
// brings an older vote back, which writing to the slots in turn would: the price is a
// second sync, 0.1 ms, for each change of term. Open takes the newer of the valid slots and
// writes both again.
//
// # Snapshots
//
// A snapshot is a frame with the membership, then the data in frames of 64 KiB, then a
// frame with the length; all are bound to the snapshot's term and index. It is written
// and synced under another name, then renamed, then the directory is synced.
//
// # Invariants
//
//  1. A done function gets nil only after the sync of all that it stands for, and of all
//     that was queued before it.
//  2. A write begins only after the one before it is durable.
//  3. A frame is valid only at the offset and in the life of the file for which it was
//     written: neither the rest of a former life nor a copy within a payload is taken for a
//     record.
//  4. Behind the end of the log there is never a valid frame when a write begins.
//  5. Segments are freed oldest first, and only after the base that allows it is
//     durable. So a record that cuts entries off never goes before the entries that
//     it cuts: what was cut off never comes back.
//  6. Live entries stand in physical order as in the order of indexes.
//  7. After an error of a write or a sync the log writes nothing any more.
//  8. A file is not given to another life while it is read.
//  9. An entry that was once durable leaves the log only by being cut off, compacted or reset:
//     damage takes away its payload, never its place, its term and its vote.
//
// # What is assumed of the disk
//
//   - A sector of 512 bytes is written whole or not at all. Writing a sector again whose
//     first bytes stay the same cannot damage them.
//   - After fdatasync came back, the bytes and the length are durable; after fsync of a
//     directory, its names are. A rename is atomic.
//   - Writes that were not synced may reach the disk in any order, or not at all.
//   - Rot, misplaced and lost writes may happen, and are found by checksums, with these
//     limits: damage to the very last write after a loss of power looks like a torn
//     write; a disk that loses the newest segments as a whole, or goes back to an older
//     state as a whole, is not noticed here. The incarnation and the peers are there for that.
//
// # How to add
//
// A record: a kind in record.go, its meaning in replay.go, a line above, and the crash
// test's workload must write it. A change of the format: a new version, golden
// bytes for both, and recovery that reads both.
//
// A way that recovery or a repair can go: a constant in branch.go, take at its place, and a
// story that leads there in one of the branch tests, which fail without them.
package filelog
