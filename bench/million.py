"""A cache with a million names in it: the memory of an entry, beside the other resolvers; what a hit costs among so
many names, beside what memory itself takes for that; and the cache without a server around it."""

import json
import statistics
import subprocess
import time

import servers
from lab import ControlQuestion, Failed, Load, pin, spent_on

MANY, MANY_QUICK = 1_000_000, 100_000
FEW = 10_000
# Behind twelve digits and a dot: names of 24 octets.
ZONE, WARM_ZONE = "big.example", "warm.example"
WARM_NAMES = 10_000
SAMPLE = 20_000
AGE_SECONDS = 2.0
FILL_SECONDS = 600
# What an address may take, and how much more a hit may cost among many names, beyond what memory explains, as a part of
# what it costs among few.
OCTETS_MARK = 128
GROWTH_MARK = 0.05


class Filled:
    """A server with many names in its cache, and the memory that they take. The process goes on."""

    def __init__(self, lab, server, names):
        self.lab, self.server, self.names = lab, server, names
        self.troubles = []
        # Twice what is needed: of a cache by entries, no part of it may be full before the others.
        self.mib = server.mib_for_a_million * names // MANY
        self.process, self.port, _ = lab.start_server(server, cache_mib=self.mib, cache_entries=2 * names)
        self.judge(self.ask_once(WARM_ZONE, WARM_NAMES), "while warming up")
        time.sleep(0.5)
        before, entries_before = self.process.resident_mib(), self.counted_entries()
        self.judge(self.ask_once(ZONE, names), "while filling")
        time.sleep(AGE_SECONDS)
        resident = self.process.resident_mib() - before
        sample = self.ask_among(names, "--count", SAMPLE, "--window", 50, "--burst", 1)
        self.judge(sample, "in the sample")
        self.found = sample["aged"] / max(1, sample["answered"])
        # Who does not count them: as many as there are in the sample.
        self.entries = names * self.found if entries_before is None else self.counted_entries() - entries_before
        if self.entries == 0:
            raise Failed(f"{server.name} has none of {names:,} names in its cache")
        self.octets = resident * 1024 * 1024 / self.entries
        if self.found < 0.99:
            self.troubles.append(f"{server.name}: of {names:,} names {self.found:.1%} are in the cache")

    def counted_entries(self):
        """What the server says that it has, where it can be asked, which is also asked whether any had to go."""
        if not isinstance(self.server, servers.StockedDotward):
            return None
        cache = ControlQuestion(self.server.control, "stats").last_line()["cache"]
        if cache["evictions"]:
            self.troubles.append(f"{self.server.name}: {cache['evictions']:,} entries had to go")
        return cache["entries"]

    def ask_once(self, zone, names):
        return self._load("--unique", zone, "--first", 0, "--count", names, "--seconds", FILL_SECONDS)

    def ask_among(self, names, *arguments):
        """Asks for names that are drawn at random from the first so many: nothing can guess which is next."""
        return self._load("--unique", ZONE, "--first", 0, "--among", names, *arguments)

    def _load(self, *arguments):
        return Load(self.lab.settings, self.port, *arguments).wait()

    def judge(self, counts, when):
        wrong = {what: counts[what] for what in ("failed", "lost", "unexpected", "skipped") if counts[what]}
        if wrong:
            text = ", ".join(f"{count:,} {what}" for what, count in wrong.items())
            self.troubles.append(f"{self.server.name}, {when}: of {counts['sent']:,} queries {text}")
        if counts["answered"] == 0:
            raise Failed(f"{self.server.name} answered nothing, {when}:\n{self.process.last_words()}")


class Memory:
    """The memory of an entry, of dotward and of the others."""

    def __init__(self, lab, own, others, names, say):
        self.filled = [own]
        self.names = names
        for server in others:
            say(f"memory of {names:,} names: {server.name}")
            filled = Filled(lab, server, names)
            filled.process.stop()
            self.filled.append(filled)

    @property
    def troubles(self):
        return [trouble for filled in self.filled for trouble in filled.troubles]

    def lines(self, build):
        lines = [f"{self.names:,} names of 24 octets with one address each"]
        for filled in self.filled:
            label = f"  {filled.server.name} {filled.server.version(build)}"
            own = isinstance(filled.server, servers.Dotward)
            verdict = f"  ≤ {OCTETS_MARK} {'pass' if filled.octets <= OCTETS_MARK else 'FAIL'}" if own else ""
            line = f"{label:<22}{filled.octets:>8.1f} octets of resident memory an entry"
            lines.append(f"{line:<89}{verdict}".rstrip())
        return lines

    def report(self):
        return {
            "names": self.names,
            "mark": OCTETS_MARK,
            "servers": [
                {"server": filled.server.name, "octets_an_entry": filled.octets, "entries": filled.entries,
                 "found_again": filled.found, "troubles": filled.troubles}
                for filled in self.filled
            ],
        }  # fmt: skip


