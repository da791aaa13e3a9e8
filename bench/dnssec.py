"""What validation costs: a miss in a signed zone, a cached answer that is secure; and how long one client waits while
another asks for what is dear to validate."""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import servers
from lab import ADDRESS, ControlQuestion, Failed, Load, free_port, pin, run_at_once, spent_on, wait_until_ready

HERE = pathlib.Path(__file__).resolve().parent
# What makes the zones and answers from them, and the packages.
TOOLS = {"nsd": "nsd", "dnssec-signzone": "bind9-dnsutils", "ldns-signzone": "ldnsutils"}
READY = "000000000000.hot.lab"
# Signature checks that a miss may cost more than without validation, and what a secure hit may cost of an unsigned one.
MISS_MARK, HIT_MARK = 1.5, 1.05
# How long one client's answers may take while another asks for what is dear.
WAIT_MARK_MS = 10.0
VICTIM, ATTACKER = "127.0.1.1", "127.0.2.1"
# Questions that an attacker has open, fewer than a client may (limits.waiting_per_client); each is followed at once by
# another. Where nothing is answered, it asks so often in a second, whatever becomes of what it has asked before.
ATTACK_WINDOW, ATTACK_RATE = 192, 1000
# The attack has so long to fill what it can fill before the victim comes.
HEAD_START_SECONDS = 1


def missing_packages():
    path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
    return sorted({package for program, package in TOOLS.items() if not shutil.which(program, path=path)})


def queries_in(statistics):
    return sum(upstream["queries"] for upstream in statistics["upstreams"])


def trouble_in(counts, what):
    wrong = {kind: counts[kind] for kind in ("failed", "lost", "unexpected", "skipped") if counts[kind]}
    text = ", ".join(f"{count:,} {kind}" for kind, count in wrong.items())
    return [f"{what}: of {counts['sent']:,} queries {text}"] if wrong else []


