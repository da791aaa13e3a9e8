"""What is asked in the DNSSEC lab, what the answer has to be, and where a validator of another maker says otherwise."""

import dataclasses
from typing import Optional

SECURE, INSECURE, BOGUS = "secure", "insecure", "bogus"


@dataclasses.dataclass(frozen=True)
class Case:
    """A question and its verdict; a bogus answer has SERVFAIL in place of its RCODE."""

    name: str
    type: str
    verdict: str
    rcode: str = "NOERROR"
    ede: Optional[int] = None  # which of RFC 8914's codes tells why

    def __str__(self):
        return f"{self.name} {self.type}"

    def below(self, zone):
        return self.name == zone or self.name.endswith("." + zone)

    def expected(self):
        """RCODE and AD."""
        return ("SERVFAIL", False) if self.verdict == BOGUS else (self.rcode, self.verdict == SECURE)


def secure(name, rr_type="A", rcode="NOERROR"):
    return Case(name, rr_type, SECURE, rcode)


def insecure(name, rr_type="A", rcode="NOERROR", ede=None):
    return Case(name, rr_type, INSECURE, rcode, ede)


def bogus(ede, name, rr_type="A", rcode="NOERROR"):
    return Case(name, rr_type, BOGUS, rcode, ede)


def denials(zone, spanned=secure):
    """Every kind of denial and of wildcard; `spanned` are those for which a span of hashes or names has to be believed
    to hold no name at all, which it does not in a zone with opt-out (RFC 5155 §9.2)."""
    return [
        secure(f"www.{zone}", "MX"),
        secure(f"ent.{zone}"),
        spanned(f"missing.{zone}", rcode="NXDOMAIN"),
        spanned(f"very.much.missing.{zone}", rcode="NXDOMAIN"),
        spanned(f"missing.ent.{zone}", rcode="NXDOMAIN"),
        spanned(f"x.blocked.wild.{zone}", rcode="NXDOMAIN"),
        secure(f"*.wild.{zone}"),
        secure(f"wild.{zone}"),
        spanned(f"x.wild.{zone}"),
        spanned(f"a.b.wild.{zone}"),
        spanned(f"x.wild.{zone}", "MX"),
        secure(zone, "DS"),
        secure(zone, "DNSKEY"),
        secure(zone, "SOA"),
        secure(zone, "MX"),
    ]


def aliases(zone):
    return [
        secure(f"alias.{zone}"),
        secure(f"alias.{zone}", "CNAME"),
        secure(f"alias.{zone}", "MX"),
        secure(f"to-secure.{zone}"),
        insecure(f"to-insecure.{zone}"),
        bogus(6, f"to-bogus.{zone}"),
        secure(f"to-bogus.{zone}", "CNAME"),
        secure(f"to-nothing.{zone}", rcode="NXDOMAIN"),
        secure(f"to-nodata.{zone}", "MX"),
        secure(f"x.aliases.{zone}"),
        secure(f"www.d-secure.{zone}"),
        secure(f"missing.d-secure.{zone}", rcode="NXDOMAIN"),
        secure(f"d-secure.{zone}", "DNAME"),
        insecure(f"www.d-insecure.{zone}"),
        bogus(6, f"www.d-bogus.{zone}"),
    ]


