package protocol

// TermStart says that the entries from First on have Term, up to the next
// TermStart.
type TermStart struct {
	Term  Term
	First Index
}

// LogState is what a log holds.
//
// Base is the identity of the entry just before the first one that the log can
// give: the zero value for a log that was never compacted. Last equals Base.Index
// when the log is empty. Terms has one element for each term that occurs in
// (Base.Index, Last], ascending.
//
// Configuration is the payload of the last Configuration entry at or before Base, so that
// compaction never forgets who the members are; nil when none is known.
// Configurations are the Configuration entries in (Base.Index, Last], ascending.
type LogState struct {
	Base  EntryID
	Last  Index
	Terms []TermStart

	Configuration  []byte
	Configurations []Entry
}
