"""The DNSSEC lab: the zones of dnssec_zones.py, served by NSD; a resolver (Unbound) that hands them out with their
signatures and judges nothing; and the validators of other makers, which forward to it as dotward does."""

import concurrent.futures
import dataclasses
import socket
import struct

import dnssec_zones
import lab
import peers

LIE = "192.0.2.66"
PLAIN_PORT = 5302  # the resolver's, for those that do not forward over TLS

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DNAME": 39,
         "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "NSEC3PARAM": 51, "CDS": 59, "HTTPS": 65}
NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
RD, AD, CD, TC = 0x0100, 0x0020, 0x0010, 0x0200


@dataclasses.dataclass
class Reply:
    """What a resolver said."""

    rcode: str
    flags: int
    answer: list  # (type, RDATA), as are the others
    authority: list
    additional: list
    ede: list  # (code, text)

    @property
    def ad(self):
        return bool(self.flags & AD)

    def verdict(self):
        """RCODE and AD."""
        return self.rcode, self.ad

    def types(self, section="answer"):
        return [NAMES.get(rr_type, rr_type) for rr_type, _ in getattr(self, section)]

    def addresses(self):
        return sorted(socket.inet_ntoa(data) for rr_type, data in self.answer if rr_type == TYPES["A"])

    def data(self):
        """Of the answer, without signatures."""
        return sorted(record for record in self.answer if record[0] != TYPES["RRSIG"])

    def codes(self):
        return sorted({code for code, _ in self.ede})

    def __str__(self):
        errors = "".join(f", EDE {code}{f' ({text})' if text else ''}" for code, text in self.ede)
        return f"{self.rcode}{' AD' if self.ad else ''} {' '.join(map(str, self.types()))}{errors}"


# Octets before the names in RDATA that may be compressed (RFC 3597 §4), and how many names, by type.
NAMES_IN = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 39: (0, 1)}


def _name(message, offset):
    """A name in full, in lower case."""
    name = b""
    while message[offset]:
        if message[offset] >= 0xC0:
            offset = struct.unpack_from("!H", message, offset)[0] & 0x3FFF
            continue
        name += message[offset:offset + 1 + message[offset]].lower()
        offset += 1 + message[offset]
    return name + b"\0"


def _rdata(message, rr_type, start, end):
    """What it means, however its names were written."""
    fixed, names = NAMES_IN.get(rr_type, (0, 0))
    at, data = start + fixed, message[start:start + fixed]
    for _ in range(names):
        data += _name(message, at)
        at = _skip_name(message, at)
    return data + message[at:end]


def _skip_name(message, offset):
    while message[offset]:
        if message[offset] >= 0xC0:
            return offset + 2
        offset += 1 + message[offset]
    return offset + 1


def _extended_errors(options):
    errors = []
    while options:
        code, length = struct.unpack_from("!HH", options)
        if code == 15:
            errors.append((struct.unpack_from("!H", options, 4)[0], options[6:4 + length].decode(errors="replace")))
        options = options[4 + length:]
    return errors


def parse(message):
    _, flags, questions, *counts = struct.unpack_from("!6H", message)
    offset = 12
    for _ in range(questions):
        offset = _skip_name(message, offset) + 4
    sections, errors = [], []
    for count in counts:
        records = []
        for _ in range(count):
            offset = _skip_name(message, offset)
            rr_type, _, _, length = struct.unpack_from("!HHIH", message, offset)
            end = offset + 10 + length
            if rr_type == 41:
                errors = _extended_errors(message[offset + 10:end])
            else:
                records.append((rr_type, _rdata(message, rr_type, offset + 10, end)))
            offset = end
        sections.append(records)
    return Reply(RCODES.get(flags & 15, str(flags & 15)), flags, *sections, errors)


def query(name, rr_type, flags=RD, dnssec_ok=True, edns=True, query_id=None):
    return lab.query(name, TYPES[rr_type], flags=flags, edns=1232 if edns else None,
                     edns_flags=0x8000 if dnssec_ok else 0, query_id=query_id)


