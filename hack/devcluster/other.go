//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "devcluster: it needs Linux; use kind, or set KUBECONFIG to a cluster that you have")
	os.Exit(1)
}
