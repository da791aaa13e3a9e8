"""The zones of the DNSSEC lab: from the root down, signed when the lab is made, and then spoiled where a zone is to be
wrong. BIND's tools make keys and signatures; DS records are made here, so that they can be of any kind."""

import base64
import concurrent.futures
import dataclasses
import hashlib
import pathlib
import struct
import time
from typing import Callable, Optional

import lab

DAY = 86400

# What most zones hold, so that the same questions can be asked of each.
CONTENT = """www 300 A 192.0.2.1
www 300 AAAA 2001:db8::1
*.wild 300 A 192.0.2.2
blocked.wild 300 TXT "here, so no wildcard below"
leaf.ent 300 A 192.0.2.3
"""

# Aliases over zone cuts.
ALIASES = """alias 300 CNAME www
to-secure 300 CNAME www.nsec3.lab.
to-insecure 300 CNAME www.unsigned.lab.
to-bogus 300 CNAME www.altered.lab.
to-nothing 300 CNAME missing.nsec3.lab.
to-nodata 300 CNAME leaf.ent.nsec3.lab.
*.aliases 300 CNAME www.nsec3.lab.
d-secure 300 DNAME nsec3.lab.
d-insecure 300 DNAME unsigned.lab.
d-bogus 300 DNAME altered.lab.
"""

DIGESTS = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}


def wire_name(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.lower().encode() for label in labels) + b"\0"


@dataclasses.dataclass(frozen=True)
class Key:
    """A DNSKEY, and where dnssec-keygen put it."""

    zone: str
    flags: int
    algorithm: int
    public: str  # base64
    path: pathlib.Path

    @staticmethod
    def make(folder, zone, algorithm):
        size = ["-b", "1024"] if "RSA" in algorithm else []
        printed = lab.run(lab.program("dnssec-keygen"), "-q", "-K", str(folder), "-a", algorithm, *size, "-f", "KSK",
                          zone)
        path = folder / (printed.split()[-1] + ".key")
        line = next(line for line in path.read_text().splitlines() if not line.startswith(";"))
        fields = line.split()
        flags, _, number = (int(field) for field in fields[3:6])
        return Key(zone, flags, number, "".join(fields[6:]), path)

    def rdata(self):
        return struct.pack("!HBB", self.flags, 3, self.algorithm) + base64.b64decode(self.public)

    def text(self):
        return f"{self.flags} 3 {self.algorithm} {self.public}"

    def tag(self):
        """RFC 4034, appendix B."""
        octets = self.rdata()
        total = sum(octet << 8 if index % 2 == 0 else octet for index, octet in enumerate(octets))
        return (total + (total >> 16)) & 0xFFFF

    def ds(self, digest=2):
        make = DIGESTS.get(digest, hashlib.sha256)
        return f"{self.tag()} {self.algorithm} {digest} {make(wire_name(self.zone) + self.rdata()).hexdigest()}"


def colliding(key, count, before=False):
    """Keys that sign nothing, have the tag of this RSA key, and cost as much to try (CVE-2023-50387). In canonical
    order, in which many validators try them, they stand behind it; or before it."""
    public = base64.b64decode(key.public)
    head = public[:4]  # an exponent of three octets (RFC 3110), so the modulus begins at an even offset of the RDATA
    found = []
    for number in range(count):
        modulus = bytearray(hashlib.shake_256(f"{key.zone} {number}".encode()).digest(len(public) - len(head)))
        # The product of two primes that begin with two bits set is none of these.
        modulus[:4] = b"\x80\x00\x00\x00" if before else b"\xff\xff\xff\xff"
        modulus[-1] |= 1
        while True:
            other = dataclasses.replace(key, public=base64.b64encode(head + modulus).decode())
            if other.tag() == key.tag():
                break
            # The tag is a sum of words, but for the carry: the first try or the second is right.
            (word,) = struct.unpack_from("!H", modulus, 64)
            struct.pack_into("!H", modulus, 64, (word + key.tag() - other.tag()) & 0xFFFF)
        found.append(other)
    return found


