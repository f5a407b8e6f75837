package sim

import "errors"

// Shrink looks for a simpler run that fails too, perhaps by another property: without
// kinds of faults, with fewer members, with fewer steps. It gives the simplest
// failure that it finds, at the cost of a few dozen runs.
func Shrink(f *Failure) *Failure {
	for simpler := true; simpler; {
		simpler = false
		for _, o := range simplifications(f) {
			if g := failureOf(o); g != nil {
				f, simpler = g, true
				break
			}
		}
	}
	return f
}

func failureOf(o Options) *Failure {
	_, err := Run(o)
	var f *Failure
	errors.As(err, &f)
	return f
}

// simplifications gives runs that are one little step simpler, the best hopes first.
func simplifications(f *Failure) []Options {
	var simpler []Options
	try := func(change func(*Options)) {
		o := f.Options
		change(&o)
		if o != f.Options {
			simpler = append(simpler, o)
		}
	}
	for kind := Faults(1); kind < allFaults; kind <<= 1 {
		try(func(o *Options) { o.Faults &^= kind })
	}
	if f.Options.Members > 3 {
		try(func(o *Options) { o.Members = 3 })
		try(func(o *Options) { o.Members-- })
	}
	try(func(o *Options) { o.Learners = 0 })
	try(func(o *Options) { o.DurableMachine = false })
	try(func(o *Options) { o.HealMajority, o.HalfCut, o.HalfLinked = false, false, false })
	try(func(o *Options) { o.HalfCut, o.HalfLinked = false, false })
	try(func(o *Options) { o.Phases = 1 })
	try(func(o *Options) { o.ChunkBytes = 1 << 20 })
	if f.Options.ReadPercent > 0 {
		try(func(o *Options) { o.ReadPercent = 0 })
	}
	// A failure of safety comes at a step, after which nothing matters; liveness is
	// judged from the last step on.
	try(func(o *Options) { o.Steps = min(o.Steps, f.Step) })
	try(func(o *Options) { o.Steps = o.Steps * 1 / 2 })
	try(func(o *Options) { o.Steps = o.Steps * 9 / 10 })
	return simpler
}
