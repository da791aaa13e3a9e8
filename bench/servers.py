"""The servers that the benchmark measures: how each is started with one thread, a cache of the same size, the same
upstream.
Each is given what its manual says it needs for this load, and nothing that it does besides is counted against it: no
validation, no logs, no control channel."""

import dataclasses
import pathlib
import re
import shutil
import subprocess

AUTH_NAME = "dot.bench.example"
CACHE_MIB = 64
# Enough for every name that is asked for again.
CACHE_ENTRIES = 200_000


@dataclasses.dataclass(frozen=True)
class Upstream:
    """Answers over DNS-over-TLS as AUTH_NAME, and over plain UDP, at one address and port."""

    address: str
    port: int
    ca_file: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Launch:
    """What to start. `folder` is the process's own."""

    folder: pathlib.Path
    address: str
    port: int
    upstream: Upstream
    build: pathlib.Path
    cache_mib: int = CACHE_MIB
    cache_entries: int = CACHE_ENTRIES  # for those that count entries

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)


class Server:
    name = ""
    program = ""
    version_arguments = ("--version",)
    package = ""
    # The others fill their cache over plain UDP, and only that is measured: their misses are not the same work.
    forwards_over_tls = True
    # A cache for more than a million addresses; 0 where it has no room for so many, or has them in a file.
    mib_for_a_million = 1024

    def find(self, build):
        """The path of the program, or None."""
        del build
        return shutil.which(self.program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")

    def version(self, build):
        done = subprocess.run(
            [self.find(build), *self.version_arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10,
            check=False,
        )
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
        return found.group() if found else "?"

    def command(self, launch):
        raise NotImplementedError

    def after_round(self, folder):
        """Puts away what a round has left in the process's folder."""


class EchoFloor(Server):
    name = "echo floor"
    forwards_over_tls = False
    mib_for_a_million = 0

    def find(self, build):
        path = build / "bench" / "bench_echo_floor"
        return str(path) if path.exists() else None

    def version(self, build):
        del build
        return ""

    def command(self, launch):
        return [self.find(launch.build), f"{launch.address}:{launch.port}"]


class Dotward(Server):
    name = "dotward"
    mib_for_a_million = 256
    version_arguments = ("version",)
    # More of the configuration.
    admin = "admin: { socket: '' }\n"
    dnssec = "{ validation: off }"
    waiting_per_client = 20_000

    def find(self, build):
        path = build / "dotward"
        return str(path) if path.exists() else None

    def command(self, launch):
        file = launch.write(
            "dotward.yaml",
            f"""listen: ["{launch.address}:{launch.port}"]
workers: 1
upstreams:
  - name: bench
    addresses: [{launch.upstream.address}]
    port: {launch.upstream.port}
    auth_name: {AUTH_NAME}
    ca_file: {launch.upstream.ca_file}
cache:
  size: {launch.cache_mib}MiB
{self.cache_extra(launch)}limits:
  waiting_per_client: {self.waiting_per_client}
dnssec: {self.dnssec}
log:
  level: warning
{self.log_extra(launch)}{self.admin}""",
        )
        return [self.find(launch.build), "run", "--config", file]

    def cache_extra(self, launch):
        del launch
        return ""

    def log_extra(self, launch):
        del launch
        return ""


class DotwardWithQueryLog(Dotward):
    """The same with every query logged, to a file in the run's folder."""

    name = "dotward, query log"
    # With misses it is the same work beside much more.
    forwards_over_tls = False
    FILE = "queries.log"

    def version(self, build):
        del build
        return ""

    def log_extra(self, launch):
        return f"  queries: {{ enabled: true, file: \"{launch.folder / self.FILE}\" }}\n"

    def after_round(self, folder):
        # Hundreds of megabytes, which dotward appends to.
        path = folder / self.FILE
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(0)


class WatchedDotward(Dotward):
    """The same with its HTTP endpoint and its control socket, by which it is looked into while it serves."""

    def __init__(self, http, control):
        self.admin = f"admin:\n  http: {http}\n  socket: {control}\n"


class StockedDotward(Dotward):
    """The same with its control socket, and a snapshot of its cache, which is read at the start and written at the end
    and every `interval`."""

    def __init__(self, control, snapshot, interval="1d"):
        self.control, self.snapshot, self.interval = control, snapshot, interval
        self.admin = f"admin:\n  socket: {control}\n"

    def cache_extra(self, launch):
        del launch
        return f"  snapshot: {{ path: {self.snapshot}, interval: {self.interval} }}\n"


class ValidatingDotward(Dotward):
    """The same with its control socket, and with validation from these trust anchors, or without it."""

    def __init__(self, control, anchors, validation, waiting_per_client=Dotward.waiting_per_client):
        self.name = f"dotward, validation {validation}"
        self.admin = f"admin:\n  socket: {control}\n"
        self.dnssec = f"{{ validation: {validation}, trust_anchors: {anchors} }}"
        self.waiting_per_client = waiting_per_client


class Unbound(Server):
    name = "unbound"
    program = "unbound"
    version_arguments = ("-V",)
    package = "unbound"

    def command(self, launch):
        file = launch.write(
            "unbound.conf",
            f"""server:
  interface: {launch.address}@{launch.port}
  username: ""
  chroot: ""
  directory: "{launch.folder}"
  pidfile: "{launch.folder}/unbound.pid"
  use-syslog: no
  verbosity: 0
  module-config: "iterator"
  num-threads: 1
  so-reuseport: no
  so-rcvbuf: 4m
  so-sndbuf: 4m
  msg-cache-size: {launch.cache_mib // 3}m
  rrset-cache-size: {launch.cache_mib - launch.cache_mib // 3}m
  outgoing-range: 8192
  num-queries-per-thread: 4096
  outgoing-num-tcp: 100
  do-not-query-localhost: no
  tls-cert-bundle: "{launch.upstream.ca_file}"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: {launch.upstream.address}@{launch.upstream.port}#{AUTH_NAME}
""",
        )
        return [self.find(None), "-d", "-c", file]


class Dnsdist(Server):
    name = "dnsdist"
    program = "dnsdist"
    package = "dnsdist"

    def command(self, launch):
        upstream = launch.upstream
        file = launch.write(
            "dnsdist.lua",
            f"""setLocal("{launch.address}:{launch.port}")
setSecurityPollSuffix("")
setMaxTCPClientThreads(1)
setMaxTCPQueuedConnections(10000)
server = newServer({{address="{upstream.address}:{upstream.port}", tls="gnutls", subjectName="{AUTH_NAME}",
  caStore="{upstream.ca_file}", validateCertificates=true, maxInFlight=1000}})
server:setUp()
getPool(""):setCache(newPacketCache({launch.cache_entries}))
""",
        )
        return [self.find(None), "--supervised", "--disable-syslog", "-C", file]


class KnotResolver(Server):
    name = "kresd"
    mib_for_a_million = 0
    program = "kresd"
    package = "knot-resolver"

    def command(self, launch):
        upstream = launch.upstream
        file = launch.write(
            "kresd.conf",
            f"""log_level('crit')
net.listen('{launch.address}', {launch.port}, {{ kind = 'dns' }})
cache.open({launch.cache_mib} * MB, 'lmdb://{launch.folder}')
trust_anchors.remove('.')
for _, module in ipairs({{ 'ta_update', 'ta_signal_query', 'priming', 'detect_time_skew', 'detect_time_jump' }}) do
  modules.unload(module)
end
net.tcp_pipeline(10000)
policy.add(policy.all(policy.TLS_FORWARD({{
  {{ '{upstream.address}@{upstream.port}', hostname = '{AUTH_NAME}', ca_file = '{upstream.ca_file}' }} }})))
""",
        )
        return [self.find(None), "-n", "-c", file, str(launch.folder)]


class Named(Server):
    name = "named"
    program = "named"
    version_arguments = ("-v",)
    package = "bind9"
    forwards_over_tls = False

    def command(self, launch):
        file = launch.write(
            "named.conf",
            f"""options {{
  directory "{launch.folder}";
  pid-file none;
  session-keyfile none;
  listen-on port {launch.port} {{ {launch.address}; }};
  listen-on-v6 {{ none; }};
  allow-query {{ any; }};
  recursion yes;
  recursive-clients 20000;
  dnssec-validation no;
  qname-minimization off;
  empty-zones-enable no;
  minimal-responses yes;
  max-cache-size {launch.cache_mib}m;
  forward only;
  forwarders {{ {launch.upstream.address} port {launch.upstream.port}; }};
}};
controls {{ }};
logging {{ category default {{ null; }}; }};
""",
        )
        return [self.find(None), "-f", "-n", "1", "-c", file]


class Dnsmasq(Server):
    name = "dnsmasq"
    mib_for_a_million = 0
    program = "dnsmasq"
    package = "dnsmasq-base"
    forwards_over_tls = False

    def command(self, launch):
        return [
            self.find(None),
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file",
            "--user=root",
            f"--listen-address={launch.address}",
            f"--port={launch.port}",
            "--bind-interfaces",
            "--no-resolv",
            "--no-hosts",
            f"--server={launch.upstream.address}#{launch.upstream.port}",
            "--cache-size=20000",
            "--dns-forward-max=10000",
            "--log-facility=-",
        ]


FLOOR = EchoFloor()
DOTWARD = Dotward()
DOTWARD_WITH_QUERY_LOG = DotwardWithQueryLog()
PEERS = (Unbound(), Dnsdist(), KnotResolver(), Named(), Dnsmasq())
