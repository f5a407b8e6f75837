package devtools_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// paperFlows reads testdata/paper_flows.txt: the messages of the paper, or of the thesis,
// in the situations that the plays arrange. A flow begins with "# name". Its lines are
//
//	1 -> 2: a message from server 1 to server 2
//	1 x 2: one that is lost
//	1: what server 1 does
//
// with "client" for a client. It gives each flow as a Mermaid sequence diagram.
func paperFlows(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/paper_flows.txt")
	if err != nil {
		t.Fatal(err)
	}
	flows := map[string]string{}
	for _, part := range strings.Split("\n"+string(text), "\n# ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		if _, twice := flows[name]; twice {
			t.Errorf("paper_flows.txt has the flow %q twice", name)
		}
		flows[name] = paperFlow(t, name, body)
	}
	return flows
}

var paperLine = regexp.MustCompile(`^(client|\d)(?: (->|x) (client|\d))?: (.+)$`)

func paperFlow(t *testing.T, name, body string) string {
	t.Helper()
	var lines, who []string
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		m := paperLine.FindStringSubmatch(line)
		if m == nil || strings.ContainsAny(line, ";#") {
			t.Fatalf("paper_flows.txt, flow %q: cannot read %q", name, line)
		}
		from, to, says := m[1], m[3], m[4]
		who = append(who, from)
		switch m[2] {
		case "->":
			lines = append(lines, fmt.Sprintf("    %s->>%s: %s", lifeline(from), lifeline(to), says))
		case "x":
			lines = append(lines, fmt.Sprintf("    %s-x%s: %s", lifeline(from), lifeline(to), says))
		default:
			lines = append(lines, fmt.Sprintf("    Note over %s: %s", lifeline(from), says))
		}
		if to != "" {
			who = append(who, to)
		}
	}
	slices.Sort(who) // digits come before letters
	head := []string{"sequenceDiagram"}
	for _, w := range slices.Compact(who) {
		head = append(head, fmt.Sprintf("    participant %s as %s", lifeline(w), lifelineName(w)))
	}
	return strings.Join(append(head, lines...), "\n") + "\n"
}

func lifeline(who string) string {
	if who == "client" {
		return "C"
	}
	return "S" + who
}

func lifelineName(who string) string {
	if who == "client" {
		return who
	}
	return "server " + who
}
