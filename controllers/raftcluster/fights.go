package raftcluster

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// How often one field of an object is put right in a while. Whoever changes it back each
// time is a program; writing against it as fast as it does would only burden the API server.
const (
	mostWrites = 10
	aWhile     = time.Minute
)

// fights remembers which fields were put right lately. The zero value is ready.
type fights struct {
	mu     sync.Mutex
	writes map[field][]time.Time
}

type field struct {
	object types.UID
	path   string
}

// lost notes that a field is to be put right, and tells whether that was done too often.
func (f *fights) lost(object types.UID, path string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writes == nil {
		f.writes = map[field][]time.Time{}
	}
	for k, times := range f.writes { // few: what is as wanted is not in here for long
		if now.Sub(times[len(times)-1]) >= aWhile {
			delete(f.writes, k)
		}
	}
	key := field{object, path}
	times := f.writes[key]
	if len(times) == mostWrites && now.Sub(times[0]) < aWhile {
		return true
	}
	f.writes[key] = append(times[max(0, len(times)+1-mostWrites):], now)
	return false
}
