package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "usage: images -out FILE.tar -name NAME:TAG [flags] SOURCE=/PATH/IN/IMAGE...\n"+
			"       images -push NAME:TAG ARCHIVE.tar\n\n")
		flags.PrintDefaults()
	}
	var s spec
	out := flags.String("out", "", "the archive to write")
	pushTo := flags.String("push", "", "send the archive to this `NAME:TAG` in a registry, with the credentials of docker login")
	flags.StringVar(&s.name, "name", "", "the image's `NAME:TAG`")
	flags.StringVar(&s.user, "user", "65532:65532", "the user and group that the process has")
	flags.Func("entrypoint", "the command; give it again for each argument", appendTo(&s.entrypoint))
	flags.Func("label", "a `KEY=VALUE` label; may be given again", appendTo(&s.labels))
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *pushTo != "" {
		if flags.NArg() != 1 {
			return fmt.Errorf("-push wants one archive, not %d", flags.NArg())
		}
		return push(flags.Arg(0), *pushTo)
	}
	if *out == "" || s.name == "" || flags.NArg() == 0 {
		flags.Usage()
		return fmt.Errorf("-out, -name and at least one SOURCE=/PATH are needed")
	}
	s.files = flags.Args()
	return s.write(*out)
}

func appendTo(list *[]string) func(string) error {
	return func(v string) error {
		if strings.TrimSpace(v) == "" {
			return fmt.Errorf("it must not be empty")
		}
		*list = append(*list, v)
		return nil
	}
}
