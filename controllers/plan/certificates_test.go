package plan

import (
	"strings"
	"testing"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe/observetest"
)

// Certificates that are not there hold up the members that need them, those that do not
// fit hold up roll-outs as well, and neither holds up a repair.
func TestCertificatesHoldUp(t *testing.T) {
	waits := Progress{Active: true, Reason: v1alpha1.ReasonAwaitingCertificates, Message: "the Secret is not there"}
	invalid := Progress{Reason: v1alpha1.ReasonTLSInvalid, Message: "the Secret does not fit"}
	well := "cluster founded=3 bootstrapped\nmember 1 leader\nmember 2 follower\n"
	for _, tt := range []struct {
		name, picture string
		certificates  *Certificates
		want          string // the beginning of what is told
	}{
		{"all is there", well + "member 3 missing", &Certificates{}, "CreateMember 3\nCreating"},
		{"no TLS", well + "member 3 missing", nil, "CreateMember 3\nCreating"},
		{"one is not there", well + "member 3 missing", &Certificates{Missing: map[int64]Progress{3: waits}}, "None\nAwaitingCertificates active=true again=2s\nthe Secret is not there"},
		{"that of another member is not", well + "member 3 missing", &Certificates{Missing: map[int64]Progress{2: waits}}, "CreateMember 3\nCreating"},
		{"a repair goes on without it", "cluster founded=3 bootstrapped\nmember 1 leader\nmember 2 fenced fault=LogCorrupt\nmember 3 missing", &Certificates{Missing: map[int64]Progress{3: waits}}, "LatchRestart 2"},
		{"one does not fit", well + "member 3 follower", &Certificates{Problem: invalid}, "None\nTLSInvalid active=false again=10s\nthe Secret does not fit"},
		{"a roll-out waits until it fits", well + "member 3 follower old", &Certificates{Problem: invalid}, "None\nTLSInvalid active=false"},
		{"a repair goes on though it does not", well + "member 3 fenced fault=LogCorrupt", &Certificates{Problem: invalid}, "LatchRestart 3"},
		{"a rotation waits", well + "member 3 follower", &Certificates{Waiting: "the CA waits"}, "None\nStable active=false again=10s\neverything is as wanted; the CA waits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o, err := observetest.Read(tt.picture)
			if err != nil {
				t.Fatal(err)
			}
			want := Wanted{Templates: map[int64]string{1: "new", 2: "new", 3: "new"}, Certificates: tt.certificates}
			if got := tell(Next(o, want)); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
