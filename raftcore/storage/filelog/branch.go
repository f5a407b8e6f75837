package filelog

// branch is a way that recovery can go; the numbers are the steps of the package comment.
// Tests count them: a crash test that never comes to one proves nothing about it.
type branch int

const (
	branchEntry       branch = iota // 4: an entry goes on
	branchOverwrite                 // 4: an entry cuts off others
	branchBase                      // 4: the base moves
	branchReset                     // 4: the log was emptied
	branchMark                      // 4: a mark vouches for what is before it
	branchHole                      // 5: a damaged place is stepped over
	branchNextSegment               // 6: the head of the next segment agrees
	branchPrepared                  // 7: a segment was only prepared
	branchTorn                      // 9: the rest of a torn write is cleared
	branchClean                     // 9: nothing is left behind the last record
	branchRewritten                 // 10: the last write is written again
	branchSegmentFull               // 10: there is no room for the mark
	branchVoteTorn                  // the vote: one slot is torn or damaged
	branchVoteNewer                 // the vote: one slot is newer
	branchVoteEqual                 // the vote: both are the same

	branches
)

var branchNames = [branches]string{
	"entry", "overwrite", "base", "reset", "mark", "hole", "next segment", "prepared segment", "torn write cleared",
	"clean end", "last write written again", "no room for a mark", "vote: one slot damaged", "vote: one slot newer", "vote: slots equal",
}

// branchTaken is called by recovery; nil but in tests.
var branchTaken func(branch)

func take(b branch) {
	if branchTaken != nil {
		branchTaken(b)
	}
}
