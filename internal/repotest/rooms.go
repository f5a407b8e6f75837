package repotest

// room is a folder of the house and what it may import of the house: the named rooms,
// and those that they may import. Rooms nest: a package belongs to the room with the
// longest path that it lies in.
type room struct {
	dir string
	may []string
}

// rooms are the arrows of ARCHITECTURE.md as data.
var rooms = []room{
	// Raft, from the nouns outwards.
	{"raftcore/protocol", nil},
	{"raftcore/internal/mutation", nil},
	{"raftcore/vfs", nil},
	{"raftcore/quorum", []string{"raftcore/protocol"}},
	{"raftcore/progress", []string{"raftcore/protocol"}},
	{"raftcore/membership", []string{"raftcore/quorum"}},
	{"raftcore/replica", []string{"raftcore/quorum", "raftcore/progress", "raftcore/membership", "raftcore/internal/mutation"}},
	{"raftcore/session", []string{"raftcore/protocol", "raftcore/internal/mutation"}},
	{"raftcore/codec", []string{"raftcore/protocol"}},
	{"raftcore/machine", []string{"raftcore/protocol"}},
	{"raftcore/storage", []string{"raftcore/protocol"}},
	{"raftcore/transport", []string{"raftcore/protocol"}},
	{"raftcore/fault", []string{"raftcore/vfs"}},
	{"raftcore/repair", []string{"raftcore/protocol", "raftcore/internal/mutation"}},
	{"raftcore/storage/filelog", []string{"raftcore/codec", "raftcore/storage", "raftcore/vfs", "raftcore/fault", "raftcore/internal/mutation"}},
	{"raftcore/transport/tcp", []string{"raftcore/codec", "raftcore/transport", "raftcore/internal/mutation"}},
	{"raftcore/host", []string{"raftcore/replica", "raftcore/repair", "raftcore/storage", "raftcore/transport", "raftcore/fault", "raftcore/machine", "raftcore/codec", "raftcore/session"}},

	// Conformance suites and tools for tests.
	{"raftcore/codec/codectest", []string{"raftcore/codec"}},
	{"raftcore/machine/machinetest", []string{"raftcore/machine", "raftcore/vfs"}},
	{"raftcore/storage/storagetest", []string{"raftcore/storage", "raftcore/codec", "raftcore/vfs"}},
	{"raftcore/transport/transporttest", []string{"raftcore/transport", "raftcore/codec/codectest"}},
	{"raftcore/devtools", []string{"raftcore/host", "raftcore/vfs", "raftcore/storage/filelog"}},
	{"raftcore", nil}, // the map of the rooms, and Examples

	// The node.
	{"node/nodeapi", nil},
	{"node/kv", []string{"raftcore/machine", "raftcore/fault"}},
	{"node/etcdapi", []string{"node/kv", "node/nodeapi", "raftcore/host"}},
	{"node/admin", []string{"node/nodeapi", "raftcore/host"}},
	{"node/server", []string{"node/nodeapi", "node/kv", "node/etcdapi", "node/admin", "raftcore/host", "raftcore/storage/filelog", "raftcore/transport/tcp"}},
	{"node", []string{"node/server"}},

	// The operator.
	{"api", nil},
	{"controllers", nil}, // the map of the rooms
	{"controllers/objects", []string{"controllers/pki"}},
	{"controllers/nodeclient", []string{"api", "node/nodeapi"}},
	{"controllers/pki", []string{"api", "node/nodeapi"}},
	{"controllers/observe", []string{"controllers/nodeclient", "controllers/pki"}},
	{"controllers/plan", []string{"controllers/observe"}},
	{"controllers/health", []string{"controllers/observe"}},
	{"controllers/raftcluster", []string{"controllers/objects", "controllers/plan", "controllers/health"}},
	{".", []string{"controllers/raftcluster"}},

	// Around the house.
	{"examples", []string{"node/server", "raftcore/machine"}},
	{"cmd", []string{"api", "node/nodeapi"}},
	{"charts", nil},
	{"hack", nil},
	{"internal/repotest", nil},
	{"test", []string{"api", "node/nodeapi"}},
}

// forbidden is an import that is refused wherever the arrows lead, with its reason.
type forbidden struct {
	from    []string // folders, with all under them
	imports []string // paths, with all under them; "./x" is our own folder x
	tests   bool     // test files too
	reason  string
}

// pure are the rooms whose behaviour is a function of their inputs.
var pure = []string{"raftcore/replica", "raftcore/quorum", "raftcore/progress", "raftcore/membership", "raftcore/session", "raftcore/repair", "raftcore/protocol"}

var forbiddens = []forbidden{
	{
		from: []string{"raftcore"}, imports: []string{"k8s.io", "sigs.k8s.io"}, tests: true,
		reason: "people embed raftcore in programs that have nothing to do with Kubernetes",
	},
	{
		from: []string{"raftcore"}, imports: []string{"./node", "./api", "./controllers"}, tests: true,
		reason: "raftcore is the lower house: it must build and test without what uses it",
	},
	{
		from: pure, imports: []string{"time", "os", "net", "io", "sync", "context", "math/rand", "math/rand/v2", "crypto/rand", "runtime", "log"},
		reason: "replay must be exact: a step depends on its input and nothing else",
	},
	{
		from: []string{"controllers", "main.go"}, imports: []string{"./raftcore"}, tests: true,
		reason: "operator and nodes are upgraded apart from each other: they meet in node/nodeapi only",
	},
	{
		from: []string{"node"}, imports: []string{"./controllers", "./api", "k8s.io", "sigs.k8s.io"}, tests: true,
		reason: "a node must run anywhere, without Kubernetes and without an API token",
	},
	{
		from: []string{"node/nodeapi"}, imports: []string{"./raftcore", "./node/server", "./node/kv"}, tests: true,
		reason: "both sides of an upgrade share these words: they must not drag either side in",
	},
	{
		from: []string{"controllers/plan", "controllers/health"}, imports: []string{"sigs.k8s.io/controller-runtime/pkg/client", "k8s.io/client-go", "net"},
		reason: "these decide; what talks to a server is in observe and raftcluster",
	},
	{
		from: []string{"api/v1alpha1"}, imports: []string{"sigs.k8s.io/controller-runtime/pkg/client", "k8s.io/client-go"},
		reason: "people import the types to make clients of their own",
	},
}