class CacheAlone:
    """bench_cache: the cache without a server."""

    def __init__(self, settings, names, quick):
        command = [settings.build / "bench" / "bench_cache", "--names", names]
        command += ["--rounds", 3, "--milliseconds", 50] if quick else []
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pin({settings.server_core, settings.load_core}),
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"bench_cache ended with {done.returncode}")
        self.counts = json.loads(done.stdout)
        self.troubles = []

    def memory_us(self):
        """What the memory takes of a hit among many names, less what it takes among few."""
        few, many = (memory["ns"] for memory in self.counts["memory"])
        return (many - few) / 1000

    def lines(self, build):
        del build
        rates = {(row["names"], row["threads"]): row["a_second"] / 1e6 for row in self.counts["lookups"]}
        head = f"the cache by itself, {self.counts['names']:,} entries"
        lines = [f"{head:<40}{'one thread':>14}{'two threads':>14}"]
        for names in dict.fromkeys(names for names, _ in rates):
            label = "one name" if names == 1 else f"{names:,} names, random"
            lines.append(f"  lookups, {label:<29}{rates[(names, 1)]:>10.2f} M/s{rates[(names, 2)]:>10.2f} M/s")
        memory = ", ".join(f"{row['ns']:.0f} ns among {row['names']:,}" for row in self.counts["memory"])
        return lines + [
            f"  an insert {self.counts['insert_ns']:.0f} ns, into a full cache "
            f"{self.counts['insert_evicting_ns']:.0f} ns; "
            f"{self.counts['counted_octets_an_entry']:.1f} octets an entry by its own account",
            f"  memory alone, bucket, entry and image of a hit: {memory}",
        ]

    def report(self):
        return self.counts


class HitPath:
    """What a hit costs among few names and among many, all of them in the cache of one process, with the floor of the
    same round."""

    def __init__(self, lab, filled, alone, say):
        settings = lab.settings
        self.names, self.alone, self.troubles = filled.names, alone, []
        floor, floor_port, _ = lab.start_server(servers.FLOOR)
        self.samples = []
        for number in range(1, settings.rounds + 1):
            sample = {}
            for key, process, among in (
                ("floor_us", floor, FEW),
                ("few_us", filled.process, FEW),
                ("many_us", filled.process, self.names),
            ):
                say(f"hits among {among:,} names, round {number} of {settings.rounds}")
                port = floor_port if process is floor else filled.port
                arguments = ("--unique", ZONE, "--first", 0, "--among", among, "--window", settings.window)
                Load(settings, port, *arguments, "--count", 2000).wait()
                counts, cpu = spent_on(
                    process, lambda: Load(settings, port, *arguments, "--seconds", settings.seconds).wait()
                )
                if process is floor:  # whose replies have no records
                    counts["answered"], counts["failed"], counts["aged"] = counts["failed"], 0, counts["failed"]
                filled.judge(counts, f"hits among {among:,}")
                if counts["aged"] != counts["answered"]:
                    missed = counts["answered"] - counts["aged"]
                    self.troubles.append(f"hits among {among:,}: {missed:,} replies are not from the cache")
                sample[key] = cpu * 1e6 / counts["answered"]
            self.samples.append(sample)
        floor.stop()

    def median(self, key):
        return statistics.median(sample[key] for sample in self.samples)

    def growth_us(self):
        return statistics.median(sample["many_us"] - sample["few_us"] for sample in self.samples)

    def unexplained(self):
        """As a part of what a hit costs among few names."""
        return (self.growth_us() - self.alone.memory_us()) / self.median("few_us")

    def lines(self, build):
        del build
        verdict = "pass" if self.unexplained() <= GROWTH_MARK else "FAIL"
        lines = [f"hits of random names, {self.names:,} in the cache ({self.median('floor_us'):.2f} µs the echo floor)"]
        for key, among in (("few_us", FEW), ("many_us", self.names)):
            ratio = statistics.median(sample[key] / sample["floor_us"] for sample in self.samples)
            lines.append(f"{f'  among {among:,}':<22}{self.median(key):>8.2f} µs/query{ratio:>14.2f} × floor")
        growth = (
            f"  grows by {self.growth_us():.2f} µs, of which memory explains {self.alone.memory_us():.2f} µs; "
            f"beyond that {self.unexplained():+.1%}"
        )
        return [*lines, f"{growth:<89}  ≤ {GROWTH_MARK:.0%} {verdict}"]

    def report(self):
        return {"few": FEW, "many": self.names, "samples": self.samples, "growth_us": self.growth_us(),
                "memory_us": self.alone.memory_us(), "unexplained": self.unexplained(), "mark": GROWTH_MARK,
                "troubles": self.troubles}  # fmt: skip