def sha256_of_each(keys):
    return [key.ds() for key in keys]


@dataclasses.dataclass(frozen=True)
class Zone:
    """A zone, and what is wrong with it."""

    records: str = CONTENT
    # One key for each; the first signs. An unsigned zone has none.
    algorithms: tuple = ("ECDSAP256SHA256",)
    signing: int = 1  # how many of the keys sign
    nsec3: Optional[int] = None  # iterations
    opt_out: bool = False
    starts: int = -DAY  # seconds from now
    ends: int = 14 * DAY
    # The DS records at the parent.
    ds: Callable = sha256_of_each
    # Further DNSKEY records, which sign nothing.
    strangers: Callable = lambda keys: []
    # What the world sees of a key that signed, in the zone and by its DS.
    published: Callable = lambda key: key
    # Turns the signed zone's records into those that are served.
    spoil: Callable = lambda zone, records: records
    signer: str = "dnssec-signzone"
    # Names whose signatures have other dates: (name, starts, ends).
    redated: Optional[tuple] = None


@dataclasses.dataclass
class Record:
    """A line of a signed zone."""

    owner: str
    ttl: int
    type: str
    data: str

    @staticmethod
    def parse(line):
        owner, ttl, _, rr_type, data = line.split(None, 4)
        return Record(owner, int(ttl), rr_type, data)

    def line(self):
        return f"{self.owner} {self.ttl} IN {self.type} {self.data}"

    def covers(self, rr_type):
        """Whether this is the signature of such a record."""
        return self.type == "RRSIG" and self.data.split()[0] == rr_type

    def of(self, *types):
        return self.type in types or any(self.covers(rr_type) for rr_type in types)


def without(*types, owner=None):
    """Spoils a zone: no record of these types, nor a signature of one (at this name)."""
    def spoil(zone, records):
        return [record for record in records
                if not (record.of(*types) and (owner is None or record.owner == f"{owner}.{zone}."))]
    return spoil


def without_signatures(owner=None, of=None):
    def spoil(zone, records):
        return [record for record in records
                if not (record.type == "RRSIG" and (of is None or record.covers(of))
                        and (owner is None or record.owner == f"{owner}.{zone}."))]
    return spoil


def replaced(old, new, rr_type):
    """Spoils a zone: the data of records of this type is other data."""
    def spoil(zone, records):
        hit = [record for record in records if record.type == rr_type and old in record.data]
        if not hit:
            raise AssertionError(f"{zone} has no {rr_type} with {old}")
        for record in hit:
            record.data = record.data.replace(old, new)
        return records
    return spoil


def with_ttl(ttl, owner):
    """As if the records of a name might be kept that long, which their signatures do not say."""
    def spoil(zone, records):
        for record in records:
            if record.owner == f"{owner}.{zone}.":
                record.ttl = ttl
        return records
    return spoil


def with_algorithm(number):
    """As if the zone were signed with an algorithm of this number."""
    def spoil(_, records):
        for record in records:
            if record.type == "RRSIG":
                covered, _, rest = record.data.split(None, 2)
                record.data = f"{covered} {number} {rest}"
        return records
    return spoil


