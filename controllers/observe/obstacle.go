package observe

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Obstacle says what keeps a pod from running its node, by the word of Kubernetes; empty
// when nothing is known. Unlike what the kubelet tells, which changes with every attempt, it
// stays the same for as long as the obstacle does.
func (m *Member) Obstacle() string {
	if m.Pod == nil || m.Pod.DeletionTimestamp != nil {
		return ""
	}
	for _, c := range m.Pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return strings.TrimSpace(c.Reason + ": " + c.Message)
		}
	}
	for i := range m.Pod.Status.ContainerStatuses {
		if o := obstacleOf(m.Pod, &m.Pod.Status.ContainerStatuses[i]); o != "" {
			return o
		}
	}
	return ""
}

// crashes is how often a container must have ended for that to be a habit.
const crashes = 2

func obstacleOf(pod *corev1.Pod, c *corev1.ContainerStatus) string {
	reason := ""
	if w := c.State.Waiting; w != nil {
		reason = w.Reason
	}
	switch reason {
	case "ErrImagePull", "ImagePullBackOff": // in turns
		return fmt.Sprintf("ImagePullBackOff: the image %q cannot be pulled", imageOf(pod, c.Name))
	case "ErrImageNeverPull", "RegistryUnavailable":
		return fmt.Sprintf("%s: the image %q cannot be had", reason, imageOf(pod, c.Name))
	case "InvalidImageName", "ImageInspectError", "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return strings.TrimSpace(reason + ": " + c.State.Waiting.Message)
	}
	last := c.LastTerminationState.Terminated
	if c.State.Terminated != nil {
		last = c.State.Terminated
	}
	// Between two attempts it runs for a moment, and is in a loop all the same.
	if last == nil || c.Ready || reason != "CrashLoopBackOff" && c.RestartCount < crashes {
		return ""
	}
	return fmt.Sprintf("CrashLoopBackOff: the container ends again and again, last with code %d (%s)", last.ExitCode, last.Reason)
}

// imageOf gives the image that is wanted: a status may not have it before it is pulled.
func imageOf(pod *corev1.Pod, container string) string {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == container {
			return pod.Spec.Containers[i].Image
		}
	}
	return ""
}
