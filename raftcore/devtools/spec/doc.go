// Package spec holds the actions of the published specification of Raft as Go predicates,
// and explains traces of the simulator by them.
//
// # In this room
//
// [Check] watches a simulated cluster (sim.RunObserved) and explains each step of each
// member by a sequence of actions of the specification, which Diego Ongaro published in
// TLA+ with his thesis (appendix B). An action is a method with the specification's name;
// it gives an error when its guard does not hold and else changes the variables, which have
// the specification's names too: currentTerm, state, votedFor, log, commitIndex,
// votesGranted, nextIndex, matchIndex and messages. After the last action of a step the
// variables must be what the replica says that it has, and what it writes and sends must be
// what the actions write and send. A step that no such sequence explains ends the run.
//
// actions.go has the actions, extensions.go those that the specification does not have,
// state.go the variables, explain.go, receive.go and effects.go find the sequence,
// restart.go does so for a crash.
//
// # How our state maps to the variables
//
//   - state: Follower, PreCandidate and Learner are Follower. A pre-vote is no action at
//     all (it stutters): it changes no variable. A learner is a server that is in no
//     quorum.
//   - log: the whole log since index 1. Compaction stutters, for what is compacted away is
//     committed and stays the same; a snapshot that is installed is AppendEntries requests
//     up to its last entry, which are accepted (InstallSnapshot). Proposals of clients and
//     the NoOp of a new term are ClientRequest.
//   - messages: what members send, with these changes. A request with n entries is n
//     requests with one entry each, and all but the last answer are lost. A heartbeat is a
//     request with none. Requests carry the commit index as it is, and the receiver takes
//     the smaller one of it and the request's last entry, as the specification's sender
//     does. Messages that the specification does not have carry a term and nothing else
//     (UpdateTerm).
//   - The specification's servers have everything on disk at once. Ours write while they go
//     on, so there is a second copy of currentTerm, votedFor and log for what is durable;
//     Restart goes back to that. It is sound because of three stronger guards: a message
//     leaves only when what it promises is durable (Leave); AdvanceCommitIndex counts a
//     leader itself only as far as its own disk has come (its own matchIndex); what is
//     applied is durable. So nothing that a Restart takes away was ever counted on.
//   - An answer may tell less than the specification's: a vote that is refused though it could
//     be granted is a lost request, and a smaller match is the answer to an earlier heartbeat.
//   - matchIndex never falls by a late answer: that is a lost message. It falls to 0 when
//     the follower is found to have restarted (ForgetFollower), which only withholds.
//   - nextIndex is a guess that safety does not rest on. Pipelines and the search for a
//     conflict by terms move it to any entry after matchIndex (MoveNext).
//   - commitIndex never falls by a late request (the specification lets it fall and says
//     that it does no harm), and after a Restart it is what the state machine has applied
//     instead of 0.
//   - To resign is Restart without forgetting commitIndex (StepDown).
//   - Quorum is a majority of the voters of the configuration that the server's log puts
//     into effect, of both halves when it is joint. Configurations change by
//     ChangeConfiguration, with the guards of paper section 6 and thesis chapter 4
//     (configuration.go).
//   - Read rounds, leases, transfers, forwarding, sessions and flow control stutter: they
//     change no variable. That reads are linearizable is for the simulator's own checks.
//
// A disk that comes back without what it had acknowledged is outside the specification;
// runs with that fault are not explained. One that is lost for good takes its server with
// it, which is a crash without a Restart.
//
// # Never here
//
// What the simulator checks itself: the five properties of paper figure 3. Nothing here
// asks package quorum or package progress: a guard that uses what it guards proves nothing.
//
// # Invariants
//
// A guard of the specification is never weakened but as the mapping says. Every action of
// the specification occurs in the runs of the test, and deliberate bugs of package mutation
// are shown to break guards.
//
// # How to add
//
// An input or a message: a case in explain.go or receive.go, if it changes a variable; else
// it stutters by itself. An action of our own: a method in extensions.go, and why it is
// sound above.
package spec
