package server

import "github.com/spf13/cobra"

func logCommand() *cobra.Command {
	return &cobra.Command{Use: "log", Short: "Look into the log of a member"}
}
