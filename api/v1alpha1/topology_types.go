package v1alpha1

// Spread says how firmly members are kept apart.
// +kubebuilder:validation:Enum=Preferred;Required
type Spread string

// The values of Spread.
const (
	SpreadPreferred Spread = "Preferred" // where possible
	SpreadRequired  Spread = "Required"  // a pod waits for a place that allows it
)

// TopologySpec says how far apart the members run, so that what fails together takes as
// few of them as possible.
type TopologySpec struct {
	// hosts says how firmly members are spread over hosts. Required: at most one on each, so
	// scaling up and replacing a member need one host more than there are members.
	// +kubebuilder:default=Preferred
	// +optional
	Hosts Spread `json:"hosts,omitempty"`
	// zones says how firmly members are spread over zones. Required: evenly over at least
	// three, and at most one in each where there are fewer.
	// +kubebuilder:default=Preferred
	// +optional
	Zones Spread `json:"zones,omitempty"`
}
