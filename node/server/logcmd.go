package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/vfs"
)

func logCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "log", Short: "Look into the log of a member", Args: noArgs,
		Long: `log looks into a member's data directory and changes nothing. It may be used beside a
running member: then the newest records can seem to be torn.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "dump <data-dir>", Short: "Print every record of the log", Args: oneDir,
			RunE: func(c *cobra.Command, args []string) error { return logDump(c.OutOrStdout(), args[0]) },
		},
		&cobra.Command{
			Use: "verify <data-dir>", Short: "Check every record, and tell what a start would find", Args: oneDir,
			Long: `verify checks every checksum in a data directory. It exits with 0 when a member can start
on it, also when a torn end would be cut off, and with 1 when something is damaged, also when
a member would start and repair it from the others.`,
			RunE: func(c *cobra.Command, args []string) error { return logVerify(c.OutOrStdout(), args[0]) },
		},
	)
	return c
}

func oneDir(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes one data directory; got %q", c.CommandPath(), args)}
	}
	return nil
}

// logDump prints a table of all records, live ones and others, in physical order.
func logDump(out io.Writer, dir string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tOFFSET\tSIZE\tKIND\tTERM\tINDEX\tPAYLOAD\tSTATUS\tNOTE")
	_, err := inspect(dir, func(r filelog.Record) error {
		_, err := fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%d\t%s\t%s\n", filepath.Base(r.File), r.Offset, r.Size, r.Kind,
			dash(uint64(r.Entry.Term)), dash(uint64(r.Entry.Index)), len(r.Entry.Payload), r.Status, r.Note)
		return err
	})
	return errors.Join(w.Flush(), err)
}

func dash(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// errDamaged ends log verify with code 1.
var errDamaged = errors.New("a member cannot start on this directory as it is")

// errRepairable ends it with code 1 too.
var errRepairable = errors.New("something is damaged: a member starts on this directory, and gets from the others what it needs of it")

func logVerify(out io.Writer, dir string) error {
	s, err := inspect(dir, nil)
	if err != nil {
		return err
	}
	if id := s.Identity; s.MetaErr == nil {
		fmt.Fprintf(out, "member %d (%s) of cluster %q, incarnation %s\n", id.MemberID, id.Name, id.ClusterID, hex(id.Incarnation))
	}
	if s.VotesErr == nil {
		fmt.Fprintf(out, "term %d, vote %s\n", s.HardState.Term, dash(uint64(s.HardState.Vote)))
	}
	if s.LogErr == nil {
		fmt.Fprintf(out, "log: entries %d to %d in %d segments; %d whole records, %d bytes\n",
			s.Log.Base.Index+1, s.Log.Last, s.Segments, s.Records, s.Bytes)
	}
	for _, m := range s.Snapshots {
		fmt.Fprintf(out, "snapshot: up to entry %d of term %d, %d bytes, voters %v\n", m.Last.Index, m.Last.Term, m.Size, m.Membership.Voters())
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(out, "warning: %v\n", w)
	}
	for _, d := range s.Damage {
		fmt.Fprintf(out, "damage: %v\n", d)
	}
	for _, id := range s.Repairable {
		fmt.Fprintf(out, "repairable: entry %d of term %d, from the other members\n", id.Index, id.Term)
	}
	switch {
	case errors.Join(s.MetaErr, s.VotesErr, s.LogErr) != nil:
		return errDamaged
	case len(s.Damage) > 0:
		return errRepairable
	}
	fmt.Fprintln(out, "ok")
	return nil
}

func inspect(dir string, visit func(filelog.Record) error) (filelog.Summary, error) {
	s, err := filelog.Inspect(vfs.OS{}, dir, visit)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, filelog.ErrNotFormatted) {
		return s, fmt.Errorf("%s is not a member's data directory: %w", dir, err)
	}
	return s, err
}
