package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TLSMode says where certificates come from.
// +kubebuilder:validation:Enum=Managed;CertManager;Secret;Disabled
type TLSMode string

// The values of TLSMode.
const (
	TLSManaged     TLSMode = "Managed"     // the operator has a CA for this cluster
	TLSCertManager TLSMode = "CertManager" // cert-manager signs, by tls.issuerRef
	TLSSecret      TLSMode = "Secret"      // somebody puts them into tls.secrets
	TLSDisabled    TLSMode = "Disabled"    // plain text everywhere; for trials only
)

// TLSSpec says who speaks TLS with whose certificates. In every mode but Disabled the
// members, the operator and people reach each other by mutual TLS only.
//
// +kubebuilder:validation:XValidation:rule="self.mode == oldSelf.mode",messageExpression="'tls.mode: cannot change from ' + oldSelf.mode + ' to ' + self.mode + '; members that trust one source refuse those of the other while they are changed one by one, so create a new cluster'"
// +kubebuilder:validation:XValidation:rule="has(self.issuerRef) == (self.mode == 'CertManager')",messageExpression="has(self.issuerRef) ? 'tls.issuerRef: belongs to mode CertManager, not to ' + self.mode + '; there is one source of certificates' : 'tls.issuerRef: is needed in mode CertManager'"
// +kubebuilder:validation:XValidation:rule="has(self.secrets) == (self.mode == 'Secret')",messageExpression="has(self.secrets) ? 'tls.secrets: belongs to mode Secret, not to ' + self.mode + '; there is one source of certificates' : 'tls.secrets: is needed in mode Secret'"
// +kubebuilder:validation:XValidation:rule="!has(self.issuerRef) || !has(oldSelf.issuerRef) || self.issuerRef == oldSelf.issuerRef",message="tls.issuerRef: cannot change; members with certificates of two issuers would refuse each other, so create a new cluster"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disabled' || !has(self.clients.enabled) || !self.clients.enabled",message="tls.clients.enabled: needs certificates, so another tls.mode than Disabled"
// +kubebuilder:validation:XValidation:rule="duration(self.leafDuration) >= duration('10m')",messageExpression="'tls.leafDuration: ' + self.leafDuration + ' is too short for new files to reach every pod; at least 10m'"
// +kubebuilder:validation:XValidation:rule="duration(self.caDuration) >= duration(self.leafDuration) + duration(self.leafDuration) + duration(self.leafDuration) + duration(self.leafDuration)",messageExpression="'tls.caDuration: ' + self.caDuration + ' must be at least four times tls.leafDuration ' + self.leafDuration + ', so that leaves can move from one CA to the next'"
// +kubebuilder:validation:XValidation:rule="duration(self.caDuration) <= duration('876000h')",messageExpression="'tls.caDuration: ' + self.caDuration + ' is too long; at most 876000h, a hundred years'"
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || duration(self.renewBefore) < duration(self.leafDuration) && duration(self.renewBefore) >= duration('1m')",messageExpression="'tls.renewBefore: ' + self.renewBefore + ' must be at least 1m and less than tls.leafDuration ' + self.leafDuration"
type TLSSpec struct {
	// mode is where certificates come from. It cannot change.
	// +kubebuilder:default=Managed
	// +optional
	Mode TLSMode `json:"mode,omitempty"`
	// clients says whether clients of the store speak TLS.
	// +kubebuilder:default={}
	// +optional
	Clients ClientTLSSpec `json:"clients,omitempty"`
	// caDuration is how long a CA holds in mode Managed. A new one takes over, without a
	// restart and without a refusal, when two thirds have passed.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(s|m|h))+$`
	// +kubebuilder:default="87600h"
	// +optional
	CADuration metav1.Duration `json:"caDuration,omitempty,omitzero"`
	// leafDuration is how long other certificates hold, in the modes Managed and CertManager.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(s|m|h))+$`
	// +kubebuilder:default="2160h"
	// +optional
	LeafDuration metav1.Duration `json:"leafDuration,omitempty,omitzero"`
	// renewBefore is how long before its end a certificate is replaced. Without it, a third
	// of leafDuration.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(s|m|h))+$`
	// +optional
	RenewBefore metav1.Duration `json:"renewBefore,omitempty,omitzero"`
	// issuerRef names the issuer of cert-manager in mode CertManager. It cannot change.
	// +optional
	IssuerRef *IssuerReference `json:"issuerRef,omitempty"`
	// secrets names the Secrets in mode Secret.
	// +optional
	Secrets *TLSSecrets `json:"secrets,omitempty"`
}

// ClientTLSSpec says whether clients of the store speak TLS.
//
// +kubebuilder:validation:XValidation:rule="!has(self.mutual) || !self.mutual || has(self.enabled) && self.enabled",message="tls.clients.mutual: needs tls.clients.enabled"
type ClientTLSSpec struct {
	// enabled makes the client port speak TLS, and nothing else.
	// +optional
	Enabled bool `json:"enabled,omitempty"`
	// mutual makes it demand certificates of clients.
	// +optional
	Mutual bool `json:"mutual,omitempty"`
}

// IssuerReference names an issuer of cert-manager.
type IssuerReference struct {
	// name of the issuer.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`
	// kind of the issuer: Issuer, in the cluster's namespace, ClusterIssuer, or one of another group.
	// +kubebuilder:default=Issuer
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Kind string `json:"kind,omitempty"`
	// group of the issuer.
	// +kubebuilder:default="cert-manager.io"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Group string `json:"group,omitempty"`
}

// TLSSecrets names Secrets in the cluster's namespace, each with tls.crt, tls.key and ca.crt.
type TLSSecrets struct {
	// members is mounted by all members. Its certificate is for servers and clients, and made
	// for all hosts that members may ever have: *.NAME-peers.NAMESPACE.svc.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Members string `json:"members,omitempty"`
	// operator holds the operator's certificate for clients, with the URI
	// quorate://NAME.NAMESPACE/operator.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Operator string `json:"operator,omitempty"`
}
