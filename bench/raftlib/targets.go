package main

// target is what the project wants of itself at a point.
type target struct {
	Point  point
	Rate   float64 // operations per second
	Floor  float64 // or this part of the floor, where the machine is another; 0: none
	CPU    float64 // seconds for 10,000 operations at most; 0: none
	Allocs float64 // for each operation at most; 0: none
}

var targets = []target{
	{Point: point{1, 128}, Rate: 3_600, Floor: 0.9},
	{Point: point{16, 128}, Rate: 22_000, Floor: 0.75},
	{Point: point{64, 128}, Rate: 70_000, Floor: 0.65, CPU: 0.18, Allocs: 14},
	{Point: point{256, 128}, Rate: 160_000, Floor: 0.55, CPU: 0.09},
	{Point: point{1024, 128}, Rate: 250_000, Floor: 0.55, CPU: 0.05},
	{Point: point{1, 4096}, Rate: 2_600, Floor: 0.86},
	{Point: point{64, 4096}, Rate: 35_000, Floor: 0.74},
	{Point: point{1024, 4096}, Rate: 60_000, Floor: 0.68},
	{Point: point{64, 0}, Rate: 400_000},
}

// verdict compares what was measured with a target. Ok is about the rate, by itself or
// as a part of the floor, and about all other bounds.
type verdict struct {
	target
	Got   figures
	Part  float64 // of the floor; 0: not known
	Best  float64 // of the rates over each peer's the least; 0: not known
	OK    bool
	Lacks string
}

func (r *results) verdicts() []verdict {
	var out []verdict
	for _, t := range targets {
		m := r.at(t.Point)
		if m == nil {
			continue
		}
		got, ok := m.median("quorate")
		if !ok {
			continue
		}
		v := verdict{target: t, Got: got}
		if s, ok := m.ratios("floor"); ok {
			v.Part = s.median
		}
		for _, peer := range []string{"etcd", "etcd-async", "hashicorp"} {
			if s, ok := m.ratios(peer); ok && (v.Best == 0 || s.median < v.Best) {
				v.Best = s.median
			}
		}
		v.judge()
		out = append(out, v)
	}
	return out
}

func (v *verdict) judge() {
	switch {
	case v.Got.PerSecond < v.Rate && (v.Floor == 0 || v.Part < v.Floor):
		v.Lacks = "rate"
	case v.CPU > 0 && v.Got.CPU > v.CPU:
		v.Lacks = "CPU"
	case v.Allocs > 0 && v.Got.Allocs > v.Allocs:
		v.Lacks = "allocations"
	default:
		v.OK = true
	}
}