def ask(address, port, name, rr_type, flags=RD, dnssec_ok=True, edns=True):
    """One question, over TCP where the answer does not fit a datagram."""
    message = query(name, rr_type, flags=flags, dnssec_ok=dnssec_ok, edns=edns)
    reply = lab.ask(address, port, message, 15)
    if reply is None:
        raise AssertionError(f"no reply to {name} {rr_type} from {address}:{port}")
    if struct.unpack_from("!H", reply, 2)[0] & TC:
        (reply,) = lab.ask_tcp(address, port, [message])
    return parse(reply)


class ZoneLab(lab.Lab):
    """Zones, NSD and the resolver that does not validate; it serves DNS-over-TLS, and plain DNS beside it."""

    zones = dnssec_zones.ZONES

    def __init__(self, shift=0):
        """As dnssec_zones.Maker has it."""
        self._shift = shift
        super().__init__()

    def _make_zones(self):
        maker = dnssec_zones.Maker(self.folder, self.zones, self._shift)
        anchors = maker.make()
        self.anchor = anchors[0]
        self.dnskey = maker.dnskey
        self.anchors = self.write("anchors", "".join(line + "\n" for line in anchors))

    def resolver_config(self, name, port, plain_port, extra=""):
        return self.write(f"{name}.conf", f"""server:
  interface: {self.address}@{port}
  interface: {self.address}@{plain_port}
  tls-port: {port}
  tls-service-key: "{self.path("dot.key")}"
  tls-service-pem: "{self.path("dot.pem")}"
  do-ip6: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  log-queries: yes
  module-config: "iterator"
  qname-minimisation: no
  rrset-roundrobin: no
  do-not-query-localhost: no
  num-threads: 1
{extra}remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {self.address}@{lab.NSD_PORT}
""")

    def start_unbound(self, name="unbound"):
        config = self.resolver_config(name, lab.DOT_PORT, PLAIN_PORT)
        self.unbound = self.keep(lab.Process([lab.program("unbound"), "-d", "-c", config], self.path(f"{name}.log")))
        lab.within(10, lambda: lab.ask(self.address, PLAIN_PORT, lab.query(".", 6), 0.2),
                   "Unbound serves\n" + self.unbound.log())
        return self.unbound

    def start_liar(self, addresses=(), nothing=()):
        """A resolver that gives an unsigned address of its own for names at and below some, and denies that others
        exist; the port of its DNS-over-TLS."""
        port, plain_port = peers.free_port(self.address), peers.free_port(self.address)
        lies = "".join(f'  local-zone: "{name}." redirect\n  local-data: "{name}. 300 A {LIE}"\n' for name in addresses)
        lies += "".join(f'  local-zone: "{name}." always_nxdomain\n' for name in nothing)
        config = self.resolver_config(f"liar-{port}", port, plain_port, lies)
        liar = self.keep(lab.Process([lab.program("unbound"), "-d", "-c", config], self.path(f"liar-{port}.log")))
        lab.within(10, lambda: lab.ask(self.address, plain_port, lab.query(".", 6), 0.2),
                   "the liar serves\n" + liar.log())
        return port

    def serve_validating(self, extra="", anchors=None, upstreams=(lab.DOT_PORT,), waiting_per_client=20_000):
        """dotward with DNSSEC validation, and a cache of its own; `extra` are further lines of `dnssec`."""
        port = peers.free_port(self.address)
        described = "".join(f"""  - name: upstream-{upstream}
    addresses: [{self.address}]
    port: {upstream}
    auth_name: {lab.AUTH_NAME}
    ca_file: {self.path("ca.pem")}
""" for upstream in upstreams)
        names = ", ".join(f"upstream-{upstream}" for upstream in upstreams)
        config = self.write(f"dotward-{port}.yaml", f"""listen: ["{self.address}:{port}"]
workers: 2
upstreams:
{described}forward:
  - zone: "."
    upstreams: [{names}]
admin:
  socket: {self.path(f"control-{port}.sock")}
limits:
  waiting_per_client: {waiting_per_client}
dnssec:
  validation: on
  trust_anchors: {anchors or self.anchors}
{extra}""")
        return self.serve(config, port=port)

    def questions_seen(self):
        """What the resolver was asked, as "NAME TYPE"."""
        return [" ".join(line.split()[-3:-1]).lower() for line in self.queries_seen() if line.endswith(" IN")]

    def ask_resolver(self, name, rr_type, **options):
        return ask(self.address, PLAIN_PORT, name, rr_type, **options)

    def bind_anchors(self):
        """The root's anchor as BIND's configuration has it."""
        tag, algorithm, digest_type, digest = self.anchor.split()[4:]
        return f'trust-anchors {{ . static-ds {tag} {algorithm} {digest_type} "{digest}"; }};\n'


