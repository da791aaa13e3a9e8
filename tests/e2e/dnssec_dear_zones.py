"""Zones for the time that validation takes: of honest people, and the worst of those who mean harm. Their names have
first labels of twelve hexadecimal digits, as the load of the benchmark asks for."""

import base64
import dataclasses
import hashlib
import pathlib
import struct

from dnssec_zones import Key, Zone

RSA_SHA256, ECDSA_P384 = 8, 14
# The base point of the curve: a valid key, which nobody needs to have the other half of.
P384_POINT = bytes.fromhex(
    "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f")
# Of those that are not refused (RFC 3110 allows what nobody uses), and a check with it takes longest.
DEAR_EXPONENT = b"\xff" * 4

CHEAP_EXPONENT = b"\x03"


def label(number):
    return f"{number:012x}"


def numbered(count, ttl=300):
    return "".join(f"{label(number)} {ttl} A 192.0.2.1\n" for number in range(count))


def between(count):
    """Names between which each of the first labels is alone: it does not exist, and no other's denial says so."""
    return "".join(f"{label(number)}z 300 A 192.0.2.1\n" for number in range(count))


def false_keys(zone, bits, exponent, count):
    """RSA keys with one tag, of which nobody knows the other half."""
    head = bytes([len(exponent)]) + exponent
    made = []
    for number in range(count):
        modulus = bytearray(hashlib.shake_256(f"{zone} {number}".encode()).digest(bits // 8))
        modulus[0] |= 0x80
        modulus[-1] |= 1
        while True:
            key = Key(zone, 256, RSA_SHA256, base64.b64encode(head + modulus).decode(), pathlib.Path())
            if not made or key.tag() == made[0].tag():
                break
            # The tag is a sum of words, but for the carry: the first try or the second is right.
            at = 64 + len(head) % 2
            (word,) = struct.unpack_from("!H", modulus, at)
            struct.pack_into("!H", modulus, at, (word + made[0].tag() - key.tag()) & 0xFFFF)
        made.append(key)
    return made


def p384_key(zone, flags=256):
    return Key(zone, flags, ECDSA_P384, base64.b64encode(P384_POINT).decode(), pathlib.Path())


def false_signature(key, number):
    """Octets that could be a signature, and have to be checked to see that they are none."""
    public = base64.b64decode(key.public)
    octets = len(public) if key.algorithm == ECDSA_P384 else len(public) - 1 - public[0]
    signature = bytearray(hashlib.shake_256(str(number).encode()).digest(octets))
    signature[0] &= 0x3F
    signature[octets // 2] &= 0x3F
    return base64.b64encode(signature).decode()


def dear(make_keys, signatures, name=label(0), addresses=1):
    """A zone with one name, or a wildcard, with so many addresses, over which there are so many false signatures by
    these keys."""
    def spoil(zone, records):
        key = make_keys(zone)[0]
        result = []
        for record in records:
            if not (record.covers("A") and record.owner == f"{name}.{zone}."):
                result.append(record)
                continue
            fields = record.data.split()
            fields[1], fields[6] = str(key.algorithm), str(key.tag())
            for number in range(signatures):
                data = " ".join(fields[:8] + [false_signature(key, number)])
                result.append(dataclasses.replace(record, data=data))
        return result
    # BIND's signer takes no such keys.
    records = "".join(f"{name} 300 A 10.0.{number >> 8}.{number & 255}\n" for number in range(addresses))
    return Zone(records=records, strangers=lambda keys: make_keys(keys[0].zone), spoil=spoil,
                signer="ldns-signzone")


def child(number, zone):
    return f"{label(number)}.{zone}"


def dear_delegations(count):
    lines = []
    for number in range(count):
        key = p384_key(child(number, "many.lab"), flags=257)
        lines += [f"{label(number)} 3600 IN NS ns.lab.", f"{label(number)} 3600 IN DS {key.ds()}"]
    return "".join(line + "\n" for line in lines)


def dear_child(zone):
    """The text of a zone whose DNSKEY set takes long to find false."""
    key = p384_key(zone, flags=257)
    lines = [f"{zone}. 3600 IN SOA ns.lab. hostmaster.lab. 1 3600 900 86400 60", f"{zone}. 3600 IN NS ns.lab.",
             f"{zone}. 3600 IN DNSKEY {key.text()}", f"{zone}. 300 IN A 192.0.2.3"]
    labels = zone.count(".") + 1
    lines += [f"{zone}. 3600 IN RRSIG DNSKEY {key.algorithm} {labels} 3600 20361231000000 20250101000000 {key.tag()} "
              f"{zone}. {false_signature(key, number)}" for number in range(8)]
    return "".join(line + "\n" for line in lines)


def unsigned_delegations(count):
    return "".join(f"{label(number)} 3600 IN NS ns.lab.\n" for number in range(count))


# How many names there are, of the zones that have many.
INNOCENT, DENIED, FRESH, HOT, FLOOD, MANY = 30_000, 5_000, 4_000, 10_000, 20_000, 1_000
DEEP = ".".join("abcdefghijklmnopqrstuvwxyz" * 4)[:160].strip(".")

ZONES = {
    ".": Zone(records=""),
    "lab": Zone(records="ns 300 A 127.0.0.1\n"),
    # Honest.
    "innocent.lab": Zone(records=numbered(INNOCENT, ttl=1)),
    "denied.lab": Zone(records=between(DENIED)),
    "fresh.lab": Zone(records=unsigned_delegations(FRESH)),
    "hot.lab": Zone(records=numbered(HOT, ttl=3600)),
    "old.lab": Zone(records=numbered(HOT, ttl=3600), algorithms=()),
    # Not.
    "p384.lab": dear(lambda zone: [p384_key(zone)], 8),
    "rsa.lab": dear(lambda zone: false_keys(zone, 4080, DEAR_EXPONENT, 4), 4),
    "cheaper.lab": dear(lambda zone: false_keys(zone, 2336, DEAR_EXPONENT, 1), 6),
    "loop.lab": dear(lambda zone: false_keys(zone, 2336, DEAR_EXPONENT, 1), 4),
    "records.lab": dear(lambda zone: false_keys(zone, 1024, CHEAP_EXPONENT, 1), 7, addresses=80),
    "sorting.lab": dear(lambda zone: false_keys(zone, 1024, CHEAP_EXPONENT, 1), 8, addresses=2000),
    "hashes.lab": Zone(records="www 300 A 192.0.2.2\n", nsec3=50, opt_out=True),
    "flood.lab": Zone(records=between(FLOOD)),
    "many.lab": Zone(records=dear_delegations(MANY)),
    "silent.lab": Zone(),
    "evict.lab": Zone(records=between(FLOOD)),
}
