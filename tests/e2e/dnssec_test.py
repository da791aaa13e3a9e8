#!/usr/bin/env python3
"""DNSSEC: dotward in the lab of dnssec_zones.py, and validators of other makers beside it. The same questions go to all
of them, and what they say of an answer (RCODE, AD) has to be the same, but where dnssec_cases.py explains why not."""

import collections
import concurrent.futures
import dataclasses
import json
import random
import re
import signal
import time
import unittest

import dnssec_cases
import dnssec_lab
import dnssec_zones
import lab
from dnssec_cases import BOGUS, CASES, INSECURE, SECURE, Case
from dnssec_lab import AD, CD, RD

ALL = [case for cases in CASES.values() for case in cases]
NO_EDE = "-"


def expected_of(who, case):
    """RCODE and AD of this validator, and why they are what they are if they are not the case's."""
    known = dnssec_cases.disagreement(case, who)
    if known is None:
        return case.expected(), ""
    return dataclasses.replace(case, verdict=known.verdict).expected(), known.why


def show(codes):
    return ",".join(map(str, codes)) or NO_EDE


def report(title, rows):
    """A table for whoever reads the log of the test."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(flush=True)


class CasesTest(unittest.TestCase):
    def test_every_question_is_asked_once(self):
        self.assertEqual([str(case) for case, count in collections.Counter(map(str, ALL)).items() if count > 1], [])

    def test_every_code_of_rfc_8914_that_a_validator_gives_is_asked_for(self):
        self.assertLessEqual({1, 2, 6, 7, 8, 9, 10, 11, 12, 27}, {case.ede for case in ALL})

    def test_every_explanation_explains_something(self):
        for known in dnssec_cases.DISAGREEMENTS:
            for who in known.who:
                self.assertTrue(any(dnssec_cases.disagreement(case, who) is known and case.verdict != known.verdict
                                    for case in ALL), known)


def tell(wrong):
    return "\n" + "\n".join(wrong)


def for_delv():
    """It is a process for each question: not all of them, but one of each kind below each name of the top level."""
    kinds = {(case.name.split(".")[-2:][0], case.verdict, case.rcode): case for case in ALL
             if case.verdict != INSECURE and not dnssec_cases.disagreement(case, "named")}
    return list(kinds.values())


class ValidatorsTest(unittest.TestCase):
    """The lab itself: what every zone is made for, others see in it."""

    @classmethod
    def setUpClass(cls):
        cls.lab = dnssec_lab.ZoneLab()
        cls.addClassCleanup(cls.lab.close)
        cls.validators = [kind(cls.lab).start() for kind in dnssec_lab.VALIDATORS]
        # Of what is remembered, extended errors may be others.
        cls.first = cls.ask_all(dnssec_ok=True)

    @classmethod
    def ask_all(cls, **options):
        """Their replies, by name and case. Each of them is asked one question after the other."""
        def run(validator):
            return {(validator.name, case): validator.ask(case.name, case.type, **options) for case in ALL}

        replies = {}
        with concurrent.futures.ThreadPoolExecutor(len(cls.validators)) as pool:
            for answered in pool.map(run, cls.validators):
                replies.update(answered)
        return replies

    def test_upstream_judges_nothing_and_hands_out_signatures(self):
        for case in ALL:
            reply = self.lab.ask_resolver(case.name, case.type, flags=RD | CD)
            self.assertEqual(reply.verdict(), (case.rcode, False), f"{case}: {reply}")
        self.assertIn("RRSIG", self.lab.ask_resolver("www.nsec.lab", "A").types())
        self.assertIn("NSEC3", self.lab.ask_resolver("www.nsec3.lab", "MX").types("authority"))

    def test_every_zone_is_what_it_is_made_for(self):
        wrong = []
        for (who, case), reply in self.first.items():
            expected, why = expected_of(who, case)
            if reply.verdict() != expected:
                wrong.append(f"{who}: {case} is {case.verdict}, expected {expected}, got {reply} {why}")
        self.assertEqual(wrong, [], tell(wrong))

    def test_those_who_ask_with_ad_alone_are_shown_it(self):
        wrong = [f"{who}: {case}: {reply}" for (who, case), reply in self.ask_all(flags=RD | AD, edns=False).items()
                 if reply.verdict() != expected_of(who, case)[0]]
        self.assertEqual(wrong, [], tell(wrong))

    def test_those_who_do_not_ask_are_not_shown_ad(self):
        wrong = [f"{who}: {case}: {reply}" for (who, case), reply in self.ask_all(edns=False).items()
                 if reply.verdict() != (expected_of(who, case)[0][0], False)]
        self.assertEqual(wrong, [], tell(wrong))

    def test_extended_errors_are_told_for_comparison(self):
        names = [validator.name for validator in self.validators]
        rows = [(str(case), case.verdict, show([case.ede] if case.ede else []),
                 *(show(self.first[name, case].codes()) for name in names)) for case in ALL]
        report("Extended errors, of which others give fewer than we do:",
               [("question", "verdict", "RFC 8914", *names)] + [row for row in rows if set(row[2:]) != {NO_EDE}])
        # Where they name a date, it is that date.
        for code in (7, 8):
            for name in ("unbound", "kresd"):
                self.assertEqual([str(case) for case in ALL if case.ede == code and
                                  code not in self.first[name, case].codes()], [], name)

    def test_delv_accepts_what_is_secure_and_refuses_what_is_bogus(self):
        delv = dnssec_lab.Delv(self.lab, self.lab.address, dnssec_lab.PLAIN_PORT)
        wrong = delv.objections(for_delv())
        self.assertEqual(wrong, [], tell(wrong))


class DotwardTest(unittest.TestCase):
    """dotward, with the anchor of the lab's root."""

    @classmethod
    def setUpClass(cls):
        cls.lab = dnssec_lab.ZoneLab()
        cls.addClassCleanup(cls.lab.close)
        cls.server = cls.lab.serve_validating()
        cls.first = {case: cls.ask(case) for case in ALL}

    @classmethod
    def ask(cls, case, **options):
        return dnssec_lab.ask(cls.server.address, cls.server.port, case.name, case.type, **options)

    def setUp(self):
        self.assertTrue(self.server.running(), "dotward ended before this test\n" + self.server.log())

    def assert_verdicts(self, replies, expected):
        wrong = [f"{case} is {case.verdict}, expected {expected(case)}, got {reply}" for case, reply in replies.items()
                 if reply.verdict() != expected(case)]
        self.assertEqual(wrong, [], tell(wrong))

    def test_R4_what_is_secure_has_ad_and_what_is_bogus_is_servfail(self):
        self.assert_verdicts(self.first, lambda case: case.expected())

    def test_R4_the_verdict_comes_from_the_cache_as_it_came_at_first(self):
        self.assert_verdicts({case: self.ask(case) for case in ALL}, lambda case: case.expected())

    def test_R4_those_who_ask_with_ad_alone_are_shown_it(self):
        replies = {case: self.ask(case, flags=RD | AD, edns=False) for case in ALL}
        self.assert_verdicts(replies, lambda case: case.expected())

    def test_R4_those_who_do_not_ask_are_not_shown_ad(self):
        replies = {case: self.ask(case, edns=False) for case in ALL}
        self.assert_verdicts(replies, lambda case: (case.expected()[0], False))

    def test_R4_the_order_of_the_questions_makes_no_difference(self):
        server = self.lab.serve_validating()
        replies = {case: dnssec_lab.ask(server.address, server.port, case.name, case.type) for case in reversed(ALL)}
        self.assert_verdicts(replies, lambda case: case.expected())

    def test_R4_a_thousand_questions_at_once_are_judged_as_one_by_one(self):
        server = self.lab.serve_validating()
        asked = {}
        for number, case in enumerate(ALL * 5):
            message = dnssec_lab.query(case.name, case.type, query_id=number)
            asked[message[:2]] = (case, message)
        replies = lab.ask_all(server.address, server.port, [message for _, message in asked.values()], 30)
        self.assertEqual(len(replies), len(asked))
        judged = [(case, dnssec_lab.parse(replies[number])) for number, (case, _) in asked.items()]
        wrong = [f"{case}: {reply}" for case, reply in judged if reply.verdict() != case.expected()]
        self.assertEqual(wrong, [], tell(wrong))

    def test_answers_are_those_of_the_upstream(self):
        for case, reply in self.first.items():
            if case.verdict != BOGUS:
                asked = self.lab.ask_resolver(case.name, case.type)
                self.assertEqual((sorted(map(str, reply.types())), reply.addresses()),
                                 (sorted(map(str, asked.types())), asked.addresses()), f"{case}: {reply}")

    def test_C7_who_did_not_set_do_gets_no_signatures_and_no_proofs(self):
        for case in ALL:
            reply = self.ask(case, dnssec_ok=False)
            given = {rr_type for section in ("answer", "authority", "additional") for rr_type in reply.types(section)}
            self.assertEqual(given & {"RRSIG", "NSEC", "NSEC3"} - {case.type}, set(), f"{case}: {reply}")

    def test_C7_who_set_do_gets_the_proof_of_a_secure_answer(self):
        for case, reply in self.first.items():
            if case.verdict == SECURE:
                self.assertIn("RRSIG", reply.types() + reply.types("authority"), f"{case}: {reply}")

    def test_R5_C7_checking_disabled_gets_the_data_unjudged_and_keeps_it_to_itself(self):
        server = self.lab.serve_validating()
        for flags, expected in ((RD | CD, lambda case: (case.rcode, False)), (RD, Case.expected),
                                (RD | CD, lambda case: (case.rcode, False))):
            replies = {case: dnssec_lab.ask(server.address, server.port, case.name, case.type, flags=flags)
                       for case in ALL if case.verdict == BOGUS}
            self.assert_verdicts(replies, expected)
            for case, reply in replies.items():
                self.assertEqual(reply.flags & CD, flags & CD, case)

    def test_C1_what_is_secure_is_kept_no_longer_than_its_signature_says(self):
        # RFC 4035 §5.3.3: the TTL that was signed, and the time until the signature expires.
        for name, most in (("www.raised-ttl.lab", 300), ("www.short-lived.lab", 240)):
            for _ in ("from upstream", "from the cache"):
                ttls = self.server.dig("+dnssec", name, "A").ttl("A")
                self.assertEqual(len(ttls), 1, name)
                self.assertLessEqual(ttls[0], most, name)

    # --- what its operator is shown ---

    def socket_of(self, server):
        return self.lab.path(f"control-{server.port}.sock")

    def control(self, *arguments):
        """The lines that a subcommand gets from the control socket."""
        done = lab.run(lab.BINARY, *arguments, "--json", "--socket", self.socket_of(self.server))
        return [json.loads(line) for line in done.splitlines()]

    def why(self, name, rr_type):
        (why,) = self.control("why", name, rr_type)
        return why

    @staticmethod
    def is_stored(case):
        """Not what has a TTL of 0, nor what follows from the denial of a name above."""
        return case.type != "NSEC3PARAM" and "missing" not in case.name.split(".")[1:]

    def test_lookup_and_why_show_the_verdict_of_everything_that_is_stored(self):
        words = {SECURE: "secure", INSECURE: "insecure", BOGUS: "bogus"}
        wrong = []
        for case in filter(self.is_stored, ALL):
            # Without and with signatures, unjudged, and at last judged again, so that what is bogus is remembered.
            for options in ({"edns": False}, {}, {"flags": RD | CD}, {}):
                self.ask(case, **options)
            word = words[case.verdict]
            answer = self.why(case.name, case.type)["chain_of_trust"]["answer"]
            shown = {"why": {answer["verdict"]}, "DO": set(), "": set(), "CD": set()}
            for entry in self.control("cache", "lookup", case.name, case.type)[:-1]:
                if entry["type"] == case.type:
                    form = "CD" if entry["checking_disabled"] else "DO" if entry["dnssec_ok"] else ""
                    shown[form].add(entry["verdict"])
            stored = set() if case.verdict == BOGUS else {word}
            expected = {"why": {word}, "DO": stored, "": stored, "CD": {word if case.verdict == BOGUS else "unjudged"}}
            if shown != expected or (case.verdict == BOGUS and case.ede and answer["reason_code"] != case.ede):
                wrong.append(f"{case} is {word}: {shown} {answer}")
        self.assertEqual(wrong, [], tell(wrong))

    def test_why_shows_every_link_from_the_anchor_to_the_records(self):
        # What was known of zones before may be over soon.
        self.control("cache", "flush", "--all")
        dnssec_lab.ask(self.server.address, self.server.port, "to-insecure.nsec.lab", "A")
        chain = self.why("to-insecure.nsec.lab", "A")["chain_of_trust"]
        self.assertEqual(chain["trust_anchor"]["key_tags"], [int(self.lab.anchor.split()[4])])
        self.assertEqual([(zone["zone"], zone["verdict"]) for zone in chain["zones"]],
                         [(".", "secure"), ("lab.", "secure"), ("nsec.lab.", "secure")])
        self.assertEqual(chain["answer"]["verdict"], "insecure")
        alias, address = chain["answer"]["rrsets"]
        self.assertEqual((alias["name"], alias["type"], alias["verdict"]), ("to-insecure.nsec.lab.", "CNAME", "secure"))
        (signature,) = alias["signatures"]
        self.assertEqual((signature["signer"], signature["key_tag"]), ("nsec.lab.", chain["zones"][-1]["key_tag"]))
        # As the RRSIG record has them, written in another way.
        (record,) = [record["data"].split() for record in self.why("to-insecure.nsec.lab", "A")["cache"][0]["records"]
                     if record["type"] == "RRSIG"]
        times = [re.sub("[-:TZ]", "", signature[key]) for key in ("signed_until", "signed_from")]
        self.assertEqual(record[4:7], [*times, str(signature["key_tag"])])
        self.assertEqual((address["name"], address["verdict"], address["signatures"]),
                         ("www.unsigned.lab.", "insecure", []))

    def test_why_shows_who_signed_a_denial(self):
        dnssec_lab.ask(self.server.address, self.server.port, "why.nsec3.lab", "A")
        answer = self.why("why.nsec3.lab", "A")["chain_of_trust"]["answer"]
        self.assertEqual(answer["verdict"], "secure")
        self.assertEqual({rrset["section"] for rrset in answer["rrsets"]}, {"authority"})
        self.assertEqual({rrset["type"] for rrset in answer["rrsets"]}, {"SOA", "NSEC3"})
        self.assertEqual({signature["signer"] for rrset in answer["rrsets"] for signature in rrset["signatures"]},
                         {"nsec3.lab."})

    # --- what it costs ---

    def asked_upstream(self, server, *questions):
        """What the resolver is asked while these questions are asked here."""
        before = len(self.lab.questions_seen())
        for name, rr_type in questions:
            dnssec_lab.ask(server.address, server.port, name, rr_type)
        return self.lab.questions_seen()[before:]

    def test_a_warm_chain_costs_one_question_a_question(self):
        server = self.lab.serve_validating()
        for zone in ("nsec", "nsec3", "alg8"):
            cold = self.asked_upstream(server, (f"www.{zone}.lab", "A"))
            self.assertLessEqual({f"{zone}.lab. ds", f"{zone}.lab. dnskey"}, set(cold))
            warm = self.asked_upstream(server, (f"leaf.ent.{zone}.lab", "A"), (f"www.{zone}.lab", "AAAA"),
                                       (f"x.wild.{zone}.lab", "A"), (f"www.{zone}.lab", "MX"))
            self.assertEqual(warm, [f"leaf.ent.{zone}.lab. a", f"www.{zone}.lab. aaaa", f"x.wild.{zone}.lab. a",
                                    f"www.{zone}.lab. mx"])

    def test_questions_that_are_asked_together_are_answered_together(self):
        # The lab's resolver leaves Nagle's algorithm on: of two answers it holds the second back until the first is
        # acknowledged, which the kernel puts off by 40 ms where nobody tells it not to.
        server = self.lab.serve_validating()
        one, many = [], []  # seconds that one question to the upstream takes, and as many as a chain of trust does
        for _ in range(10):
            lab.run(lab.BINARY, "cache", "flush", "--all", "--socket", self.socket_of(server))
            for flags, expected, took in ((RD | CD, ("NOERROR", False), one), (RD, ("NOERROR", True), many)):
                before = time.monotonic()
                reply = dnssec_lab.ask(server.address, server.port, "www.alg13.lab", "A", flags=flags)
                took.append(time.monotonic() - before)
                self.assertEqual(reply.verdict(), expected, reply)
        # A machine that is busy is slow at both.
        self.assertLess(min(many), 0.035 + 10 * min(one), (one, many))

    def test_insecurity_is_remembered(self):
        server = self.lab.serve_validating()
        self.asked_upstream(server, ("www.unsigned.lab", "A"))
        self.assertEqual(self.asked_upstream(server, ("leaf.ent.unsigned.lab", "A")), ["leaf.ent.unsigned.lab. a"])

    def test_C6_what_is_bogus_is_not_asked_again_at_once(self):
        server = self.lab.serve_validating()
        self.assert_asked(server, ("www.altered.lab", "A"), ("SERVFAIL", False), True)
        self.assert_asked(server, ("www.altered.lab", "A"), ("SERVFAIL", False), False)

    def assert_asked(self, server, question, expected, asked):
        """The verdict of one question, and whether the upstream was asked."""
        before = len(self.lab.questions_seen())
        reply = dnssec_lab.ask(server.address, server.port, *question)
        self.assertEqual(reply.verdict(), expected, f"{question}: {reply}")
        self.assertEqual(len(self.lab.questions_seen()) - before > 0, asked, f"{question}: {reply}")
        return reply

    def test_a_denial_answers_for_every_name_that_it_denies(self):
        server = self.lab.serve_validating()
        self.assert_asked(server, ("m1.nsec.lab", "A"), ("NXDOMAIN", True), True)
        for question in (("m2.nsec.lab", "A"), ("m1.nsec.lab", "MX"), ("below.m1.nsec.lab", "A")):
            reply = self.assert_asked(server, question, ("NXDOMAIN", True), False)
            # The zone's SOA, that it has no such name, that it has no wildcard; each with its signature.
            self.assertEqual(sorted(map(str, reply.types("authority"))), ["NSEC"] * 2 + ["RRSIG"] * 3 + ["SOA"], reply)
        for zone in ("nsec", "nsec3"):
            self.assert_asked(server, (f"www.{zone}.lab", "MX"), ("NOERROR", True), True)
            self.assert_asked(server, (f"www.{zone}.lab", "TXT"), ("NOERROR", True), False)

    def test_a_wildcard_answers_for_every_name_that_it_makes(self):
        server = self.lab.serve_validating()
        self.assert_asked(server, ("x.wild.nsec.lab", "A"), ("NOERROR", True), True)
        reply = self.assert_asked(server, ("y.wild.nsec.lab", "A"), ("NOERROR", True), False)
        self.assertEqual(reply.addresses(), ["192.0.2.2"])
        self.assertIn("NSEC", reply.types("authority"))
        # Names in its data mean the same, however the first answer had them.
        for label, asked in (("x", True), ("y", False), ("much.longer", False)):
            self.assert_asked(server, (f"{label}.names.wild-mx.lab", "MX"), ("NOERROR", True), asked)
            printed = lab.run("dig", "+short", f"@{server.address}", "-p", str(server.port),
                              f"{label}.names.wild-mx.lab", "MX")
            self.assertEqual(printed.strip(), "10 mail.wild-mx.lab.", label)
        # Of what the wildcard may not make, nothing is known yet.
        self.assert_asked(server, ("x.blocked.wild.nsec.lab", "A"), ("NXDOMAIN", True), True)

    def test_a_denial_says_nothing_of_names_that_it_does_not_deny(self):
        server = self.lab.serve_validating()
        self.assert_asked(server, ("missing.optout.lab", "A"), ("NXDOMAIN", False), True)
        self.assert_asked(server, ("missing-too.optout.lab", "A"), ("NXDOMAIN", False), True)
        self.assert_asked(server, ("missing.compact.lab", "A"), ("NOERROR", True), True)
        self.assert_asked(server, ("gone.compact.lab", "A"), ("NXDOMAIN", True), True)
        self.assert_asked(server, ("missing.unsigned.lab", "A"), ("NXDOMAIN", False), True)
        self.assert_asked(server, ("missing-too.unsigned.lab", "A"), ("NXDOMAIN", False), True)
        self.assert_asked(server, ("m1.nsec.lab", "A"), ("NXDOMAIN", True), True)
        for name in ("www.nsec.lab", "leaf.ent.nsec.lab", "x.wild.nsec.lab"):
            self.assert_asked(server, (name, "A"), ("NOERROR", True), True)

    def test_denials_are_used_for_one_name_only_where_that_is_wanted(self):
        server = self.lab.serve_validating("  aggressive_nsec: false\n")
        self.assert_asked(server, ("m1.nsec.lab", "A"), ("NXDOMAIN", True), True)
        self.assert_asked(server, ("m2.nsec.lab", "A"), ("NXDOMAIN", True), True)

    # --- questions that nobody thought of ---

    def test_R4_where_all_others_agree_on_a_random_question_dotward_does(self):
        # Nothing of the zones about which somebody is known to be alone, or that dotward gives up sooner.
        apart = {zone for known in dnssec_cases.DISAGREEMENTS for zone in known.zones} | {"collisions.lab",
                                                                                          "keytrap.lab"}
        zones = [zone for zone in dnssec_zones.ZONES if zone not in apart] + 5 * ["wild-mx.lab"]
        labels = ("www", "x", "missing", "wild", "*", "blocked", "ent", "leaf", "alias", "to-secure", "to-insecure",
                  "to-bogus", "to-nothing", "aliases", "d-secure", "d-insecure", "d-bogus", "nodata", "deep", "cut",
                  "loose", "signed", "unsigned", "0", "zzz", "_tcp")
        # No NSEC: a wildcard may have it (see there).
        types = ("A", "A", "A", "DS", "DS", "AAAA", "MX", "TXT", "CNAME", "DNAME", "DNSKEY", "SOA", "NS", "PTR", "SRV",
                 "HTTPS", "CDS", "NSEC3PARAM")
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        questions = set()
        for _ in range(2000):
            below = chance.choices(labels, k=chance.choice((0, 1, 1, 1, 2, 2, 3, 4)))
            questions.add((".".join([*below, chance.choice(zones)]), chance.choice(types)))
        servers = [self.server, *(kind(self.lab).start() for kind in dnssec_lab.VALIDATORS)]
        agreed, wrong = 0, []
        with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
            for name, rr_type in sorted(questions):
                ours, *others = pool.map(lambda server, name=name, rr_type=rr_type: dnssec_lab.ask(
                    server.address, server.port, name, rr_type), servers)
                verdicts = {reply.verdict() for reply in others}
                agreed += len(verdicts) == 1
                if len(verdicts) == 1 and ours.verdict() not in verdicts:
                    wrong.append(f"{name} {rr_type}: {ours}, others {others[0]}")
                # Out of the cache, in the form for who does not want to see signatures.
                plain = dnssec_lab.ask(self.server.address, self.server.port, name, rr_type, dnssec_ok=False)
                if (plain.rcode, plain.data()) != (ours.rcode, ours.data()):
                    wrong.append(f"{name} {rr_type}: {ours} {ours.data()}, without DO {plain} {plain.data()}")
                if all(reply.data() == others[0].data() for reply in others) and ours.data() != others[0].data():
                    wrong.append(f"{name} {rr_type}: {ours} {ours.data()}, others {others[0].data()}")
        self.assertEqual(wrong, [], f"\nseed {seed}" + tell(wrong))
        self.assertGreater(agreed, len(questions) * 0.95)

    # --- extended errors ---

    def assert_code(self, code):
        cases = [case for case in ALL if case.ede == code]
        self.assertTrue(cases)
        wrong = [f"{case}: {self.first[case]}" for case in cases if code not in self.first[case].codes()]
        self.assertEqual(wrong, [], tell(wrong))

    def test_R6_unsupported_algorithm_is_1(self):
        self.assert_code(1)

    def test_R6_unsupported_digest_is_2(self):
        self.assert_code(2)

    def test_R6_signature_that_does_not_fit_is_6(self):
        self.assert_code(6)

    def test_R6_expired_signature_is_7(self):
        self.assert_code(7)

    def test_R6_signature_that_is_not_yet_valid_is_8(self):
        self.assert_code(8)

    def test_R6_missing_key_is_9(self):
        self.assert_code(9)

    def test_R6_missing_signature_is_10(self):
        self.assert_code(10)

    def test_R6_key_without_the_zone_bit_is_11(self):
        self.assert_code(11)

    def test_R6_missing_denial_is_12(self):
        self.assert_code(12)

    def test_R6_too_many_iterations_are_27(self):
        self.assert_code(27)

    def test_R6_what_is_bogus_says_where(self):
        for case, reply in self.first.items():
            if case.verdict == BOGUS:
                self.assertIn("lab", " ".join(text for _, text in reply.ede), f"{case}: {reply}")

    # --- anchors ---

    def test_R4_nothing_is_secure_below_an_anchor_that_does_not_fit(self):
        tag, algorithm, digest, _ = self.lab.anchor.split()[4:]
        other = self.lab.write("other-anchor", f". 3600 IN DS {tag} {algorithm} {digest} {'ab' * 32}\n")
        server = self.lab.serve_validating(anchors=other)
        reply = dnssec_lab.ask(server.address, server.port, "www.nsec.lab", "A")
        self.assertEqual(reply.verdict(), ("SERVFAIL", False), reply)
        self.assertIn(9, reply.codes(), reply)

    def test_R4_an_anchor_makes_an_island_secure(self):
        for anchors, others in ((f"{self.lab.anchor}\n", True), ("", False)):
            path = self.lab.write(f"island-{others}", anchors + self.lab.dnskey("island.lab") + "\n")
            server = self.lab.serve_validating(anchors=path)
            for name, secure in (("www.island.lab", True), ("www.nsec.lab", others), ("www.unsigned.lab", False)):
                reply = dnssec_lab.ask(server.address, server.port, name, "A")
                self.assertEqual(reply.verdict(), ("NOERROR", secure), f"{name}: {reply}")
                self.assertEqual(reply.codes(), [] if others or secure else [5], f"{name}: {reply}")
            # Without an anchor above, nothing is bogus.
            reply = dnssec_lab.ask(server.address, server.port, "www.altered.lab", "A")
            self.assertEqual(reply.verdict(), ("SERVFAIL" if others else "NOERROR", False), reply)

    def test_R4_anchors_are_read_anew_when_the_configuration_is(self):
        anchors = self.lab.write("new-anchor", f". 3600 IN DS 1 13 2 {'ab' * 32}\n")
        server = self.lab.serve_validating(anchors=anchors)
        self.assertEqual(dnssec_lab.ask(server.address, server.port, "www.nsec.lab", "A").verdict(),
                         ("SERVFAIL", False))
        self.lab.write("new-anchor", self.lab.anchor + "\n")
        server.signal(signal.SIGHUP)
        lab.within(10, lambda: "the configuration was reloaded" in server.log(), "a reload")
        self.assertEqual(dnssec_lab.ask(server.address, server.port, "www.nsec3.lab", "A").verdict(), ("NOERROR", True))

    def test_R4_negative_trust_anchor_lets_its_zone_pass_as_insecure(self):
        server = self.lab.serve_validating("  negative_trust_anchors: [altered.lab, nsec3.lab]\n")
        for name, expected in (("www.altered.lab", ("NOERROR", False)), ("fine.altered.lab", ("NOERROR", False)),
                               ("missing.nsec3.lab", ("NXDOMAIN", False)), ("www.nsec.lab", ("NOERROR", True)),
                               ("to-bogus.nsec.lab", ("NOERROR", False)), ("www.expired.lab", ("SERVFAIL", False))):
            reply = dnssec_lab.ask(server.address, server.port, name, "A")
            self.assertEqual(reply.verdict(), expected, f"{name}: {reply}")

    # --- upstreams that lie ---

    HONEST = {f"www.{zone}.lab": "192.0.2.1" for zone in ("alg13", "alg14", "nsec", "nsec3", "rollover", "standby-ds")}
    HONEST["leaf.ent.nsec.lab"] = HONEST["leaf.ent.nsec3.lab"] = "192.0.2.3"

    def start_liar(self):
        """It lies about a zone, names, and that names exist."""
        return self.lab.start_liar(["alg13.lab", "www.alg14.lab", "www.nsec.lab", "www.nsec3.lab", "www.rollover.lab",
                                    "www.standby-ds.lab"], ["leaf.ent.nsec.lab", "leaf.ent.nsec3.lab"])

    def test_R4_an_upstream_that_lies_is_not_believed(self):
        server = self.lab.serve_validating(upstreams=[self.start_liar()])
        for name in self.HONEST:
            reply = dnssec_lab.ask(server.address, server.port, name, "A")
            self.assertEqual(reply.verdict(), ("SERVFAIL", False), f"{name}: {reply}")
            self.assertTrue(set(reply.codes()) & {9, 10, 12}, f"{name}: {reply}")
            # Who wants it unjudged gets the lie, which shows that it was told.
            reply = dnssec_lab.ask(server.address, server.port, name, "A", flags=RD | CD)
            self.assertIn((reply.rcode, reply.addresses()), [("NOERROR", [dnssec_lab.LIE]), ("NXDOMAIN", [])], name)
        # What it does not lie about is as secure as ever.
        reply = dnssec_lab.ask(server.address, server.port, "www.alg15.lab", "A")
        self.assertEqual(reply.verdict(), ("NOERROR", True), reply)

    def test_R4_another_upstream_is_asked_before_an_answer_is_called_bogus(self):
        for upstreams in ([self.start_liar(), lab.DOT_PORT], [lab.DOT_PORT, self.start_liar()]):
            server = self.lab.serve_validating(upstreams=upstreams)
            for name, address in self.HONEST.items():
                reply = dnssec_lab.ask(server.address, server.port, name, "A")
                self.assertEqual(reply.verdict(), ("NOERROR", True), f"{name}: {reply}")
                self.assertEqual(reply.addresses(), [address], name)

    # --- validators that ask dotward ---

    def test_R5_C7_delv_behind_dotward_finds_every_proof(self):
        # Of what is cached by now, too.
        wrong = dnssec_lab.Delv(self.lab, self.server.address, self.server.port).objections(for_delv())
        self.assertEqual(wrong, [], tell(wrong))

    def test_R5_C7_validators_behind_dotward_judge_as_it_does(self):
        for kind in dnssec_lab.VALIDATORS:
            validator = kind(self.lab, (self.server.address, self.server.port)).start()
            cases = [case for case in ALL if not dnssec_cases.disagreement(case, kind.name)]
            replies = {case: validator.ask(case.name, case.type) for case in cases}
            validator.stop()
            with self.subTest(kind.name):
                self.assert_verdicts(replies, lambda case: case.expected())


class WrongClockTest(unittest.TestCase):
    """A lab that was made in two months' time: seen from there, dotward's clock is slow."""

    def test_R6_the_clock_is_said_to_be_the_cause(self):
        with dnssec_lab.ZoneLab(shift=60 * 86400) as place:
            server = place.serve_validating()
            for name in ("www.nsec.lab", "www.alg8.lab", "missing.nsec3.lab"):
                reply = dnssec_lab.ask(server.address, server.port, name, "A")
                self.assertEqual(reply.verdict(), ("SERVFAIL", False), f"{name}: {reply}")
                self.assertIn(8, reply.codes(), f"{name}: {reply}")
                self.assertIn("the clock is wrong", str(reply))


if __name__ == "__main__":
    lab.main()