class SignedUpstream:
    """Gives the answers of signed zones as they were recorded, as fast as the other upstream gives its own."""

    def __init__(self, lab):
        self.lab = lab
        folder = lab.new_folder("signed-")
        done = subprocess.run(
            [sys.executable, str(HERE / "signed_zones.py"), str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failed(f"signed_zones.py:\n{done.stdout[-2000:]}")
        self.anchors = folder / "anchors"
        self.zones = json.loads((folder / "zones.json").read_text())
        ca, certificate, key = lab.certificates
        port = free_port()
        self.process = lab.start(
            [lab.settings.build / "bench" / "bench_dot_responder", f"{ADDRESS}:{port}", certificate, key,
             folder / "table"],
            lab.settings.load_core,
        )  # fmt: skip
        wait_until_ready(self.process, port)
        self.upstream = servers.Upstream(ADDRESS, port, ca)

    def names_in(self, zone, first=0, among=None):
        """The arguments of a load that asks for names in a zone, in their order or so many of them by chance."""
        chance = () if among is None else ("--among", among)
        return ("--unique", self.zones[zone]["suffix"], "--first", first, *chance)

    def count_in(self, zone):
        return self.zones[zone]["names"]


class Server:
    """A dotward that forwards to the signed upstream."""

    def __init__(self, signed, validation="on", **options):
        lab = signed.lab
        self.settings = lab.settings
        self.control = lab.new_folder() / "control.sock"
        self.server = servers.ValidatingDotward(self.control, signed.anchors, validation, **options)
        self.process, self.port, _ = lab.start_server(self.server, upstream=signed.upstream, ready=READY)

    def load(self, *arguments, **options):
        return Load(self.settings, self.port, *arguments, **options)

    def statistics(self):
        return ControlQuestion(self.control, "stats").last_line()


def check_microseconds(core):
    """What OpenSSL takes to check one signature by ECDSA P-256."""
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ecdsap256"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False, preexec_fn=pin({core}),
    )  # fmt: skip
    try:
        return 1e6 / float(done.stdout.split()[-1])
    except (IndexError, ValueError, ZeroDivisionError):
        raise Failed(f"openssl speed: {done.stdout[-500:]}") from None


class MissCost:
    """Misses in a signed zone whose keys are known, beside the same ones without validation."""

    # Each sample asks for its part of the names, whose TTL is a second: when their turn comes again they have expired.
    PARTS = 3

    def __init__(self, signed, rounds, say):
        self.troubles = []
        self.samples = []
        self.signed = signed
        on, off = Server(signed), Server(signed, "off")
        for server in (on, off):
            trouble = trouble_in(server.load(*signed.names_in("innocent"), "--count", 1).wait(), "the first miss")
            self.troubles += trouble
        time.sleep(1.1)
        for number in range(1, rounds + 1):
            say(f"misses with validation: round {number} of {rounds}")
            core = signed.lab.settings.server_core
            sample, before = {}, check_microseconds(core)
            for name, server in (("off", off), ("on", on)):
                sample |= {f"{name}_{key}": value for key, value in self.measure(server, number % self.PARTS).items()}
            sample["check_us"] = (before + check_microseconds(core)) / 2
            self.samples.append(sample)
        for server in (on, off):
            server.process.stop()

    def measure(self, server, part):
        count = self.signed.count_in("innocent") // self.PARTS
        names = self.signed.names_in("innocent", first=part * count)
        before = server.statistics()
        counts, cpu = spent_on(
            server.process,
            lambda: server.load(*names, "--count", count, "--window", server.settings.window, "--seconds", 60).wait(),
        )
        after = server.statistics()
        self.troubles += trouble_in(counts, f"misses, {server.server.name}")
        asked = queries_in(after) - queries_in(before)
        checks = after["dnssec"]["signature_checks"] - before["dnssec"]["signature_checks"]
        return {"cpu_us": cpu * 1e6 / count, "upstream_queries": asked / count, "checks": checks / count}

    def median(self, key):
        return statistics.median(sample[key] for sample in self.samples)

    def added_checks(self):
        return statistics.median(
            (sample["on_cpu_us"] - sample["off_cpu_us"]) / sample["check_us"] for sample in self.samples
        )

    def lines(self, build):
        del build
        added, asked = self.added_checks(), self.median("on_upstream_queries")
        costs = (
            f"  a miss, its chain known {self.median('on_cpu_us'):>8.1f} µs, {self.median('off_cpu_us'):.1f} without; "
            f"{self.median('on_checks'):.2f} checks of {self.median('check_us'):.0f} µs: {added:+.2f} checks"
        )
        return [
            "validation",
            f"{costs:<89}  ≤ {MISS_MARK:.2f} {'pass' if added <= MISS_MARK else 'FAIL'}",
            f"{f'  upstream queries for it {asked:>8.2f}':<89}  = 1.00 {'pass' if round(asked, 2) == 1 else 'FAIL'}",
        ]

    def report(self):
        return {"samples": self.samples, "added_checks": self.added_checks(), "mark": MISS_MARK,
                "troubles": self.troubles}  # fmt: skip


class HitCost:
    """Cached answers that are secure, beside those of an unsigned zone, out of one cache."""

    KINDS = {"unsigned": ("unsigned", ()), "secure": ("hot", ()), "unsigned, DO": ("unsigned", ("--dnssec",)),
             "secure, DO": ("hot", ("--dnssec",))}  # fmt: skip

    def __init__(self, signed, rounds, say):
        self.troubles = []
        self.samples = []
        server = Server(signed)
        settings = server.settings
        for kind, (zone, more) in self.KINDS.items():
            once = (*signed.names_in(zone), "--window", 50, "--burst", 1, "--count", signed.count_in(zone))
            self.troubles += trouble_in(server.load(*once, *more).wait(), f"hits, {kind}, while warming up")
        for number in range(1, rounds + 1):
            say(f"hits with validation: round {number} of {rounds}")
            sample = {}
            for kind, (zone, more) in self.KINDS.items():
                names = signed.names_in(zone, among=signed.count_in(zone))
                counts, cpu = spent_on(
                    server.process,
                    lambda arguments=(*names, *more): server.load(
                        *arguments, "--window", settings.window, "--seconds", settings.seconds
                    ).wait(),
                )
                self.troubles += trouble_in(counts, f"hits, {kind}")
                sample[kind] = cpu * 1e6 / max(1, counts["answered"])
            self.samples.append(sample)
        server.process.stop()

    def ratio(self, kind, base):
        return statistics.median(sample[kind] / sample[base] for sample in self.samples)

    def lines(self, build):
        del build
        lines = []
        for suffix, mark in (("", HIT_MARK), (", DO", None)):
            secure, base = f"secure{suffix}", f"unsigned{suffix}"
            ratio = self.ratio(secure, base)
            cost = statistics.median(sample[secure] for sample in self.samples)
            text = f"  a hit, {secure:<15} {cost:>8.2f} µs, {ratio:.2f} × that of an unsigned zone"
            lines.append(
                text if mark is None else f"{text:<89}  ≤ {mark:.2f} {'pass' if ratio <= mark else 'FAIL'}"
            )
        return lines

    def report(self):
        return {"samples": self.samples, "ratio": self.ratio("secure", "unsigned"), "mark": HIT_MARK,
                "troubles": self.troubles}  # fmt: skip


class Attack:
    """What one client asks for. Without a zone nobody does; those without a mark are there for comparison."""

    def __init__(self, name, zone=None, chance=False, rate=None, marked=True):
        self.name, self.zone, self.chance, self.rate, self.marked = name, zone, chance, rate, marked

    def arguments(self, signed):
        among = signed.count_in(self.zone) if self.chance else None
        pace = ("--window", ATTACK_WINDOW, "--burst", 1) if self.rate is None else ("--rate", self.rate)
        return (*signed.names_in(self.zone, among=among), *pace, "--from", ATTACKER)


ATTACKS = (
    Attack("nothing", marked=False),
    Attack("names of an unsigned zone", "plain", marked=False),
    Attack("8 false signatures P-384", "p384"),
    Attack("4 × 4 checks RSA-4080", "rsa"),
    Attack("6 checks RSA-2336", "cheaper"),
    Attack("4 checks RSA-2336", "loop"),
    Attack("80 records, cheap checks", "records"),
    # Refused before a check is made: it is the size of the answers that costs, as it does without signatures.
    Attack("2,000 records", "sorting"),
    Attack("NSEC3 with 50 iterations", "hashes"),
    Attack("names that do not exist", "flood", chance=True),
    Attack("zones with dear keys", "many", chance=True),
    Attack("zones whose DS never comes", "silent", rate=ATTACK_RATE),
    Attack("places that are no zones", "evict", chance=True),
)
# What the victim asks for besides what is in the cache, and how often in a second.
HITS = "hits"
VICTIMS = {HITS: 500, "misses": 100, "denials": 50, "new zones": 50}


class Attacked:
    """How long one client waits for its answers while another asks for the worst that we can build."""

    def __init__(self, signed, repeats, seconds, say):
        self.signed, self.seconds = signed, seconds
        self.troubles = []
        self.samples = {attack.name: [] for attack in ATTACKS}
        for thread in signed.process.threads():
            run_at_once(thread)
        for number in range(1, repeats + 1):
            for attack in ATTACKS:
                say(f"one client's wait, round {number} of {repeats}: another asks for {attack.name}")
                self.samples[attack.name].append(self.measure(attack))

    def asks(self):
        """The arguments of each of the victim's loads."""
        names_in = self.signed.names_in
        return {
            HITS: names_in("hot", among=100),
            "misses": names_in("innocent"),
            "denials": (*names_in("denied"), "--denials"),
            "new zones": names_in("fresh"),
        }

    def measure(self, attack):
        server = Server(self.signed, waiting_per_client=200)
        self.warm(server)
        flood = None
        if attack.zone is not None:
            patience = self.seconds + 10 * HEAD_START_SECONDS  # it is ended before
            flood = server.load(*attack.arguments(self.signed), "--seconds", patience, at_once=True)
            time.sleep(HEAD_START_SECONDS)
        before, threads, began = server.statistics(), server.process.thread_seconds(), time.monotonic()
        pace = ("--seconds", self.seconds, "--from", VICTIM)
        loads = {
            kind: server.load(*arguments, "--rate", VICTIMS[kind], *pace, at_once=True)
            for kind, arguments in self.asks().items()
        }
        counts = {kind: load.wait() for kind, load in loads.items()}
        after, spent, seconds = server.statistics(), server.process.thread_seconds(), time.monotonic() - began
        sample = {
            "victim": counts,
            "attacker": flood.end() if flood else None,
            "threads": [[name, (spent[number, name] - threads.get((number, name), 0)) / seconds]
                        for number, name in spent],
            "dnssec": {key: after["dnssec"][key] - before["dnssec"][key] for key in after["dnssec"]},
        }  # fmt: skip
        server.process.stop()
        for kind, count in counts.items():
            if attack.marked:
                self.troubles += trouble_in(count, f"{kind} while another asks for {attack.name}")
        return sample

    def warm(self, server):
        """What is hot is cached, and every chain of trust is known that the victim will need but those of new zones."""
        last = {zone: self.signed.names_in(zone, first=self.signed.count_in(zone) - 1)
                for zone in ("innocent", "denied", "fresh")}  # fmt: skip
        last["denied"] += ("--denials",)
        for arguments in last.values():
            server.load(*arguments, "--count", 1).wait()
        server.load(*self.signed.names_in("hot"), "--window", 20, "--burst", 1, "--count", 100).wait()

    def lost(self, attack):
        samples = self.samples[attack.name]
        return sum(count["failed"] + count["lost"] for sample in samples for count in sample["victim"].values())

    def wait_ms(self, attack, kind, quantile="p99_us"):
        """What the machine does besides comes once, what the server does comes each time."""
        return min(sample["victim"][kind][quantile] for sample in self.samples[attack.name]) / 1000

    def longest_ms(self, attack):
        return max(self.wait_ms(attack, kind) for kind in VICTIMS)

    def rate(self, attack):
        if attack.zone is None:
            return ""
        counts = [sample["attacker"] for sample in self.samples[attack.name]]
        asked = attack.rate or statistics.median(count["sent"] / max(count["seconds"], 0.001) for count in counts)
        return f"{asked:,.0f}"

    def line(self, attack):
        waits = "".join(f"{self.wait_ms(attack, kind):>10.1f}" for kind in VICTIMS)
        line = f"{f'  {attack.name}':<31}{self.rate(attack):>9}{waits}{self.lost(attack):>8}"
        if not attack.marked:
            return line
        good = self.lost(attack) == 0 and self.longest_ms(attack) <= WAIT_MARK_MS
        return f"{line:<89}  ≤ {WAIT_MARK_MS:.0f} ms, 0 lost {'pass' if good else 'FAIL'}"

    def lines(self, build):
        del build
        kinds = "".join(f"{kind:>10}" for kind in VICTIMS)
        return [
            "p99 in ms of one client, while another asks for",
            f"{'':<31}{'queries/s':>9}{kinds}{'lost':>8}",
            *(self.line(attack) for attack in ATTACKS),
        ]

    def report(self):
        return {"mark_ms": WAIT_MARK_MS, "seconds": self.seconds, "attacks": self.samples,
                "longest_ms": {attack.name: self.longest_ms(attack) for attack in ATTACKS},
                "lost": {attack.name: self.lost(attack) for attack in ATTACKS},
                "troubles": self.troubles}  # fmt: skip
