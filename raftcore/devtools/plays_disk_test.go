package devtools_test

// olderDisk: member 3 acknowledged entries 2 and 3, and comes back with a disk that ends
// before them.
func olderDisk(p *play) bool {
	if !p.begin() {
		return false
	}
	p.offstage(func() { p.writeAll(3, 1, 2, 3) })
	p.say(1, "all have entries 2/1 and 3/1")
	p.Crash(3)
	p.RestoreOlderDisk(3, 1)
	p.Restart(3)
	p.until(acknowledgesNow(3, 1, 3))
	p.claim("the leader sends what the disk has lost", p.saw(1, 3, carries(entry(2, 1), entry(3, 1))))
	p.ends(3, 3)
	return p.Status()[0].Term == 1
}

// emptyDisk: the same with nothing on the disk at all.
func emptyDisk(p *play) bool {
	if !p.begin() {
		return false
	}
	p.offstage(func() { p.writeAll(2, 1, 2, 3) })
	p.say(1, "all have entry 2/1")
	p.Crash(3)
	p.Wipe(3)
	p.Restart(3)
	p.until(acknowledgesNow(3, 1, 2))
	p.claim("the leader sends the whole log", p.saw(1, 3, carries(entry(1, 1), entry(2, 1))))
	p.ends(3, 2)
	return p.Status()[0].Term == 1
}

// snapshotForALaggard: what member 3 lacks is cut off the leader's log.
func snapshotForALaggard(p *play) bool {
	if !p.begin() {
		return false
	}
	p.say(3, "is cut off")
	p.cut(3)
	p.offstage(func() { p.writeAll(8, 1, 2) })
	p.say(1, "members 1 and 2 have entries 2/1 to 8/1")
	p.Compact(1)
	p.until(fault("cuts its log"))
	p.Heal()
	p.say(3, "is back")
	p.until(acknowledgesNow(3, 1, 8))
	p.ends(3, 8)
	return p.Status()[0].Term == 1
}
