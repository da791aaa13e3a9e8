"""The longest that a client waits while all of a million entries are dumped, loaded, written, or flushed."""

import contextlib
import os
import shutil
import time

import servers
from lab import ControlQuestion, Failed, Load, ask, run_at_once

RATE = 5000
HOT_ZONE, HOT_NAMES = "hot.bench", 1000
# A wait of the machine's own making comes once, one of the server's making each time.
REPEATS = 3
DUMP_SECONDS = 30  # no more are begun then
ADDED_MARK_MS = 2.0
LOAD_SECONDS = 120
STOP_SECONDS = 30
# The shortest interval of snapshots, and how long before its end the load begins.
INTERVAL_SECONDS = 10
BEFORE_SECONDS = 1


class Stall:
    """One operation: how long the longest wait was while it went on, and as long without it."""

    def __init__(self, name):
        self.name = name
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

    def __init__(self, lab, filled, repeats, say):
        self.lab, self.names, self.mib, self.say = lab, filled.names, filled.mib, say
        self.arguments = ("--unique", HOT_ZONE, "--first", 0, "--among", HOT_NAMES, "--rate", RATE)
        names = ("cache dump", "snapshot loaded", "snapshot written", "cache flush --zone")
        self.dumped, self.loaded, self.written, self.flushed = self.stalls = [Stall(name) for name in names]
        usable = os.sched_getaffinity(0)
        # Who reads the dump runs where the other threads run.
        os.sched_setaffinity(0, {lab.settings.load_core})
        try:
            for thread in lab.responder.threads():
                run_at_once(thread)
            self.measure_dump(filled, repeats)
            filled.process.stop(STOP_SECONDS)
            for _ in range(repeats):
                self.measure_restart(filled.server.snapshot)
        finally:
            os.sched_setaffinity(0, usable)

    def measure_dump(self, filled, repeats):
        self.separate(filled.process)
        Load(self.lab.settings, filled.port, *self.arguments, "--seconds", 2).wait()
        while len(self.dumped.seconds) < repeats and sum(self.dumped.seconds) < DUMP_SECONDS:
            self.watch(self.dumped, filled.port, lambda: self.dump(filled.server.control))

    def measure_restart(self, snapshot):
        """A server that loads a copy of the snapshot, writes it when its interval is over, and is flushed; and one that
        has nothing to load, since the first queries after a start take longer anyway."""
        folder = self.lab.new_folder()
        shutil.copy(snapshot, folder / "snapshot")
        server = servers.StockedDotward(folder / "stocked.sock", folder / "snapshot", f"{INTERVAL_SECONDS}s")
        empty = servers.StockedDotward(folder / "empty.sock", folder / "none")

        self.say(f"longest wait: {self.loaded.name}")
        began = time.monotonic()
        process, port = self.start(server)
        during, seconds = self.at_steady_rate(port, lambda: self.wait_for_entries(server.control, began))
        due = time.monotonic() + INTERVAL_SECONDS
        idle, idle_port = self.start(empty)
        quiet, _ = self.at_steady_rate(idle_port, lambda: time.sleep(seconds))
        self.loaded.add(seconds, quiet, during)
        idle.stop()

        # It is written if there is something new.
        if not ask(port, f"new.{HOT_ZONE}", 1):
            raise Failed(f"{server.name} does not answer behind its snapshot")
        time.sleep(max(0, due - BEFORE_SECONDS - time.monotonic()))
        self.watch(self.written, port, lambda: self.wait_for_file(server.snapshot, folder / "snapshot.tmp"))
        self.watch(self.flushed, port, lambda: self.flush(server.control))
        process.stop()

    def start(self, server):
        process, port, _ = self.lab.start_server(server, self.lab.settings.load_core, cache_mib=self.mib)
        self.separate(process)
        return process, port

    def separate(self, process):
        settings = self.lab.settings
        for thread, name in process.threads().items():
            with contextlib.suppress(ProcessLookupError):
                if name.startswith("worker"):
                    os.sched_setaffinity(thread, {settings.server_core})
                    run_at_once(thread)
                else:
                    os.sched_setaffinity(thread, {settings.load_core})

    def watch(self, stall, port, operation):
        """The operation gives the seconds that it took."""
        self.say(f"longest wait: {stall.name}")
        began = time.monotonic()
        during, seconds = self.at_steady_rate(port, operation)
        whole = time.monotonic() - began
        quiet = Load(self.lab.settings, port, *self.arguments, "--seconds", max(1, round(whole)), at_once=True).wait()
        stall.add(seconds, quiet, during)

    def at_steady_rate(self, port, operation):
        """What the load counted that was there before the operation and after it, and what the operation gives."""
        load = Load(self.lab.settings, port, *self.arguments, "--seconds", LOAD_SECONDS, at_once=True)
        time.sleep(0.2)
        result = operation()
        time.sleep(0.1)
        return load.end(), result

    def dump(self, control):
        return self.ask_for_all(control, "entries", "cache dump")

    def flush(self, control):
        return self.ask_for_all(control, "flushed", "cache flush", name="example.", scope="zone")

    def ask_for_all(self, control, count, command, **more):
        began = time.monotonic()
        self.expect(ControlQuestion(control, command, **more).last_line().get(count, 0), command)
        return time.monotonic() - began

    def wait_for_entries(self, control, began):
        stats = ControlQuestion(control, "stats")
        while (entries := stats.last_line()["cache"]["entries"]) < self.names:
            if time.monotonic() > began + LOAD_SECONDS:
                self.expect(entries, "loading")
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_for_file(self, path, temporary):
        """The temporary file is there from the beginning of the writing to its end."""
        before = path.stat().st_mtime_ns
        began = time.monotonic()
        end = began + LOAD_SECONDS
        while path.stat().st_mtime_ns == before:
            now = time.monotonic()
            if now > end:
                raise Failed("the snapshot was not written")
            if not temporary.exists():
                began = now
            time.sleep(0.01)
        return time.monotonic() - began

    def expect(self, entries, what):
        if entries < self.names:
            raise Failed(f"{what}: of {self.names:,} entries there were {entries:,}")

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
