package observetest

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// readRollout reads what a cluster remembers of a roll-out.
func (p *picture) readRollout(key string, n int32) error {
	c := p.Cluster
	switch key {
	case "min-ready":
		c.Spec.UpdateStrategy.MinReadySeconds = &n
	case "canary":
		c.Status.Canary = int64(n)
	case "leaderless":
		c.Status.LeaderlessSince = &metav1.Time{Time: Epoch.Add(-time.Duration(n) * time.Second)}
	default:
		return fmt.Errorf("unknown word %q", key)
	}
	return nil
}

// changeRunning changes what a member's pod and node tell of themselves: formats=W-R/W-R/W-R is
// what is written and read of messages, volume and machine; a younger pod was made after those of
// the others.
func changeRunning(m *observe.Member, key, value string) error {
	switch key {
	case "version":
		m.Status.Version = value
	case "formats":
		f := &nodeapi.Formats{}
		m.Status.Formats = f
		_, err := fmt.Sscanf(value, "%d-%d/%d-%d/%d-%d", &f.Messages.Writes, &f.Messages.Reads,
			&f.Volume.Writes, &f.Volume.Reads, &f.Machine.Writes, &f.Machine.Reads)
		return err
	case "younger":
		m.Pod.CreationTimestamp = metav1.NewTime(Epoch)
	default:
		return fmt.Errorf("unknown word %q", key)
	}
	return nil
}