class Delv:
    """BIND's tool that validates what a resolver gives it."""

    def __init__(self, place, address, port):
        anchors = place.write("delv.anchors", place.bind_anchors())
        self._command = [lab.program("delv"), f"@{address}", "-p", str(port), "-a", anchors, "+root=."]

    def objection(self, case):
        """None where it says the same of a secure or a bogus answer, else what it says."""
        printed = lab.run(*self._command, case.name, case.type)
        failed = "resolution failed" in printed and "failed: ncache" not in printed
        unsigned = "; unsigned answer" in printed or "; negative response, unsigned" in printed
        accepted = "fully validated" in printed and not failed and not unsigned
        well = failed if case.verdict == "bogus" else accepted
        return None if well else f"{case} is {case.verdict}\n{printed}"

    def objections(self, cases):
        """To these cases, two at a time."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return [objection for objection in pool.map(self.objection, cases) if objection]


class Validator(peers.Peer):
    """A resolver of another maker, which validates what another resolver gives it: the lab's unless told."""

    def __init__(self, place, upstream=None):
        self.upstream = upstream or (place.address, PLAIN_PORT)
        super().__init__(place)

    def ask(self, name, rr_type, **options):
        return ask(self.address, self.port, name, rr_type, **options)


class Unbound(Validator):
    name = "unbound"

    def command(self):
        place = self.lab
        config = self.write("unbound.conf", f"""server:
  interface: {self.address}@{self.port}
  do-ip6: no
  username: ""
  chroot: ""
  directory: "{self.folder}"
  pidfile: ""
  use-syslog: no
  module-config: "validator iterator"
  trust-anchor-file: "{place.anchors}"
  trust-anchor-signaling: no
  do-not-query-localhost: no
  ede: yes
  val-log-level: 2
  num-threads: 1
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: {self.upstream[0]}@{self.upstream[1]}
""")
        return [lab.program("unbound"), "-d", "-c", config]


class KnotResolver(Validator):
    name = "kresd"

    def command(self):
        place = self.lab
        config = self.write("kresd.conf", f"""log_level('notice')
net.listen('{self.address}', {self.port}, {{ kind = 'dns' }})
cache.open(64 * MB, 'lmdb://{self.folder}')
trust_anchors.remove('.')
trust_anchors.add('{place.anchor}')
for _, module in ipairs({{ 'ta_update', 'ta_signal_query', 'priming', 'detect_time_skew', 'detect_time_jump' }}) do
  modules.unload(module)
end
policy.add(policy.all(policy.FORWARD('{self.upstream[0]}@{self.upstream[1]}')))
""")
        return [lab.program("kresd"), "-n", "-c", config, str(self.folder)]


class Named(Validator):
    name = "named"

    def endpoint(self):
        # It listens on addresses that an interface has, and on no others of 127.0.0.0/8.
        return "127.0.0.1", peers.free_port("127.0.0.1")

    def command(self):
        place = self.lab
        config = self.write("named.conf", f"""options {{
  directory "{self.folder}";
  pid-file none;
  session-keyfile none;
  lock-file none;
  listen-on port {self.port} {{ {self.address}; }};
  listen-on-v6 {{ none; }};
  allow-query {{ any; }};
  recursion yes;
  empty-zones-enable no;
  dnssec-validation yes;
  forward only;
  forwarders {{ {self.upstream[0]} port {self.upstream[1]}; }};
}};
controls {{ }};
{place.bind_anchors()}""")
        return [lab.program("named"), "-f", "-g", "-n", "1", "-c", config]


VALIDATORS = (Unbound, KnotResolver, Named)
