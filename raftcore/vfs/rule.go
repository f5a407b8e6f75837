package vfs

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// Rule says which operations fail, and how. In text it is
//
//	OP PATTERN [after=N] [times=N] [short=BYTES] [ERRNO]
//
// as in "sync */log/*.seg after=3 EIO" or "write meta short=100 times=1 ENOSPC". OP
// may be *. PATTERN is matched by path.Match against the last as many elements of
// the name as it has itself.
type Rule struct {
	Op      Op     // "*" for any
	Pattern string // see path.Match
	After   int    // so many matching operations go well first
	Times   int    // then so many fail; 0: all
	Short   int    // a failing write lets so many bytes through
	Err     error  // what the operation gives; nil: it goes well after Before has run
	Before  func() // when set, runs before the operation: to wait, or to look
}

type activeRule struct {
	Rule
	seen int
}

func (r *activeRule) fires(op Op, name string) bool {
	if r.Op != "*" && r.Op != op || !matchTail(r.Pattern, name) {
		return false
	}
	r.seen++
	return r.seen > r.After && (r.Times == 0 || r.seen <= r.After+r.Times)
}

func (r *Rule) error(op Op, name string) error {
	if r.Err == nil {
		return nil
	}
	return &fs.PathError{Op: string(op), Path: name, Err: r.Err}
}

func matchTail(pattern, name string) bool {
	parts := strings.Split(path.Clean(name), "/")
	n := strings.Count(pattern, "/") + 1
	if n < len(parts) {
		parts = parts[len(parts)-n:]
	}
	ok, err := path.Match(pattern, strings.Join(parts, "/"))
	return ok && err == nil
}

// errnos are the errors that a rule in text can name.
var errnos = map[string]syscall.Errno{
	"EACCES": syscall.EACCES,
	"EDQUOT": syscall.EDQUOT,
	"EIO":    syscall.EIO,
	"ENOENT": syscall.ENOENT,
	"ENOSPC": syscall.ENOSPC,
	"EROFS":  syscall.EROFS,
}

// ParseRules reads rules that are separated by semicolons or new lines.
func ParseRules(text string) ([]Rule, error) {
	var rules []Rule
	for _, line := range strings.FieldsFunc(text, func(c rune) bool { return c == ';' || c == '\n' }) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		r, err := parseRule(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("fault rule %q: %w", strings.TrimSpace(line), err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(words []string) (Rule, error) {
	if len(words) < 2 {
		return Rule{}, fmt.Errorf("an operation and a pattern are needed, as in %q", "sync log/*.seg EIO")
	}
	r := Rule{Op: Op(words[0]), Pattern: words[1], Err: syscall.EIO}
	if !knownOp(r.Op) {
		return Rule{}, fmt.Errorf("operation %q is not one of * and %v", words[0], Ops())
	}
	if _, err := path.Match(r.Pattern, ""); err != nil {
		return Rule{}, fmt.Errorf("pattern %q: %w", r.Pattern, err)
	}
	for _, w := range words[2:] {
		if err := r.option(w); err != nil {
			return Rule{}, err
		}
	}
	return r, nil
}

func (r *Rule) option(word string) error {
	key, value, isPair := strings.Cut(word, "=")
	if !isPair {
		errno, ok := errnos[word]
		if !ok {
			return fmt.Errorf("error %q is not known here", word)
		}
		r.Err = errno
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("%s needs a number, not %q", key, value)
	}
	switch key {
	case "after":
		r.After = n
	case "times":
		r.Times = n
	case "short":
		r.Short = n
	default:
		return fmt.Errorf("option %q is not one of after, times and short", key)
	}
	return nil
}

func knownOp(op Op) bool {
	for _, o := range Ops() {
		if o == op {
			return true
		}
	}
	return op == "*"
}
