package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/node/nodeapi"
)

// Version is the program's version; the linker sets it (-X).
var Version = "v0.0.0-dev"

// usageError is a mistake of the caller: exit code 2.
type usageError struct{ error }

// Unwrap gives the mistake itself.
func (e usageError) Unwrap() error { return e.error }

// Main is the whole of a node's main function. It does not return.
func Main(app App) { os.Exit(Run(app, os.Args[1:], os.Stdout, os.Stderr)) }

// Run runs one command and gives the exit code: 0, 1 for a failure, 2 for a wrong
// command line.
func Run(app App, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := command(app)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "%s: %s\n", root.Name(), strings.TrimSuffix(line, "\n"))
	}
	if errors.As(err, &usageError{}) {
		fmt.Fprintf(stderr, "Run '%s --help' for the flags.\n", c.CommandPath())
		return 2
	}
	return 1
}

func command(app App) *cobra.Command {
	name := app.Name
	if name == "" {
		name = "quorate-node"
	}
	root := &cobra.Command{
		Use:   name,
		Short: "One member of a Quorate cluster",
		Long: name + ` runs one member of a replicated state machine, or a whole small cluster
for development, and looks into the log of a member.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{flagError(err)} })
	root.AddCommand(serveCommand(app), devCommand(app), logCommand(), versionCommand())
	return root
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, only flags; got %q", c.CommandPath(), args)}
	}
	return nil
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		Run: func(c *cobra.Command, _ []string) {
			fmt.Fprintf(c.OutOrStdout(), "quorate-node %s (%s, %s/%s%s)\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit())
		},
	}
}

// commit gives the commit that the binary was built from, when it is known.
func commit() string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return ", commit " + s.Value[:12]
			}
		}
	}
	return ""
}

func serveCommand(app App) *cobra.Command {
	var cfg Config
	c := &cobra.Command{
		Use: "serve", Short: "Run one member", Args: noArgs,
		Long: `serve runs one member until it gets SIGTERM; then it hands leadership over and
stops. Each flag can be given as an environment variable too, as QUORATE_MEMBER_ID
for --member-id.`,
	}
	cfg.flags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := fromEnv(c.Flags(), os.LookupEnv); err != nil {
			return usageError{err}
		}
		if err := cfg.validate(); err != nil {
			return usageError{err}
		}
		return serve(c.Context(), app, cfg, newLogger(c.ErrOrStderr(), cfg.LogLevel), nodeapi.TerminationMessagePath)
	}
	return c
}
