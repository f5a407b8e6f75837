package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	verbose := flag.Bool("v", false, "print a line for each test, also for those that passed")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: testsum [-v] [FILE...]\nReads go test -json events from the files, or from the standard input.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*verbose, flag.Args(), os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, errFailed) { // the counts have said so
			fmt.Fprintln(os.Stderr, "testsum:", err)
		}
		os.Exit(1)
	}
}

// errFailed tells that the events were read well and that they tell of a failure.
var errFailed = errors.New("not everything passed")

// run reads all files, or stdin when there are none, as one run.
func run(verbose bool, files []string, stdin io.Reader, out io.Writer) error {
	s := newSummary(out, verbose)
	if len(files) == 0 {
		if err := s.read(stdin); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	for _, name := range files {
		if err := readFile(s, name); err != nil {
			s.lost(name, err)
		}
	}
	if !s.finish() {
		return errFailed
	}
	return nil
}

func readFile(s *summary, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
