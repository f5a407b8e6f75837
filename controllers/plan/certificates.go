package plan

import (
	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// Certificates says what the certificates of a cluster allow.
type Certificates struct {
	// Missing says, by member ID, why a member cannot have a pod yet.
	Missing map[int64]Progress
	// Problem is what keeps present ones from being used; a person must act. The zero value: nothing.
	Problem Progress
	// Waiting is what a rotation waits for; empty: for nothing. Nothing else waits for it.
	Waiting string
}

// noteCertificates tells what is wrong with certificates. Members go on with those that
// they have loaded.
func noteCertificates(p *pass) *Decision {
	if c := p.want.Certificates; c != nil && c.Problem.Reason != "" {
		p.notes = append(p.notes, c.Problem)
	}
	return nil
}

// lacksCertificate tells, and notes, that a member would wait in vain for files to mount.
func (p *pass) lacksCertificate(m *observe.Member) bool {
	if p.want.Certificates == nil {
		return false
	}
	why, lacks := p.want.Certificates.Missing[m.ID]
	if lacks {
		p.notes = append(p.notes, why)
		p.soon(PollBusy)
	}
	return lacks
}

// uncertain tells whether a pod that is made anew might find certificates that it cannot
// use, where the one that runs has good ones in memory.
func (p *pass) uncertain() bool {
	c := p.want.Certificates
	return c != nil && c.Problem.Reason != ""
}

// noteRotation says what a rotation waits for, when nothing more important is said.
func (p *pass) noteRotation(d *Decision) {
	if c := p.want.Certificates; c != nil && c.Waiting != "" && d.Progress.Reason == v1alpha1.ReasonStable {
		d.Progress.Message += "; " + c.Waiting
	}
}
