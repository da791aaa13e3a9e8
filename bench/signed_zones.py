#!/usr/bin/env python3
"""Signs the zones of tests/e2e/dnssec_dear_zones.py, has NSD answer from them, and writes into a folder

  table       what it answered, which bench_dot_responder gives again (answer_table.h)
  anchors     the trust anchor
  zones.json  of each kind of zone, what stands behind the first label of its names, and how many names there are: 0
              where every name with such a label is answered

  signed_zones.py FOLDER
"""

import json
import pathlib
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))

import dnssec_dear_zones as zones  # noqa: E402
import dnssec_lab  # noqa: E402
import dnssec_zones  # noqa: E402
import lab  # noqa: E402

STARS = "*" * 12
A, SOA, DS, DNSKEY = 1, 6, 43, 48
# Questions that are on their way at a time: so few that neither side waits for the other to read.
AT_A_TIME = 500


class Recorder:
    def __init__(self, address, port, file):
        self._stream = socket.create_connection((address, port), 10)
        self._answers = self._stream.makefile("rb")
        self._file = file

    def take(self, questions):
        """Each is (name, type), or (name, type, the name that the answer is for, the DO bit)."""
        questions = list(questions)
        for start in range(0, len(questions), AT_A_TIME):
            some = [(*question, question[0], True)[:4] if len(question) == 2 else question
                    for question in questions[start:start + AT_A_TIME]]
            messages = [lab.query(name, rr_type, edns=4096, edns_flags=0x8000 if dnssec_ok else 0)
                        for name, rr_type, _, dnssec_ok in some]
            # NSD holds an answer back until the one before it has been acknowledged (Nagle).
            self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            self._stream.sendall(b"".join(struct.pack("!H", len(message)) + message for message in messages))
            for _, rr_type, stored, dnssec_ok in some:
                (octets,) = struct.unpack("!H", self._answers.read(2))
                self.put(stored, rr_type, dnssec_ok, self._answers.read(octets))

    def put(self, name, rr_type, dnssec_ok, answer):
        question = dnssec_zones.wire_name(name) + struct.pack("!HH", rr_type, 1)
        self._file.write(struct.pack("!H", len(question)) + question + bytes([dnssec_ok]) +
                         struct.pack("!H", len(answer)) + answer)


def unsigned_answer(name):
    question = dnssec_zones.wire_name(name) + struct.pack("!HH", A, 1)
    record = struct.pack("!HHHIH4s", 0xC00C, A, 1, 300, 4, bytes([192, 0, 2, 1]))
    opt = struct.pack("!BHHIH", 0, 41, 1232, 0x8000, 0)
    return struct.pack("!6H", 0, 0x8180, 1, 1, 0, 1) + question + record + opt


class SignedLab(dnssec_lab.ZoneLab):
    zones = {**zones.ZONES, **{zones.child(number, "many.lab"): None for number in range(zones.MANY)}}

    def start_unbound(self, name="unbound"):
        """Nobody needs it."""

    def _make_zones(self):
        maker = dnssec_zones.Maker(self.folder, zones.ZONES)
        self.anchors = self.write("anchors", "".join(line + "\n" for line in maker.make()))
        for number in range(zones.MANY):
            name = zones.child(number, "many.lab")
            self.write(dnssec_zones.file_name(name), zones.dear_child(name))


def record(recorder):
    for zone in zones.ZONES:
        recorder.take((zone, rr_type) for rr_type in (SOA, DS, DNSKEY))
    innocent = [zones.child(number, "innocent.lab") for number in range(zones.INNOCENT)]
    recorder.take((name, A) for name in innocent)
    recorder.take((name, A, name, False) for name in innocent)
    for zone, count in (("hot.lab", zones.HOT), ("old.lab", zones.HOT), ("denied.lab", zones.DENIED),
                        ("flood.lab", zones.FLOOD)):
        recorder.take((zones.child(number, zone), A) for number in range(count))
    for zone, count in (("fresh.lab", zones.FRESH), ("evict.lab", zones.FLOOD)):
        recorder.take((zones.child(number, zone), DS) for number in range(count))
    for rr_type in (A, DS, DNSKEY):
        recorder.take((zones.child(number, "many.lab"), rr_type) for number in range(zones.MANY))
    # One answer for all names of the zone.
    for zone in ("p384.lab", "rsa.lab", "cheaper.lab", "loop.lab", "records.lab", "sorting.lab",
                 f"{zones.DEEP}.hashes.lab"):
        recorder.take([(zones.child(0, zone), A, f"{STARS}.{zone}", True)])
    for zone in ("plain.old.lab", "fresh.lab", "evict.lab", "silent.lab"):
        name = f"{STARS}.{zone}"
        recorder.put(name, A, True, unsigned_answer(name))
    recorder.put(f"{STARS}.silent.lab", DS, True, b"")


def description():
    names = {"innocent": zones.INNOCENT, "denied": zones.DENIED, "fresh": zones.FRESH, "hot": zones.HOT,
             "flood": zones.FLOOD, "many": zones.MANY, "evict": zones.FLOOD, "p384": 0, "rsa": 0, "cheaper": 0,
             "loop": 0, "records": 0, "sorting": 0, "silent": 0}
    found = {kind: {"suffix": f"{kind}.lab", "names": count} for kind, count in names.items()}
    found["unsigned"] = {"suffix": "old.lab", "names": zones.HOT}
    found["plain"] = {"suffix": "plain.old.lab", "names": 0}
    found["hashes"] = {"suffix": f"{zones.DEEP}.hashes.lab", "names": 0}
    return found


def main():
    folder = pathlib.Path(sys.argv[1])
    with SignedLab() as place, (folder / "table").open("wb") as file:
        record(Recorder(place.address, lab.NSD_PORT, file))
        (folder / "anchors").write_text(pathlib.Path(place.anchors).read_text())
        (folder / "zones.json").write_text(json.dumps(description()) + "\n")


if __name__ == "__main__":
    main()
