package filelog

// branch is a way that recovery can go, or the finding or the repair of damage in a running
// log, in words for people. It is marked at its place with take; the numbers here are the steps
// of the package comment. A test reads them from the source: each is marked, each refusal has
// a mark, and each is reached by a story of its own.
type branch string

// Meta: the identity and the vote.
const (
	branchNotFormatted   branch = "1: there is no meta"
	branchSlotFrame      branch = "1: the frame of a slot of meta does not hold"
	branchSlotKind       branch = "1: a slot of meta holds another slot's record"
	branchMetaNewer      branch = "1: meta has a newer format"
	branchIdentityFields branch = "1: the fields of a copy of the identity cannot be read"
	branchIdentityOne    branch = "1: one copy of the identity is damaged, and mended"
	branchIdentityBoth   branch = "1: both copies of the identity are damaged"
	branchVoteLength     branch = "vote: a slot has not the length of a vote"
	branchVoteTorn       branch = "vote: one slot is torn or damaged"
	branchVoteBoth       branch = "vote: both slots are damaged"
	branchVoteConflict   branch = "vote: both slots have one number and two states"
	branchVoteNewer      branch = "vote: one slot is newer"
	branchVoteEqual      branch = "vote: both slots are the same"
)

// The segments, one after the other.
const (
	branchNoSegment       branch = "2: there is no segment"
	branchSegmentMissing  branch = "2: a number is missing between two segments"
	branchHeaderShort     branch = "3: a segment is shorter than its header"
	branchHeaderMark      branch = "3: a segment begins with something else"
	branchHeaderChecksum  branch = "3: the checksum of a segment's header does not hold"
	branchHeaderNewer     branch = "3: a segment has a newer format"
	branchHeaderOther     branch = "3: a segment has another one's header"
	branchOldest          branch = "4: the oldest segment's head tells the base"
	branchHeadKind        branch = "4: a segment begins with a record that is no head"
	branchHeadShort       branch = "4: a head record is too short"
	branchTailLost        branch = "6: a segment's end is not where the next head tells, and what is between is damaged"
	branchTailImpossible  branch = "6: the next head tells of an end that cannot be"
	branchTailInside      branch = "6: the next head tells of an end within a frame"
	branchBaseTold        branch = "6: the next head tells of a base whose record is damaged"
	branchConfigTold      branch = "6: the next head tells of a configuration whose record is damaged"
	branchNextSegment     branch = "6: the next head agrees"
	branchNextDisagrees   branch = "6: the next head tells of another base or last entry"
	branchConfigDisagrees branch = "6: the next head tells of another configuration"
	branchPrepared        branch = "7: a segment was only prepared"
	branchPreparedBefore  branch = "7: a segment without records is before one that has some"
	branchHeadless        branch = "7: the oldest segment has no head"
	branchEntriesMissing  branch = "8: entries above the base were in segments that are gone"
)

// Whole records.
const (
	branchEntry          branch = "4: an entry goes on"
	branchOverwrite      branch = "4: an entry cuts off others"
	branchEntryBelow     branch = "4: an entry is at or below the base"
	branchGap            branch = "4: an entry leaves a gap, as a partly repaired hole does"
	branchGapImpossible  branch = "4: an entry leaves a gap that no repair leaves"
	branchBase           branch = "4: the base moves"
	branchBaseBeyond     branch = "4: a base is not in the log"
	branchReset          branch = "4: the log was emptied"
	branchMark           branch = "4: a mark vouches for what is before it"
	branchFill           branch = "4: a mark fills a repaired place"
	branchKindNewer      branch = "4: a record has a kind of a newer version"
	branchContradiction  branch = "4: a whole record contradicts those before it"
	branchDoubtCut       branch = "4: what was not certain is cut off"
	branchDoubtForgotten branch = "4: what was not certain is below the base"
	branchDoubtLeft      branch = "4: what is not certain is left above the base"
)

