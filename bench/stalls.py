"""The longest that a client waits while all of a million entries in the cache are dumped or flushed."""

import contextlib
import os
import time

from lab import ControlQuestion, Failed, Load, run_at_once

RATE = 5000
HOT_ZONE, HOT_NAMES = "hot.bench", 1000
# A wait of the machine's own making comes once, one of the server's making each time.
REPEATS = 3
PATIENCE_SECONDS = 30
ADDED_MARK_MS = 2.0
OPERATION_SECONDS = 60


class Stall:
    """One operation: how long the longest wait was while it went on, and as long without it."""

    def __init__(self, name, entries):
        self.name, self.entries = name, entries
        self.seconds, self.quiet, self.during = [], [], []
        self.troubles = []

    def add(self, seconds, quiet, during):
        self.seconds.append(seconds)
        for counts, kept in ((quiet, self.quiet), (during, self.during)):
            kept.append({key: counts[key] / 1000 for key in ("p50_us", "p99_us", "p999_us", "max_us")})
            wrong = {what: counts[what] for what in ("failed", "lost", "unexpected", "skipped") if counts[what]}
            if wrong:
                text = ", ".join(f"{count:,} {what}" for what, count in wrong.items())
                self.troubles.append(f"{self.name}: of {counts['sent']:,} queries {text}")

    def longest(self, samples):
        return min(sample["max_us"] for sample in samples)

    def added_ms(self):
        return self.longest(self.during) - self.longest(self.quiet)

    def line(self):
        p999 = min(sample["p999_us"] for sample in self.during)
        verdict = "pass" if self.added_ms() < ADDED_MARK_MS else "FAIL"
        line = (
            f"{f'  {self.name}, {min(self.seconds):.1f} s':<40}{self.longest(self.quiet):>8.2f}"
            f"{self.longest(self.during):>8.2f}{p999:>8.2f}{self.added_ms():>+8.2f}"
        )
        return f"{line:<89}  < {ADDED_MARK_MS:.0f} ms {verdict}"

    def report(self):
        return {"operation": self.name, "seconds": self.seconds, "without_ms": self.quiet, "during_ms": self.during,
                "added_ms": self.added_ms(), "troubles": self.troubles}  # fmt: skip


class Stalls:
    """Measures them on a server whose cache has been filled, and on others that start with what it has written. The
    worker keeps the server's core to itself. The server's other threads run beside the load, which comes before them
    there: what a client waits for is the worker, and what the worker waits for is a lock that they hold."""

    def __init__(self, lab, filled, say):
        self.lab, self.say, self.names = lab, say, filled.names
        self.usable = os.sched_getaffinity(0)
        # Who reads the dump runs where the other threads run.
        os.sched_setaffinity(0, {lab.settings.load_core})
        try:
            self.stalls = list(self.measure(filled))
        finally:
            os.sched_setaffinity(0, self.usable)

    def measure(self, filled):
        for thread in self.lab.responder.threads():
            run_at_once(thread)
        self.separate(filled.process)
        Load(self.lab.settings, filled.port, *self.hot_names(), "--rate", RATE, "--seconds", 2).wait()
        dump = Stall("cache dump", self.names)
        while len(dump.seconds) < REPEATS and sum(dump.seconds) < PATIENCE_SECONDS:
            self.watch(dump, filled.port, lambda: self.dump(filled.server.control))
        yield dump
        flush = Stall("cache flush --zone", self.names)
        self.watch(flush, filled.port, lambda: self.flush(filled.server.control))
        yield flush

    def separate(self, process):
        settings = self.lab.settings
        for thread, name in process.threads().items():
            with contextlib.suppress(ProcessLookupError):
                if name.startswith("worker"):
                    os.sched_setaffinity(thread, {settings.server_core})
                    run_at_once(thread)
                else:
                    os.sched_setaffinity(thread, {settings.load_core})

    def hot_names(self):
        return "--unique", HOT_ZONE, "--first", 0, "--among", HOT_NAMES

    def watch(self, stall, port, operation):
        """Asks at a steady rate before, during and after the operation, and then as long without it."""
        self.say(f"longest wait: {stall.name}")
        arguments = (*self.hot_names(), "--rate", RATE, "--seconds", OPERATION_SECONDS)
        start = time.monotonic()
        load = Load(self.lab.settings, port, *arguments, at_once=True)
        time.sleep(0.2)
        began = time.monotonic()
        operation()
        seconds = time.monotonic() - began
        time.sleep(0.1)
        during = load.end()
        whole = time.monotonic() - start
        load = Load(self.lab.settings, port, *arguments, at_once=True)
        time.sleep(whole)
        stall.add(seconds, load.end(), during)

    def dump(self, control):
        self.expect(ControlQuestion(control, "cache dump").last_line().get("entries", 0), "dumped")

    def flush(self, control):
        zone = "example."
        reply = ControlQuestion(control, "cache flush", name=zone, scope="zone").last_line()
        self.expect(reply.get("flushed", 0), "flushed")

    def expect(self, entries, what):
        if entries < 0.99 * self.names:
            raise Failed(f"of {self.names:,} entries {entries:,} were {what}")

    @property
    def troubles(self):
        return [trouble for stall in self.stalls for trouble in stall.troubles]

    def lines(self, build):
        del build
        head = f"longest wait in ms, {RATE:,} queries/s"
        return [
            f"{head:<40}{'without':>8}{'during':>8}{'p99.9':>8}{'added':>8}",
            *(stall.line() for stall in self.stalls),
        ]

    def report(self):
        return {"rate": RATE, "entries": self.names, "mark_ms": ADDED_MARK_MS,
                "stalls": [stall.report() for stall in self.stalls]}  # fmt: skip