CASES = {
    "the root and the top level": [
        secure(".", "SOA"), secure(".", "DNSKEY"), secure("lab", "DS"), secure("lab", "NS"), secure("ns.lab"),
        secure("nothing", rcode="NXDOMAIN"), secure("nothing.lab", rcode="NXDOMAIN"), secure("cut.lab"),
    ],
    "algorithms": [secure(f"www.alg{number}.lab") for number in (8, 10, 13, 14, 15, 16)]
    + [secure(f"missing.alg{number}.lab", rcode="NXDOMAIN") for number in (8, 10, 13, 14, 15, 16)]
    + [insecure(f"www.alg{number}.lab", ede=1) for number in (5, 7, 200)]
    + [insecure(f"missing.alg{number}.lab", rcode="NXDOMAIN", ede=1) for number in (5, 7, 200)],
    "digests": [
        secure("www.sha384-ds.lab"),
        insecure("www.sha1-ds.lab", ede=2),
        insecure("www.unknown-ds.lab", ede=2),
        secure("www.unknown-and-known-ds.lab"),
        bogus(9, "www.sha1-right-sha256-wrong.lab"),
    ],
    "denial by NSEC": denials("nsec.lab"),
    "denial by NSEC3": denials("nsec3.lab"),
    "denial with opt-out": denials("optout.lab", spanned=insecure),
    "compact denial": [secure("missing.compact.lab"), secure("missing.compact.lab", "AAAA"),
                       secure("nodata.compact.lab", "AAAA"), secure("nodata.compact.lab")],
    "iterations": [
        secure("missing.iterations50.lab", rcode="NXDOMAIN"), secure("www.iterations50.lab", "MX"),
        insecure("missing.iterations51.lab", rcode="NXDOMAIN", ede=27), insecure("www.iterations51.lab", "MX", ede=27),
        secure("www.iterations51.lab"),
        insecure("x.wild.iterations51.lab", ede=27),
        insecure("missing.iterations151.lab", rcode="NXDOMAIN", ede=27),
    ],
    "aliases out of a zone with NSEC": aliases("nsec.lab"),
    "aliases out of a zone with NSEC3": aliases("nsec3.lab"),
    "aliases out of an unsigned zone": [
        insecure("alias.unsigned.lab"), insecure("to-secure.unsigned.lab"), bogus(6, "to-bogus.unsigned.lab"),
        insecure("to-nothing.unsigned.lab", rcode="NXDOMAIN"), insecure("www.d-secure.unsigned.lab"),
        bogus(6, "www.d-bogus.unsigned.lab"),
    ],
    "cuts": [
        insecure("www.unsigned.lab"), insecure("missing.unsigned.lab", rcode="NXDOMAIN"),
        insecure("unsigned.lab", "SOA"), secure("unsigned.lab", "DS"),
        insecure("www.signed.unsigned.lab"), insecure("signed.unsigned.lab", "DS"),
        insecure("www.island.lab"), secure("island.lab", "DS"), insecure("island.lab", "DNSKEY"),
        secure("www.deep.cut.lab"),
        secure("www.signed.nsec3.lab"), insecure("www.unsigned.nsec3.lab"), secure("unsigned.nsec3.lab", "DS"),
        secure("www.deep.cut.nsec3.lab"), secure("cut.nsec3.lab"),
        insecure("www.deep.loose.nsec3.lab"), secure("loose.nsec3.lab"),
        secure("www.signed.optout.lab"), insecure("www.unsigned.optout.lab"), insecure("unsigned.optout.lab", "DS"),
        # No question below this cut: of `loose`, which has no NSEC3, NSD denies the DS without its whole proof.
        insecure("deep.loose.optout.lab", "DS"), insecure("loose.optout.lab"),
    ],
    "signatures that do not fit": [
        bogus(6, "www.altered.lab"), secure("www.altered.lab", "AAAA"), secure("fine.altered.lab"),
    ],
    "dates": [
        bogus(7, "www.expired.lab"), bogus(7, "missing.expired.lab", rcode="NXDOMAIN"),
        bogus(8, "www.future.lab"), bogus(8, "missing.future.lab", rcode="NXDOMAIN"),
        bogus(7, "www.expired-name.lab"), secure("leaf.ent.expired-name.lab"),
        bogus(8, "www.future-name.lab"), secure("leaf.ent.future-name.lab"),
        bogus(7, "www.signed.expired.lab"), bogus(7, "www.unsigned.expired.lab"),
    ],
    "keys that are missing": [
        bogus(9, "www.no-dnskey.lab"), bogus(9, "www.wrong-ds.lab"), bogus(9, "www.wrong-digest.lab"),
        bogus(11, "www.no-zone-bit.lab"), bogus(9, "www.revoked.lab"),
    ],
    "signatures that are missing": [
        bogus(10, "www.no-rrsig.lab"), secure("leaf.ent.no-rrsig.lab"), bogus(10, "www.no-rrsigs.lab"),
        bogus(10, "www.no-dnskey-rrsig.lab"),
    ],
    "denials that are missing": [
        secure("www.stripped-nsec.lab"), bogus(12, "missing.stripped-nsec.lab", rcode="NXDOMAIN"),
        bogus(12, "www.stripped-nsec.lab", "MX"), bogus(12, "x.wild.stripped-nsec.lab"),
        bogus(12, "missing.stripped-nsec3.lab", rcode="NXDOMAIN"), bogus(12, "www.stripped-nsec3.lab", "MX"),
        bogus(12, "x.wild.stripped-nsec3.lab"),
        bogus(12, "www.lying.lab"),
    ],
    "downgrades": [
        bogus(12, "www.stripped-ds.lab"), bogus(12, "stripped-ds.lab", "DS"),
        bogus(9, "www.no-signatures-no-keys.lab"),
    ],
    "rollovers": [
        secure("www.rollover.lab"), secure("missing.rollover.lab", rcode="NXDOMAIN"), secure("rollover.lab", "DNSKEY"),
        secure("www.algorithm-rollover.lab"), secure("www.standby-ds.lab"),
    ],
    "proofs that are asked for": [
        secure("nsec.lab", "NSEC"), secure("*.wild.alg13.lab", "NSEC"), bogus(6, "x.wild.alg13.lab", "NSEC"),
        secure("nsec3.lab", "NSEC3PARAM"), secure("www.nsec3.lab", "NSEC"),
    ],
    "times to live": [secure("www.raised-ttl.lab"), secure("www.short-lived.lab")],
    "too much": [
        secure("www.two-signatures.lab"),
        secure("www.collision.lab"), secure("missing.collision.lab", rcode="NXDOMAIN"),
        secure("www.collision-before.lab"), secure("missing.collision-before.lab", rcode="NXDOMAIN"),
        bogus(None, "www.collisions.lab"), bogus(None, "www.keytrap.lab"),
        # Each of many labels may be the closest encloser, and is hashed 51 times (CVE-2023-50868).
        secure("a.b.c.d.e.f.g.h.i.j.k.l.missing.iterations50.lab", rcode="NXDOMAIN"),
    ],
}


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """Where others judge differently, as far as is known: each is checked to be so still."""

    zones: tuple
    who: tuple
    verdict: str  # theirs
    why: str
    only: tuple = (SECURE, INSECURE, BOGUS)  # cases of these verdicts


