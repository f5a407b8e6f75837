package health

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// dataLossPossible: a quorum of volumes is lost or damaged at one time, so an
// acknowledged write may have been on those alone. What comes back later cannot tell.
func dataLossPossible(o *observe.Observed) metav1.Condition {
	const kind = v1alpha1.ConditionDataLossPossible
	if c := latched(o, kind); c != nil {
		return *c
	}
	var lost []string
	for i := range o.Members {
		m := &o.Members[i]
		// What a member repairs by itself is not lost, also not while its pod is away.
		if f := o.Suffers(m); o.Votes(m) && f != nil && damages(f.Kind) && f.Fenced {
			lost = append(lost, o.Members[i].Name)
		}
	}
	if len(lost) >= o.Quorum() {
		return condition(kind, true, v1alpha1.ReasonQuorumOfVolumesLost,
			fmt.Sprintf("the volumes of %s were lost or damaged at one time: acknowledged writes may be gone", join(lost)))
	}
	if len(lost) == 0 {
		return condition(kind, false, v1alpha1.ReasonQuorumOfVolumesIntact, "no volume is known to be lost or damaged")
	}
	return condition(kind, false, v1alpha1.ReasonQuorumOfVolumesIntact,
		fmt.Sprintf("only the volumes of %s are lost or damaged, fewer than a quorum", join(lost)))
}

// damages tells whether a fault of that kind means that entries may be gone from a volume.
func damages(kind string) bool {
	switch kind {
	case observe.FaultVolumeLost, "LogCorrupt", "SnapshotCorrupt", "MetaCorrupt":
		return true
	}
	return false
}