// Damage within a segment.
const (
	branchHoleHead        branch = "5: the damaged record is the segment's head"
	branchHoleNamed       branch = "5: only an entry's payload is damaged"
	branchHoleContradicts branch = "5: the header of a damaged entry contradicts the records before it"
	branchHoleOwn         branch = "5: only the checksum behind a record of the log's own is damaged"
	branchHoleOwnWrong    branch = "5: such a record contradicts those before it"
	branchHoleToFrame     branch = "5: a header is damaged, a whole frame follows in the same write"
	branchHoleToWrite     branch = "5: a header is damaged, nothing before the next write is whole"
	branchHoleSecond      branch = "5: a header is damaged before it is known what the hole before held"
	branchHoleUntold      branch = "5: nothing behind a hole tells what it held"
	branchHoleNoRoom      branch = "5: what a hole must have held has no room in it"
	branchHoleTerm        branch = "5: the term changes behind a hole"
	branchHoleReplaced    branch = "5: behind a hole the log has another entry than before it"
	branchHoleCut         branch = "5: behind a hole the log is shorter than before it"
	branchHoleBase        branch = "5: a base behind a hole has another term"
	branchHoleFilled      branch = "5: a hole held the entries between those around it"
)

// The end of the log, and what else is in its directories.
const (
	branchClean           branch = "9: nothing is left behind the last record"
	branchTornHeader      branch = "9: a write without its first header is cleared"
	branchTornPayload     branch = "9: a write with a whole header and a torn payload is cleared"
	branchRewritten       branch = "10: the last write is written again"
	branchSegmentFull     branch = "10: there is no room for the mark"
	branchFreeKept        branch = "11: a pre-written file waits on"
	branchFreeDropped     branch = "11: a file that was being pre-written, or is one too many, is removed"
	branchReserveKept     branch = "11: the reserve is taken over"
	branchReserveDropped  branch = "11: a reserve that is not whole is removed"
	branchSnapshotDropped branch = "11: an unfinished snapshot is removed"
)

// Snapshots, when they are opened and read.
const (
	branchSnapshotFrame   branch = "snapshot: a frame does not hold"
	branchSnapshotNewer   branch = "snapshot: it has a newer format"
	branchSnapshotKind    branch = "snapshot: a frame is of another kind"
	branchSnapshotOther   branch = "snapshot: it is another one than its name tells"
	branchSnapshotMembers branch = "snapshot: the membership cannot be read"
	branchSnapshotLength  branch = "snapshot: the footer is not where it should be"
	branchSnapshotChunk   branch = "snapshot: there is another chunk"
)

// A running log: damage that a read meets, and its repair.
const (
	branchMetWhole     branch = "met: the record is whole again"
	branchMetPayload   branch = "met: the payload is damaged"
	branchMetToFrame   branch = "met: the header is damaged, a whole frame follows"
	branchMetToEnd     branch = "met: the header is damaged, nothing whole follows"
	branchNotDamaged   branch = "repair: no record of the index is damaged"
	branchOtherTerm    branch = "repair: the entry is of another term"
	branchOtherKind    branch = "repair: the entry is of no entry's kind"
	branchOtherFrame   branch = "repair: the entry is not as the header that holds"
	branchTooLong      branch = "repair: the entry has no room"
	branchNotFitting   branch = "repair: the entries leave less room than a mark needs, or too little"
	branchMoreToCome   branch = "repair: other entries of the place are missing"
	branchNothingLives branch = "repair: nothing of the place lives any more"
	branchRepairBehind branch = "repair: only what is behind the header is written"
	branchRepairFilled branch = "repair: a mark fills what the entries do not need"
	branchRepairSpoilt branch = "repair: what was written reads back damaged"
	branchRepaired     branch = "repair: the record is whole"
)

// branchTaken is called by recovery; nil but in tests.
var branchTaken func(branch)

func take(b branch) {
	if branchTaken != nil {
		branchTaken(b)
	}
}
