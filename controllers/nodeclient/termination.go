package nodeclient

import (
	"encoding/json"
	"strings"

	"github.com/quorate/quorate/node/nodeapi"
)

// ParseTermination reads a node's status from its container's termination message.
// nil, if the message is something else: a node that was killed leaves none.
func ParseTermination(message string) *nodeapi.Status {
	message = strings.TrimSpace(message)
	if !strings.HasPrefix(message, "{") {
		return nil
	}
	var s nodeapi.Status
	if json.Unmarshal([]byte(message), &s) != nil || s.Health == nil {
		return nil
	}
	return &s
}
