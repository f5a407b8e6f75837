// Package plan decides what is done next about a cluster.
//
// # In this room
//
// [Next]: from one picture to the next one [Action], and what to say about it. The
// chain of rules in next.go is the table of contents; each rule has a file.
//
// # Never here
//
// Doing it, and everything that is not in the picture: clocks, servers, randomness.
//
// # Invariants
//
// One action a pass; the next pass looks again. What must be remembered is latched in
// status by a pass of its own, before anything rests on it ([Action.Latch]); every other
// action can be repeated or lost without harm. No rule stops a member that serves while
// another is not well.
//
// # Bootstrap: why no empty volume ever takes part twice
//
// The danger: a volume that is lost comes back empty under its member's ID. If it voted
// or acknowledged, an entry that the quorum once held could be missing from a new one;
// and a quorum of such volumes would be a second, empty cluster.
//
//  1. The cluster ID and the number of members are written to status once, before the
//     first StatefulSet exists, by an update that fails if somebody else wrote status in
//     between. They never change.
//  2. A member on an empty volume draws an incarnation (64 random bits), makes it durable
//     there, tells it in /statusz, and takes no part in Raft (nodeapi.FoundRequest).
//  3. Status has one slot a member for an incarnation. A slot is filled only when it is
//     empty and bootstrap is not complete, again by a conditional update, and it never
//     changes. So all operators there ever are, old and new, agree on its one value.
//  4. The grant names the incarnation in the slot, and goes out only after the slot was
//     read back filled. A volume obeys only its own incarnation. So repeated, delayed
//     and misdirected grants are harmless, and a grant needs no answer to be safe.
//  5. From 3 and 4: at most one volume ever acts under a member ID. A wiped volume draws
//     another incarnation and waits for ever; that is reported as the fault VolumeLost.
//  6. A new cluster needs a quorum of acting members; by 5 each is the one volume that
//     was founded, so it holds what it acknowledged: there is one cluster only.
//  7. Liveness: if the operator stops between slot and grant, the next pass finds the
//     same incarnation waiting and grants again. If the volume is lost in between, the
//     slot stays taken: the price of 5 is one member that must be replaced.
//  8. The slot is also written on the claim before the grant (AnnotationFounded), and
//     again whenever a claim lacks it. When status is gone, because the RaftCluster was
//     deleted and its volumes retained, a new RaftCluster takes the ID and the slots up
//     from the claims, read uncached. Where one claim says that its member was founded,
//     bootstrap counts as complete and nothing is granted. Where none does, nothing was
//     ever granted, and founding starts.
//
// # Changes of the membership: why nothing is lost
//
//  1. There is one change at a time: status.change has room for one, it is written by a
//     conditional update, and nothing is asked of the group or created for a change
//     that is not in there.
//  2. A member that joins is a learner until it has caught up by its own word and the
//     leader's, so a vote never counts that knows less than a voter's. Its volume is in its
//     slot and in the group's configuration under its incarnation: another volume under
//     its ID has no vote, and it is given another ID (needsAnotherID).
//     A move to another volume is such a join too: no ID ever has two volumes.
//  3. Whoever leaves does so by the group's own decision, which needs a majority of those
//     before and of those after. The rules ask for it only when the voters that would
//     be left have a quorum that is well, caught up and led (wouldServe).
//  4. Objects are deleted only of a member that is in no configuration, by the word of a
//     leader that a quorum follows, about a configuration that is committed and not joint.
//     That word is never taken back: an ID that has left does not return.
//  5. The claims tell who is a member before a claim is deleted, and the one that is to go
//     is marked as removed: whoever takes the group up from its volumes neither misses
//     it nor takes it for a member.
//
// The assumptions: a claim's volume is not rolled back to an older copy of itself, and
// nobody edits status or the annotation.
//
// # How to add
//
// An action: a constant in action.go and its doing in raftcluster/act.go. A rule: a
// function of that type, its place in the chain, and a story in testdata that shows
// when it acts and when it refuses.
package plan
