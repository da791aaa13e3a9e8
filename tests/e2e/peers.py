"""Resolvers and proxies of other makers as DNS-over-TLS servers in a lab: what dotward meets in the world. Each serves
the lab's zone `plain.example`, out of NSD or by itself, with the lab's certificate."""

import contextlib
import pathlib
import socket

import lab

ZONE = "plain.example"


def free_port(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Peer:
    """One instance, which can be stopped and started again."""

    name = ""

    def __init__(self, place):
        self.lab = place
        self.address, self.port = self.endpoint()
        self.folder = pathlib.Path(place.path(f"{self.name}-{self.port}"))
        self.folder.mkdir()
        self.process = None
        self._command = self.command()
        place.keep(self)

    def endpoint(self):
        return self.lab.address, free_port(self.lab.address)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def command(self):
        raise NotImplementedError

    def log(self):
        return self.process.log()

    def listens(self):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.connect((self.address, self.port))
            return True
        return False

    def start(self):
        """Returns once it takes connections."""
        self.process = lab.Process(self._command, self.folder / "log")
        lab.within(10, self.listens, f"{self.name} serves\n{self.log()}")
        return self

    def stop(self):
        if self.process:
            self.process.stop()


class Unbound(Peer):
    name = "unbound"

    def command(self):
        place = self.lab
        config = self.write("unbound.conf", f"""server:
  interface: {self.address}@{self.port}
  tls-port: {self.port}
  tls-service-key: "{place.path("dot.key")}"
  tls-service-pem: "{place.path("dot.pem")}"
  do-ip6: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  local-zone: "wild.{ZONE}." redirect
  local-data: "wild.{ZONE}. 300 A 192.0.2.10"
  do-not-query-localhost: no
  num-threads: 1
  num-queries-per-thread: 4096
  outgoing-range: 8192
  so-rcvbuf: 1m
remote-control:
  control-enable: no
stub-zone:
  name: "."
  stub-addr: {place.address}@{lab.NSD_PORT}
""")
        return [lab.program("unbound"), "-d", "-c", config]


class KnotResolver(Peer):
    name = "kresd"

    def command(self):
        place = self.lab
        config = self.write("kresd.conf", f"""log_level('notice')
net.listen('{self.address}', {self.port}, {{ kind = 'tls' }})
net.tls('{place.path("dot.pem")}', '{place.path("dot.key")}')
cache.open(64 * MB, 'lmdb://{self.folder}')
trust_anchors.remove('.')
for _, module in ipairs({{ 'ta_update', 'ta_signal_query', 'priming', 'detect_time_skew', 'detect_time_jump' }}) do
  modules.unload(module)
end
policy.add(policy.all(policy.STUB('{place.address}@{lab.NSD_PORT}')))
""")
        return [lab.program("kresd"), "-n", "-c", config, str(self.folder)]


class Dnsdist(Peer):
    name = "dnsdist"

    def command(self):
        place = self.lab
        config = self.write("dnsdist.lua", f"""setLocal("{self.address}:{free_port(self.address)}")
addTLSLocal("{self.address}:{self.port}", "{place.path("dot.pem")}", "{place.path("dot.key")}",
  {{ provider = "openssl", maxInFlight = 1000 }})
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
setMaxTCPClientThreads(1)
nsd = newServer({{ address = "{place.address}:{lab.NSD_PORT}" }})
nsd:setUp()
""")
        return [lab.program("dnsdist"), "--supervised", "--disable-syslog", "-C", config]


class Named(Peer):
    name = "named"

    def endpoint(self):
        # It listens on addresses that an interface has, and on no others of 127.0.0.0/8.
        return "127.0.0.1", free_port("127.0.0.1")

    def command(self):
        place = self.lab
        root = self.write("root.zone", "@ 3600 SOA ns hostmaster 1 3600 900 86400 60\n@ 3600 NS ns\n"
                                       "ns 3600 A 192.0.2.53\n")
        config = self.write("named.conf", f"""tls lab {{
  cert-file "{place.path("dot.pem")}";
  key-file "{place.path("dot.key")}";
}};
options {{
  directory "{self.folder}";
  pid-file none;
  session-keyfile none;
  lock-file none;
  listen-on port {self.port} tls lab {{ {self.address}; }};
  listen-on-v6 {{ none; }};
  allow-query {{ any; }};
  recursion no;
  minimal-responses yes;
}};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{place.path(ZONE + ".zone")}"; }};
zone "." {{ type primary; file "{root}"; }};
""")
        return [lab.program("named"), "-f", "-g", "-n", "1", "-c", config]
