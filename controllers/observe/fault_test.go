package observe_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/observe/observetest"
	"github.com/quorate/quorate/node/nodeapi"
)

// lastWords is what a node writes to its termination message.
func lastWords(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(nodeapi.Status{Role: nodeapi.RoleFenced, Health: &nodeapi.Health{Fault: "MetaCorrupt", Remedy: "ReplaceMember", Message: "both vote slots are bad"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFaultOfASilentPod(t *testing.T) {
	ended := func(message string) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: message}
	}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	meta := &observe.Fault{Kind: "MetaCorrupt", Remedy: "ReplaceMember", Message: "both vote slots are bad", Fenced: true}
	tests := []struct {
		name      string
		container corev1.ContainerStatus
		want      *observe.Fault
	}{
		{"it is down and left its last words", corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended(lastWords(t))}}, meta},
		{"it waits to be started again and left them", corev1.ContainerStatus{State: waiting, LastTerminationState: corev1.ContainerState{Terminated: ended(lastWords(t))}}, meta},
		{
			"it runs again, not ready yet", corev1.ContainerStatus{
				State:                corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
				LastTerminationState: corev1.ContainerState{Terminated: ended(lastWords(t))},
			}, meta,
		},
		{
			"it runs and is ready", corev1.ContainerStatus{
				Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
				LastTerminationState: corev1.ContainerState{Terminated: ended(lastWords(t))},
			}, nil,
		},
		{"it ended once, without a word", corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended("killed")}}, nil},
		{
			"it ends again and again",
			corev1.ContainerStatus{RestartCount: 4, State: waiting, LastTerminationState: corev1.ContainerState{Terminated: ended("panic: oh")}},
			&observe.Fault{Kind: observe.FaultCrashLoop, Remedy: observe.RemedyRestart, Message: "the container exited with code 1 (Error), 4 times: panic: oh", Fenced: true},
		},
		{"its image is missing", corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}, nil},
		{"other JSON", corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended(`{"a":1}`)}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := observetest.Read("cluster founded=1 bootstrapped\nmember 1 silent")
			if err != nil {
				t.Fatal(err)
			}
			o.Members[0].Pod.Status.ContainerStatuses = []corev1.ContainerStatus{tt.container}
			if diff := cmp.Diff(tt.want, o.Fault(&o.Members[0])); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultByTheMembersWord(t *testing.T) {
	tests := []struct {
		name, member, kind string
		restart            bool
	}{
		{"well", "follower", "", false},
		{"fenced", "fenced fault=LogCorrupt", "LogCorrupt", true},
		{"fenced without a word", "fenced", "Unknown", true},
		{"acting with a fault", "follower fault=DiskFull", "DiskFull", false},
		{"another volume waits", "waits slot=i1 incarnation=i2", observe.FaultVolumeLost, false},
		{"another volume acts", "follower incarnation=i2", observe.FaultVolumeLost, false},
		{"a volume that is being opened", "follower incarnation=", "", false},
		{"an empty volume after the bootstrap", "waits", observe.FaultVolumeLost, false},
		{"the word of a pod on its way out", "fenced fault=LogCorrupt terminating", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := observetest.Read("cluster founded=1 bootstrapped\nmember 1 " + tt.member)
			if err != nil {
				t.Fatal(err)
			}
			f := o.Fault(&o.Members[0])
			if f == nil {
				if tt.kind != "" {
					t.Fatalf("no fault, want %s", tt.kind)
				}
				return
			}
			if f.Kind != tt.kind || f.RestartMayHelp() != tt.restart {
				t.Errorf("fault %s, a restart may help: %t; want %s, %t", f.Kind, f.RestartMayHelp(), tt.kind, tt.restart)
			}
		})
	}
}

// Whatever a node says fits into status.
func TestFaultOfABabblingNode(t *testing.T) {
	o, err := observetest.Read("cluster founded=1 bootstrapped\nmember 1 fenced fault=LogCorrupt")
	if err != nil {
		t.Fatal(err)
	}
	h := o.Members[0].Status.Health
	h.Fault, h.Remedy, h.Message = "", "", strings.Repeat("é", 100_000)
	f := o.Fault(&o.Members[0])
	if f.Kind == "" || f.Remedy == "" || len(f.Message) > 500 || !utf8.ValidString(f.Message) {
		t.Errorf("fault %q with remedy %q and a message of %d bytes", f.Kind, f.Remedy, len(f.Message))
	}
}
