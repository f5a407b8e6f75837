package plan

import (
	"fmt"
	"regexp"
	"strconv"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// skew says why a roll-out must not go on: the node in the changed pod and those in the old
// ones do not work together. Both reasons are empty where they do, or where nothing is known.
//
// The operator cannot know a node before it runs: so one member runs it already. It is a
// minority, and the group goes on without it whatever becomes of it. Where the members that have
// what is wanted are the older pods, somebody takes a change back, which is never refused.
func (p *pass) skew() (reason, message string) {
	for i := range p.Members {
		changed := &p.Members[i]
		if p.outdated(changed) || changed.Status == nil || 2*p.updated() > len(p.Members) {
			continue
		}
		for j := range p.Members {
			other := &p.Members[j]
			if !p.outdated(other) || other.Status == nil || changed.Pod.CreationTimestamp.Before(&other.Pod.CreationTimestamp) {
				continue
			}
			if reason, message = between(changed, other); reason != "" {
				return reason, message + "; " + p.progress()
			}
		}
	}
	return "", ""
}

// between compares the node of a changed member with that of one that is still the old one,
// by the formats that they tell, or else by their versions.
func between(changed, other *observe.Member) (reason, message string) {
	c, o := changed.Status, other.Status
	who := fmt.Sprintf("member %s runs %s and member %s %s", changed.Name, version(c), other.Name, version(o))
	if c.Formats != nil && o.Formats != nil {
		if what := unread(c.Formats, o.Formats, false); what != "" {
			return v1alpha1.ReasonVersionSkew, who + ", which cannot read " + what + "; set spec.image back, and upgrade to a version in between first"
		}
		if what := unread(o.Formats, c.Formats, true); what != "" {
			return v1alpha1.ReasonDowngradeRefused, who + "; the older one cannot read " + what + "; set spec.image back"
		}
		return "", ""
	}
	switch steps := minors(c.Version, o.Version); {
	case steps > 1:
		return v1alpha1.ReasonVersionSkew, who + ", which is more than one minor version behind; set spec.image back, and upgrade to the versions in between first"
	case steps < -1:
		return v1alpha1.ReasonDowngradeRefused, who + "; a node goes back by one minor version at most; set spec.image back"
	}
	return "", ""
}

func version(s *nodeapi.Status) string {
	if s.Version == "" {
		return "an unknown version"
	}
	return s.Version
}

// unread names what one node writes and another one cannot read. The volume counts only where
// the reader was given the writer's.
func unread(writer, reader *nodeapi.Formats, volume bool) string {
	for _, f := range []struct {
		what  string
		w, r  nodeapi.Format
		count bool
	}{
		{"messages", writer.Messages, reader.Messages, true},
		{"volumes", writer.Volume, reader.Volume, volume},
		{"the state machine's data", writer.Machine, reader.Machine, true},
	} {
		if f.count && f.w.Writes > f.r.Reads {
			return fmt.Sprintf("%s of format %d (it reads up to %d)", f.what, f.w.Writes, f.r.Reads)
		}
	}
	return ""
}

var release = regexp.MustCompile(`^v(\d{1,6})\.(\d{1,6})\.\d{1,6}`)

// minors tells by how many minor versions one release is newer than another; a million for
// each major one. 0 where one of them is no release: such a node is not judged.
func minors(a, b string) int {
	x, y := release.FindStringSubmatch(a), release.FindStringSubmatch(b)
	if x == nil || y == nil || x[1]+x[2] == "00" || y[1]+y[2] == "00" {
		return 0
	}
	number := func(m []string) (n int) {
		for _, part := range m[1:] {
			i, _ := strconv.Atoi(part) //nolint:errcheck // a few digits
			n = n*1_000_000 + i
		}
		return n
	}
	return number(x) - number(y)
}
