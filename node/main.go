package main

import "github.com/quorate/quorate/node/server"

func main() { server.Main(server.App{NewMachine: newStore}) }
