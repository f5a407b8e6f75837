module github.com/quorate/quorate/test/raftdiff

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	go.etcd.io/raft/v3 v3.7.0
)

require google.golang.org/protobuf v1.36.11 // indirect
