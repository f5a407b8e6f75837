package raftcluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/pki"
	"github.com/quorate/quorate/controllers/plan"
)

// certificates says what the certificates that there are allow; nil where none are needed.
func certificates(o *observe.Observed) *plan.Certificates {
	c := &plan.Certificates{Missing: map[int64]plan.Progress{}}
	switch o.Cluster.Spec.TLS.Mode {
	case v1alpha1.TLSDisabled:
		return nil
	case v1alpha1.TLSCertManager:
		examineRequests(o, c)
	case v1alpha1.TLSSecret:
		examineSecrets(o, c)
	default:
		examineOwn(o, c)
	}
	return c
}

// examineOwn waits for what the operator itself is about to write.
func examineOwn(o *observe.Observed, c *plan.Certificates) {
	_, due := o.OwnCA()
	c.Waiting = due.Waiting
	for i := range o.Members {
		m := &o.Members[i]
		for _, name := range []string{o.Cluster.MemberTLSName(m.ID), o.Cluster.OperatorTLSName()} {
			if o.Secrets[name] == nil {
				c.Missing[m.ID] = plan.Progress{
					Active: true, Reason: v1alpha1.ReasonAwaitingCertificates,
					Message: fmt.Sprintf("member %s is created when the Secret %s is there", m.Name, name),
				}
			}
		}
	}
}

// examineRequests tells what cert-manager has not done yet, and what does not fit.
func examineRequests(o *observe.Observed, c *plan.Certificates) {
	if o.NoCertManager {
		c.Problem = plan.Progress{
			Reason:  v1alpha1.ReasonCertManagerMissing,
			Message: "tls.mode is CertManager, but the API server knows no Certificate of cert-manager.io/v1; install cert-manager",
		}
	}
	operator := pki.Operator(o.Cluster)
	for i := range o.Members {
		m := &o.Members[i]
		for _, s := range []pki.Subject{operator, pki.Member(o.Cluster, m.ID)} {
			data := o.SecretData(s.Secret)
			switch why := pki.Problem(data, s, o.Now); {
			case why == "":
			case c.Problem.Reason == v1alpha1.ReasonCertManagerMissing:
				c.Missing[m.ID] = c.Problem
			case data == nil || len(data[pki.KeyCert]) == 0:
				c.Missing[m.ID] = plan.Progress{
					Active: true, Reason: v1alpha1.ReasonAwaitingCertificates,
					Message: fmt.Sprintf("cert-manager has not issued the certificate %s yet%s", s.Secret, wordOf(o.Certificates[s.Secret])),
				}
			default:
				c.Problem = invalid(fmt.Sprintf("the Secret %s, which cert-manager keeps, %s", s.Secret, why))
				c.Missing[m.ID] = c.Problem
			}
		}
	}
}

// wordOf is what cert-manager says about a certificate that is not ready.
func wordOf(request *unstructured.Unstructured) string {
	if request == nil {
		return ""
	}
	conditions, _, _ := unstructured.NestedSlice(request.Object, "status", "conditions") //nolint:errcheck // then it says nothing
	for _, c := range conditions {
		m, ok := c.(map[string]any)
		if ok && m["type"] == "Ready" && m["status"] != "True" {
			return fmt.Sprintf("; it says: %v", m["message"])
		}
	}
	return ""
}

// examineSecrets tells what is wrong with Secrets that somebody else keeps.
func examineSecrets(o *observe.Observed, c *plan.Certificates) {
	operator := pki.Operator(o.Cluster)
	problems := map[string]string{} // by Secret
	for i := range o.Members {
		m := pki.Member(o.Cluster, o.Members[i].ID)
		theirs, ours := o.SecretData(m.Secret), o.SecretData(operator.Secret)
		why := pki.Problem(theirs, m, o.Now)
		if why != "" {
			problems[m.Secret] = why
		} else if why = pki.Distrust(ours[pki.KeyTrust], theirs, m, o.Now); why != "" && len(ours[pki.KeyTrust]) > 0 {
			problems[m.Secret] = why + " by ca.crt of the Secret " + operator.Secret
		}
		if why = pki.Problem(ours, operator, o.Now); why != "" {
			problems[operator.Secret] = why
		} else if why = pki.Distrust(theirs[pki.KeyTrust], ours, operator, o.Now); why != "" && len(theirs[pki.KeyTrust]) > 0 {
			problems[operator.Secret] = why + " by ca.crt of the Secret " + m.Secret
		}
	}
	if len(problems) == 0 {
		return
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		all = append(all, "the Secret "+name+" "+problems[name])
	}
	c.Problem = invalid(strings.Join(all, "; "))
	for i := range o.Members {
		c.Missing[o.Members[i].ID] = c.Problem
	}
}

func invalid(message string) plan.Progress {
	return plan.Progress{Reason: v1alpha1.ReasonTLSInvalid, Message: message + "; nothing is created or restarted until that is mended"}
}
