// Package membership goes from one configuration of a cluster to the next.
//
// # In this room
//
// [Change], what is asked for; [Next], the configuration that it leads to, or the
// [Error] with the reason why not; [Leave], which ends a joint configuration.
//
// # Never here
//
// Whether this is the moment for a change: what is in flight, who has caught up, who
// can be heard is known to package replica alone.
//
// # Invariants
//
// A majority of a configuration and one of the configuration that Next or Leave makes of
// it have a voter in common, both halves counted where one is joint: at no time can two
// leaders be elected, one by the old and one by the new (paper section 6). An ID at or
// below [Highest] that is not a member's never becomes one's.
//
// # How to add
//
// A kind of change: a field of Change, its rule in [Next], a Reason, and a
// generator in the property test, which knows nothing of the rules.
package membership