def with_false_signatures(count, owner, also_true):
    """As many signatures over the records of a name that do not fit, before the one that does or in its place."""
    def spoil(zone, records):
        result = []
        for record in records:
            if record.type == "RRSIG" and not record.covers("NSEC") and record.owner == f"{owner}.{zone}.":
                fields = record.data.split()
                signature = bytearray(base64.b64decode("".join(fields[8:])))
                for number in range(count):
                    signature[len(signature) // 2] ^= number + 1
                    false = base64.b64encode(signature).decode()
                    result.append(dataclasses.replace(record, data=" ".join(fields[:8] + [false])))
                    signature[len(signature) // 2] ^= number + 1
                if not also_true:
                    continue
            result.append(record)
        return result
    return spoil


def compacted(zone, records):
    """RFC 9824: a denial is an NSEC of the very name that was asked for, up to the name that follows it at once. The
    signer made it for helpers that now leave: the names that follow, and the records that stand for NXNAME."""
    for owner in ("missing", "nodata"):
        if not any(record.type == "NSEC" and record.owner == f"{owner}.{zone}." and
                   record.data.startswith(f"\\000.{owner}.{zone}.") for record in records):
            raise AssertionError(f"{zone} has no compact denial of {owner}")
    return [record for record in records if not record.owner.startswith("\\000.") and not record.of("TYPE128")]


def chained(*spoils):
    def spoil(zone, records):
        for each in spoils:
            records = each(zone, records)
        return records
    return spoil


SIGNED = Zone()
UNSIGNED = Zone(algorithms=())

ZONES = {
    ".": Zone(records=""),
    # Nobody asks a name server at its address, so it may be any. `stripped-ds` has lost its DS records here, though the
    # NSEC tells of them.
    "lab": Zone(records="ns 300 A 127.0.0.1\n", spoil=without("DS", owner="stripped-ds")),

    # Algorithms.
    "alg8.lab": Zone(algorithms=("RSASHA256",)),
    "alg10.lab": Zone(algorithms=("RSASHA512",)),
    "alg13.lab": SIGNED,
    "alg14.lab": Zone(algorithms=("ECDSAP384SHA384",)),
    "alg15.lab": Zone(algorithms=("ED25519",)),
    "alg16.lab": Zone(algorithms=("ED448",)),
    "alg5.lab": Zone(algorithms=("RSASHA1",)),
    "alg7.lab": Zone(algorithms=("NSEC3RSASHA1",), nsec3=0),
    "alg200.lab": Zone(published=lambda key: dataclasses.replace(key, algorithm=200), spoil=with_algorithm(200)),

    # Digests.
    "sha384-ds.lab": Zone(ds=lambda keys: [keys[0].ds(4)]),
    "sha1-ds.lab": Zone(ds=lambda keys: [keys[0].ds(1)]),
    "unknown-ds.lab": Zone(ds=lambda keys: [keys[0].ds(200)]),
    # RFC 4509 §3: where there is SHA-256, SHA-1 does not count.
    "sha1-right-sha256-wrong.lab": Zone(ds=lambda keys: [
        keys[0].ds(1), keys[0].ds(2)[:-8] + ("00000000" if keys[0].ds(2)[-8:] != "00000000" else "11111111")]),
    "unknown-and-known-ds.lab": Zone(ds=lambda keys: [
        keys[0].ds(), dataclasses.replace(keys[0], algorithm=200).ds()]),

    # Denials.
    "nsec.lab": Zone(records=CONTENT + ALIASES),
    "nsec3.lab": Zone(records=CONTENT + ALIASES, nsec3=0),
    "optout.lab": Zone(records=CONTENT, nsec3=0, opt_out=True),
    "iterations50.lab": Zone(nsec3=50),
    "iterations51.lab": Zone(nsec3=51),
    "iterations151.lab": Zone(nsec3=151, signer="ldns-signzone"),  # BIND's refuses
    "compact.lab": Zone(
        records=CONTENT + "missing 300 TYPE128 \\# 1 00\n\\000.missing 300 TXT next\n"
                          "nodata 300 A 192.0.2.4\n\\000.nodata 300 TXT next\n",
        signer="ldns-signzone", spoil=compacted),
    "stripped-nsec.lab": Zone(spoil=without("NSEC")),
    "stripped-nsec3.lab": Zone(nsec3=0, spoil=without("NSEC3", "NSEC3PARAM")),
    # It denies a name that its own NSEC says is there.
    "lying.lab": Zone(spoil=without("A", "AAAA", owner="www")),

    # Cuts.
    "unsigned.lab": Zone(records=CONTENT + ALIASES, algorithms=()),
    "signed.unsigned.lab": SIGNED,
    "island.lab": Zone(ds=lambda _: []),
    "deep.cut.lab": SIGNED,
    "signed.nsec3.lab": SIGNED,
    "unsigned.nsec3.lab": UNSIGNED,
    "deep.cut.nsec3.lab": SIGNED,
    "deep.loose.nsec3.lab": UNSIGNED,
    "signed.optout.lab": SIGNED,
    "unsigned.optout.lab": UNSIGNED,
    "deep.loose.optout.lab": UNSIGNED,

    # Wrong in one way each.
    "altered.lab": Zone(records=CONTENT + "fine 300 A 192.0.2.5\n", spoil=replaced("192.0.2.1", "192.0.2.66", "A")),
    "expired.lab": Zone(starts=-30 * DAY, ends=-10 * DAY),
    "future.lab": Zone(starts=10 * DAY, ends=30 * DAY),
    "expired-name.lab": Zone(redated=("www", -30 * DAY, -10 * DAY)),
    "future-name.lab": Zone(redated=("www", 10 * DAY, 30 * DAY)),
    "signed.expired.lab": SIGNED,
    "unsigned.expired.lab": UNSIGNED,
    "no-rrsig.lab": Zone(spoil=without_signatures(owner="www")),
    "no-rrsigs.lab": Zone(spoil=without_signatures()),
    "no-dnskey.lab": Zone(spoil=without("DNSKEY")),
    "no-dnskey-rrsig.lab": Zone(spoil=without_signatures(of="DNSKEY")),
    "no-zone-bit.lab": Zone(published=lambda key: dataclasses.replace(key, flags=1)),
    "wrong-ds.lab": Zone(ds=lambda keys: [dataclasses.replace(keys[0], public=SOME_KEY).ds()]),
    "wrong-digest.lab": Zone(ds=lambda keys: [" ".join(keys[0].ds().split()[:3] + ["00" * 32])]),
    "stripped-ds.lab": SIGNED,
    "revoked.lab": Zone(published=lambda key: dataclasses.replace(key, flags=key.flags | 0x80)),
    "no-signatures-no-keys.lab": Zone(spoil=chained(without("DNSKEY", "NSEC"), without_signatures())),

    # Wildcards whose data are names, which answers write in short.
    "wild-mx.lab": Zone(records=CONTENT + "* 300 MX 10 mail\n* 300 PTR www\n*.names 300 MX 10 mail\n"),

    # Records that may not be kept for their TTL.
    "raised-ttl.lab": Zone(spoil=with_ttl(86400, "www")),
    "short-lived.lab": Zone(ends=240),

    # Half-way through a key rollover: two DS, two keys, one of which signs; and before the new key is published.
    "rollover.lab": Zone(algorithms=("ECDSAP256SHA256", "ECDSAP256SHA256")),
    "algorithm-rollover.lab": Zone(algorithms=("ECDSAP256SHA256", "RSASHA256")),
    "standby-ds.lab": Zone(ds=lambda keys: [keys[0].ds(), dataclasses.replace(keys[0], public=SOME_KEY).ds()]),

    # One of two signatures is right; two keys have one tag; and far too many of both.
    "two-signatures.lab": Zone(spoil=with_false_signatures(1, "www", also_true=True)),
    "collision.lab": Zone(algorithms=("RSASHA256",), strangers=lambda keys: colliding(keys[0], 1)),
    "collision-before.lab": Zone(algorithms=("RSASHA256",), strangers=lambda keys: colliding(keys[0], 1, before=True)),
    "collisions.lab": Zone(algorithms=("RSASHA256",), strangers=lambda keys: colliding(keys[0], 9),
                           spoil=with_false_signatures(8, "www", also_true=False)),
    "keytrap.lab": Zone(algorithms=("RSASHA256",), strangers=lambda keys: colliding(keys[0], 20),
                        spoil=with_false_signatures(20, "www", also_true=False)),
}

SOME_KEY = base64.b64encode(bytes(range(64))).decode()


def file_name(zone):
    return (zone.rstrip(".") or "root") + ".zone"


def parent_of(zone, zones):
    """The one of the zones that is above, or None for the root."""
    above = zone
    while above != ".":
        above = above.partition(".")[2] or "."
        if above in zones:
            return above
    return None


class Maker:
    """Makes the zone files in a folder."""

    def __init__(self, folder, zones, shift=0):
        """All dates are `shift` seconds later than they should be."""
        self._folder = folder
        self._zones = zones
        self._keys = {}
        self._now = int(time.time()) + shift

    def make(self):
        """Writes every zone, and returns the DS records of the root's key."""
        # The work is done by child processes: two at a time, as on the smallest machine.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, keys in zip(self._zones, pool.map(self._make_keys, self._zones)):
                self._keys[name] = keys
            for _ in pool.map(self._make_zone, self._zones):
                pass
        return [f". 3600 IN DS {text}" for text in self._ds(".")]

    def dnskey(self, name):
        """The record of the key that signs a zone."""
        return f"{name}. 3600 IN DNSKEY {self._keys[name][0].text()}"

    def _make_keys(self, name):
        return [Key.make(self._folder, name, algorithm) for algorithm in self._zones[name].algorithms]

    def _published(self, name):
        return [self._zones[name].published(key) for key in self._keys[name]]

    def _ds(self, name):
        return self._zones[name].ds(self._published(name)) if self._keys[name] else []

    def _text(self, name):
        """The zone before it is signed."""
        origin = name if name == "." else name + "."
        lines = [f"$ORIGIN {origin}", "@ 3600 IN SOA ns.lab. hostmaster.lab. 1 3600 900 86400 60",
                 "@ 3600 IN NS ns.lab."]
        for child in self._zones:
            if parent_of(child, self._zones) == name:
                lines.append(f"{child}. 3600 IN NS ns.lab.")
                lines += [f"{child}. 3600 IN DS {text}" for text in self._ds(child)]
        keys = self._keys[name]
        lines += [f"{origin} 3600 IN DNSKEY {key.text()}" for key in keys + self._zones[name].strangers(keys)]
        return "\n".join(lines) + "\n" + self._zones[name].records

    def _date(self, seconds):
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(self._now + seconds))

    def _sign(self, name, starts, ends):
        """The records of the zone, signed from and until then, in seconds from now."""
        zone = self._zones[name]
        path, output = (str(self._folder / f"{file_name(name)}.{kind}") for kind in ("unsigned", "signed"))
        pathlib.Path(path).write_text(self._text(name))
        keys = [str(key.path.with_suffix("")) for key in self._keys[name][:zone.signing]]
        starts, ends = self._date(starts), self._date(ends)
        if zone.signer == "ldns-signzone":
            options = [] if zone.nsec3 is None else ["-n", "-t", str(zone.nsec3)]
            lab.run(lab.program(zone.signer), *options, "-i", starts, "-e", ends, "-o", name, "-f", output, path, *keys)
        else:
            # -z: with every key, whatever its flags; -P: what comes out may well be wrong.
            options = ["-z", "-P", "-q", "-n", "1", "-O", "full", "-d", str(self._folder), "-K", str(self._folder)]
            if zone.nsec3 is not None:
                options += ["-3", "-", "-H", str(zone.nsec3)] + (["-A"] if zone.opt_out else [])
            lab.run(lab.program(zone.signer), *options, "-s", starts, "-e", ends, "-o", name, "-f", output, path, *keys)
        lines = pathlib.Path(output).read_text().splitlines()
        return [Record.parse(line) for line in lines if line and line[0] != ";"]

    def _make_zone(self, name):
        zone = self._zones[name]
        path = self._folder / file_name(name)
        if not zone.algorithms:
            path.write_text(self._text(name))
            return
        records = self._sign(name, zone.starts, zone.ends)
        if zone.redated:
            owner, starts, ends = zone.redated
            owner = f"{owner}.{name}."
            other = [record for record in self._sign(name, starts, ends)
                     if record.type == "RRSIG" and record.owner == owner]
            records = [record for record in records if not (record.type == "RRSIG" and record.owner == owner)] + other
        for key, published in zip(self._keys[name], self._published(name)):
            for record in records:
                # The signer may have written the key's octets in groups, and a comment behind them.
                if record.type == "DNSKEY" and "".join(record.data.partition(";")[0].split()[3:]) == key.public:
                    record.data = published.text()
        path.write_text("".join(record.line() + "\n" for record in zone.spoil(name, records)))
