package main

import (
	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/node/server"
)

func main() { server.Main(server.App{NewMachine: newStore, Format: kv.Format, Try: try}) }

func try(clients []string) []string {
	return []string{
		"etcdctl --endpoints " + clients[0] + " put greeting hello",
		"etcdctl --endpoints " + clients[len(clients)-1] + " get greeting",
	}
}
