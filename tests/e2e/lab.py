"""A small internet on loopback for the end-to-end tests: an authoritative server (NSD) with zones made here, a
validating resolver (Unbound) that serves them over DNS-over-TLS, and the dotward binary, which forwards to it.

Every lab has a loopback address of its own, so labs do not meet, and a folder that goes with it. The processes are
children, end with their lab, and die with the test that started them, however it ends."""

import contextlib
import ctypes
import os
import pathlib
import random
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DOTWARD_BINARY", str(ROOT / "build/release/dotward"))
AUTH_NAME = "dot.lab.example"

NSD_PORT = 5301
DOT_PORT = 8530
RELAY_PORT = 8531
PORT = 5300

SOA = "@ 3600 SOA ns hostmaster 1 3600 900 86400 60\n@ 3600 NS ns\nns 3600 A 192.0.2.53\n"


def _texts(count, octets):
    """`count` TXT records at one name, each of `octets` octets in strings of at most 200."""
    lines = []
    for number in range(count):
        text = f"{number:04d}" + "x" * (octets - 4)
        strings = " ".join(f'"{text[start:start + 200]}"' for start in range(0, octets, 200))
        lines.append(strings)
    return lines


ZONES = {
    ".": "@ 3600 SOA ns.root.example. hostmaster.example. 1 3600 900 86400 60\n@ 3600 NS ns.root.example.\n",
    "plain.example": SOA
    + "www 300 A 192.0.2.7\nwww 300 AAAA 2001:db8::7\n"
    + "short 1 A 192.0.2.1\n"
    + "mixed 300 A 192.0.2.8\nmixed 300 MX 10 www\n"
    + "one 300 CNAME two\ntwo 200 CNAME three\nthree 100 A 192.0.2.9\n"
    + "dangling 300 CNAME missing\n"
    + "*.wild 300 A 192.0.2.10\n"
    + "opaque 300 TYPE65280 \\# 5 0102030405\n"
    + "".join(f"large 300 TXT {text}\n" for text in _texts(8, 300))
    + "".join(f"huge 300 TXT {text}\n" for text in _texts(40, 300)),
    "signed.example": SOA + "www 300 A 192.0.2.17\n" + "".join(f"large 300 TXT {t}\n" for t in _texts(8, 300)),
    "bogus.example": SOA + "www 300 A 192.0.2.27\n",
}
SIGNED = ("signed.example", "bogus.example")


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run(*command, **options):
    """A command that must succeed; its output as text."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def within(seconds, condition, what):
    """Waits until `condition()` is true and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Process:
    """A child that writes to a log file."""

    def __init__(self, command, log):
        self.log_path = pathlib.Path(log)
        self.awaited = False  # a test has seen its exit code
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_die_with_parent
            )

    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        self.child.send_signal(number)

    def running(self):
        return self.child.poll() is None

    def wait(self, seconds=10):
        """The exit code, which must come within `seconds`."""
        self.awaited = True
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s\n{self.log()}") from None

    def terminate_and_wait(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def stop(self):
        if self.running():
            self.terminate_and_wait()


class Dig:
    """What dig printed, taken apart."""

    def __init__(self, text):
        self.text = text
        header = re.search(r"opcode: (\w+), status: (\w+), id: \d+\n;; flags: ([a-z ]*);", text)
        if not header:
            raise AssertionError(f"dig got no answer:\n{text}")
        self.opcode, self.status = header.group(1), header.group(2)
        self.flags = set(header.group(3).split())
        self.size = int(re.search(r"MSG SIZE\s+rcvd: (\d+)", text).group(1))
        self.edns = re.search(r"^; EDNS: version: (\d+), flags:([a-z ]*); udp: (\d+)", text, re.M)
        self.ede = [(int(code), rest) for code, rest in re.findall(r"^; EDE: (\d+)(.*)$", text, re.M)]
        self.question = self._section("QUESTION")
        self.answer = self._section("ANSWER")
        self.authority = self._section("AUTHORITY")
        self.additional = self._section("ADDITIONAL")

    def _section(self, name):
        match = re.search(rf"^;; {name} SECTION:\n((?:.+\n)*)", self.text, re.M)
        return [line.lstrip(";").split(None, 4) for line in match.group(1).splitlines()] if match else []

    def types(self):
        return [record[3] for record in self.answer]

    def data(self, rr_type):
        return sorted(record[4] for record in self.answer if record[3] == rr_type)

    def ttl(self, rr_type, section="answer"):
        return [int(record[1]) for record in getattr(self, section) if record[3] == rr_type]


class Dotward(Process):
    """The binary under test, serving on `address`:`port`."""

    def __init__(self, command, log, address, port):
        super().__init__(command, log)
        self.address, self.port = address, port

    def dig(self, *arguments, tries=1, timeout=10):
        try:
            return Dig(run("dig", f"@{self.address}", "-p", str(self.port), f"+tries={tries}", f"+time={timeout}",
                           "+nocookie", *arguments))
        except AssertionError as failure:
            raise AssertionError(f"{failure}\nexit code {self.child.poll()}\n{self.log()}") from None

    def stop(self):
        """Ends it, and sees that it ended well: a sanitizer's report, too, is another exit code than 0."""
        if self.running():
            self.terminate_and_wait()
        if self.child.returncode != 0 and not self.awaited:
            raise AssertionError(f"ended with exit code {self.child.returncode}\n{self.log()}")

    def serves(self):
        """Whether it answers a question about itself."""
        if not self.running():
            raise AssertionError(f"ended with exit code {self.child.returncode}\n{self.log()}")
        return ask(self.address, self.port, query("version.bind", 16, 3), 0.2) is not None

    def await_serving(self):
        within(10, self.serves, f"dotward serves\n{self.log()}")
        return self

    def dump(self):
        """The statistics that SIGUSR1 writes: the lines of the log since the signal, once they are complete."""
        before = len(self.log())
        self.signal(signal.SIGUSR1)

        def written():
            text = self.log()[before:]
            return text if re.search(r'\{"schema":1.*\}', text) else None

        return within(5, written, "the dump is in the log")


def query(name, rr_type=1, rr_class=1, flags=0x0100, query_id=None, edns=None, edns_flags=0):
    """A query in wire format; `edns` is the advertised payload size."""
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    qname = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    query_id = random.randrange(65536) if query_id is None else query_id
    opt = b"" if edns is None else b"\0" + struct.pack("!HHIH", 41, edns, edns_flags, 0)
    header = struct.pack("!6H", query_id, flags, 1, 0, 0, 1 if opt else 0)
    return header + qname + struct.pack("!HH", rr_type, rr_class) + opt


def rcode(message):
    return message[3] & 15


def ask(address, port, message, timeout=5.0):
    """Sends one datagram and returns the reply with its ID, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        udp.connect((address, port))
        with contextlib.suppress(ConnectionRefusedError, TimeoutError, socket.timeout):
            udp.send(message)
            while True:
                reply = udp.recv(65535)
                if reply[:2] == message[:2]:
                    return reply
    return None


SO_RCVBUFFORCE = 33  # <asm-generic/socket.h>; for root


class Flight:
    """Queries sent at once from one socket, and the replies that came so far, by ID."""

    def __init__(self, address, port, messages):
        self._wanted = len(messages)
        self._replies = {}
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A thousand replies that come at once must not be lost here.
        with contextlib.suppress(PermissionError):
            self._udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self._udp.connect((address, port))
        for message in messages:
            self._udp.send(message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._udp.close()

    def replies(self, seconds):
        """Those that are here once all are, or after `seconds`."""
        end = time.monotonic() + seconds
        while len(self._replies) < self._wanted and time.monotonic() < end:
            self._udp.settimeout(max(0.01, end - time.monotonic()))
            with contextlib.suppress(TimeoutError, socket.timeout):
                reply = self._udp.recv(65535)
                self._replies[reply[:2]] = reply
        return self._replies


def ask_all(address, port, messages, timeout):
    """Sends all at once from one socket; the replies by ID."""
    with Flight(address, port, messages) as flight:
        return flight.replies(timeout)


def ask_tcp(address, port, messages, timeout=10.0):
    """Sends all on one connection at once; the replies in the order of their arrival."""
    with socket.create_connection((address, port), timeout) as tcp:
        tcp.sendall(b"".join(struct.pack("!H", len(message)) + message for message in messages))
        with tcp.makefile("rb") as stream:
            replies = []
            for _ in messages:
                (length,) = struct.unpack("!H", stream.read(2))
                replies.append(stream.read(length))
            return replies


class Relay:
    """A TCP relay before the DNS-over-TLS port, which can hold what it gets, and cut its connections."""

    def __init__(self, listen, target):
        self._target = target
        self._passing = threading.Event()
        self._passing.set()
        self._lock = threading.Lock()
        self._pairs = []
        self._open = []
        self.connections = 0
        self.held_octets = 0
        self._listener = socket.create_server(listen)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with self._lock:
                    self.connections += 1
                try:
                    far = socket.create_connection(self._target, 5)
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                far.settimeout(None)
                with self._lock:
                    self._pairs.append((near, far))
                for source, sink, holds in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pump, args=(source, sink, holds), daemon=True).start()

    def _pump(self, source, sink, holds):
        with contextlib.suppress(OSError):
            while True:
                octets = source.recv(65536)
                if not octets:
                    break
                if holds and not self._passing.is_set():
                    with self._lock:
                        self.held_octets += len(octets)
                    self._passing.wait()
                sink.sendall(octets)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self):
        """From now on queries come as far as here."""
        self.held_octets = 0
        self._passing.clear()

    def release(self):
        self._passing.set()

    def cut(self):
        """Closes every connection; new ones are welcome."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.release()
        for end in self._open:
            end.close()


class Lab:
    """The folder, the address and the servers. Use `with`, or close()."""

    zones = ZONES  # what NSD serves

    def __init__(self, address=None, resolver=True):
        self._cleanup = contextlib.ExitStack()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dotward-e2e-"))
        self.folder.chmod(0o755)
        self._cleanup.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.address = address or self._free_address()
        self._count = 0
        self.unbound = None
        try:
            self._make_certificates()
            self._make_zones()
            self.start_nsd()
            if resolver:
                self.start_unbound()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._cleanup.close()

    @staticmethod
    def _free_address():
        while True:
            address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind((address, PORT))
                return address

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    # --- certificates ---

    def _make_certificates(self):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        run("openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=lab CA", "-keyout", self.path("ca.key"),
            "-out", self.path("ca.pem"))
        run("openssl", "req", *key, "-subj", f"/CN={AUTH_NAME}", "-keyout", self.path("dot.key"), "-out",
            self.path("dot.csr"))
        extensions = self.write("dot.ext", f"subjectAltName=DNS:{AUTH_NAME}\n")
        run("openssl", "x509", "-req", "-in", self.path("dot.csr"), "-CA", self.path("ca.pem"), "-CAkey",
            self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", self.path("dot.pem"))

    # --- zones ---

    def _make_zones(self):
        self.trust_anchors = []
        for zone, records in ZONES.items():
            name = zone.rstrip(".") or "root"
            origin = zone if zone == "." else zone + "."
            path = self.write(f"{name}.zone", f"$ORIGIN {origin}\n{records}")
            if zone in SIGNED:
                key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone, cwd=self.folder).split()[-1]
                run("ldns-signzone", "-f", path + ".signed", path, self.path(key))
                shutil.move(path + ".signed", path)
                self.trust_anchors.append(self.path(key + ".ds"))
        # The signature over this record is of another address.
        bogus = self.folder / "bogus.example.zone"
        text = bogus.read_text()
        bogus.write_text(text.replace("192.0.2.27", "192.0.2.66"))
        if bogus.read_text() == text:
            raise AssertionError("the bogus zone is sound")

    def start_nsd(self):
        zones = "".join(
            f'zone:\n  name: "{zone}"\n  zonefile: "{self.path((zone.rstrip(".") or "root") + ".zone")}"\n'
            for zone in self.zones
        )
        config = self.write(
            "nsd.conf",
            f"""server:
  ip-address: {self.address}@{NSD_PORT}
  server-count: 1
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{self.folder}"
  pidfile: "{self.path("nsd.pid")}"
  xfrdfile: "{self.path("xfrd.state")}"
  zonelistfile: "{self.path("zone.list")}"
  xfrdir: "{self.folder}"
remote-control:
  control-enable: no
{zones}""",
        )
        self.nsd = self.keep(Process([program("nsd"), "-d", "-c", config], self.path("nsd.log")))
        within(10, lambda: ask(self.address, NSD_PORT, query(".", 6), 0.2), "NSD serves\n" + self.nsd.log())

    # --- the resolver that is dotward's upstream ---

    def start_unbound(self, name="unbound"):
        stubs = "".join(
            f'stub-zone:\n  name: "{zone}"\n  stub-addr: {self.address}@{NSD_PORT}\n' for zone in ZONES
        )
        anchors = "".join(f'  trust-anchor-file: "{path}"\n' for path in self.trust_anchors)
        config = self.write(
            f"{name}.conf",
            f"""server:
  interface: {self.address}@{DOT_PORT}
  tls-port: {DOT_PORT}
  tls-service-key: "{self.path("dot.key")}"
  tls-service-pem: "{self.path("dot.pem")}"
  do-ip6: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  log-queries: yes
  log-time-ascii: yes
  do-not-query-localhost: no
  trust-anchor-signaling: no
  ede: yes
  num-threads: 1
{anchors}remote-control:
  control-enable: no
{stubs}""",
        )
        self.unbound = self.keep(Process([program("unbound"), "-d", "-c", config], self.path(f"{name}.log")))

        def listens():
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.connect((self.address, DOT_PORT))
                return True
            return False

        within(10, listens, "Unbound serves\n" + self.unbound.log())
        return self.unbound

    def queries_seen(self):
        """What Unbound was asked, as lines of its log."""
        return [line for line in self.unbound.log().splitlines() if " info: " in line]

    def relay(self):
        relay = Relay((self.address, RELAY_PORT), (self.address, DOT_PORT))
        self._cleanup.callback(relay.close)
        return relay

    # --- dotward ---

    def config(self, extra="", port=PORT, dot_port=DOT_PORT, auth_name=AUTH_NAME, listen=None):
        self._count += 1
        if not re.search(r"^admin:", extra, re.M):
            extra += "" if not extra or extra.endswith("\n") else "\n"
            extra += f"admin:\n  socket: {self.path(f'control-{self._count}.sock')}\n"
        if not re.search(r"^dnssec:", extra, re.M):
            extra += "dnssec: { validation: off }\n"  # the lab's zones hang from no root that is built in
        return self.write(
            f"dotward-{self._count}.yaml",
            f"""listen: ["{listen or f'{self.address}:{port}'}"]
workers: 2
upstreams:
  - name: lab
    addresses: [{self.address}]
    port: {dot_port}
    auth_name: {auth_name}
    ca_file: {self.path("ca.pem")}
forward:
  - zone: "."
    upstreams: [lab]
{extra}""",
        )

    def start(self, config=None, port=PORT, arguments=()):
        """The binary with this configuration, without waiting for it."""
        config = config or self.config(port=port)
        self._count += 1
        log = self.path(f"dotward-{self._count}.log")
        return self.keep(Dotward([BINARY, "run", "--config", config, *arguments], log, self.address, port))

    def serve(self, config=None, **options):
        return self.start(config, **options).await_serving()

    def keep(self, process):
        """Stops it with the lab."""
        self._cleanup.callback(process.stop)
        return process


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise AssertionError(f"{name} is not installed; ./dev test installs what the tests need")
    return path


class LabTestCase(unittest.TestCase):
    """One lab and one dotward for all the tests of a class."""

    extra = ""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.server = cls.lab.serve(cls.lab.config(cls.extra))

    def setUp(self):
        self.assertTrue(self.server.running(), "dotward ended before this test\n" + self.server.log())

    def dig(self, *arguments, **options):
        return self.server.dig(*arguments, **options)


def main():
    if not os.access(BINARY, os.X_OK):
        raise SystemExit(f"no binary at {BINARY}: build it, or set DOTWARD_BINARY")
    unittest.main(verbosity=2)