EVERYBODY = ("unbound", "kresd", "named")
DISAGREEMENTS = [
    Disagreement(("alg5.lab", "alg7.lab", "sha1-ds.lab"), EVERYBODY, SECURE,
                 "they count on SHA-1 still, in signatures and digests; dotward knows no algorithm that is made of it"),
    Disagreement(("sha1-right-sha256-wrong.lab",), ("unbound",), SECURE,
                 "without harden-algo-downgrade, any DS that fits is enough for it (RFC 4509 §3 lets SHA-1 not count)"),
    Disagreement(("iterations51.lab",), ("unbound", "named"), SECURE,
                 "these releases take 150 iterations; RFC 9276 §3.2 lets it be fewer", only=(INSECURE,)),
    Disagreement(("x.wild.alg13.lab",), EVERYBODY, SECURE,
                 "dotward takes no NSEC from a wildcard, as an answer no more than as a proof"),
    Disagreement(("www.two-signatures.lab",), ("named",), BOGUS,
                 "one false signature is one too many for it (max-validation-failures-per-fetch)"),
    Disagreement(("collision-before.lab",), ("named",), BOGUS,
                 "nor does it try another key after the first that has the tag and does not fit"),
    Disagreement(("deep.loose.optout.lab",), ("kresd",), BOGUS,
                 "it asks for the DS of `loose` on its way down, which has no NSEC3, and NSD's proof is not whole"),
]


def disagreement(case, who):
    """The one that is known about this answer, or None."""
    for known in DISAGREEMENTS:
        below = any(case.below(zone) for zone in known.zones)
        if below and who in known.who and case.verdict in known.only:
            return known
    return None
