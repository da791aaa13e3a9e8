#!/usr/bin/env python3
"""What clients ask and get, with dig and kdig: the real binary before a real Unbound before a real NSD."""

import struct
import time

import lab

# Questions that one client may have waiting (limits.waiting_per_client).
AT_ONCE = 200


class AnswersTest(lab.LabTestCase):
    def assert_fresh(self, ttls, wanted):
        """The TTLs are these, or all a second less: Unbound's clock may strike between its question and its answer."""
        self.assertIn(ttls, (wanted, [ttl - 1 for ttl in wanted]))

    # --- plain answers ---

    def test_address_arrives(self):
        reply = self.dig("www.plain.example", "A")
        self.assertEqual(reply.status, "NOERROR")
        self.assertEqual(reply.data("A"), ["192.0.2.7"])
        self.assertEqual(self.dig("www.plain.example", "AAAA").data("AAAA"), ["2001:db8::7"])

    def test_R3_flags_are_those_of_a_resolver(self):
        for _ in ("from upstream", "from the cache"):
            self.assertEqual(self.dig("mixed.plain.example", "A").flags, {"qr", "rd", "ra"})

    def test_second_answer_comes_from_the_cache_and_has_aged(self):
        first = self.dig("a.wild.plain.example", "A")
        seen = len(self.lab.queries_seen())
        self.assert_fresh(first.ttl("A"), [300])
        lab.within(5, lambda: self.dig("a.wild.plain.example", "A").ttl("A") < first.ttl("A"), "the TTL falls")
        self.assertEqual(len(self.lab.queries_seen()), seen)

    def test_C1_expired_record_is_asked_for_again(self):
        self.dig("short.plain.example", "A")
        seen = sum("short.plain" in line for line in self.lab.queries_seen())

        def asked_again():
            self.assertEqual(self.dig("short.plain.example", "A").data("A"), ["192.0.2.1"])
            return sum("short.plain" in line for line in self.lab.queries_seen()) > seen

        lab.within(5, asked_again, "a record of one second is asked for again")

    def test_cname_chain_arrives_whole_and_each_ttl_is_its_own(self):
        reply = self.dig("one.plain.example", "A")
        self.assertEqual(reply.types(), ["CNAME", "CNAME", "A"])
        self.assert_fresh([int(record[1]) for record in reply.answer], [300, 200, 100])

    def test_tcp_answers_as_udp_does(self):
        self.assertEqual(self.dig("+tcp", "www.plain.example", "A").data("A"), ["192.0.2.7"])
        printed = lab.run("kdig", f"@{self.lab.address}", "-p", str(self.server.port), "+tcp", "www.plain.example", "A")
        self.assertIn("status: NOERROR", printed)
        self.assertIn("192.0.2.7", printed)
        self.assertIn("(TCP)", printed)

    def test_S3_pipelined_queries_on_one_connection_are_all_answered(self):
        queries = [lab.query(f"p{number}.wild.plain.example", query_id=number) for number in range(100)]
        replies = lab.ask_tcp(self.lab.address, self.server.port, queries)
        self.assertEqual({struct.unpack("!H", reply[:2])[0] for reply in replies}, set(range(100)))
        self.assertEqual({lab.rcode(reply) for reply in replies}, {0})

    def test_Q9_question_keeps_the_clients_case(self):
        for name in ("CaSe.WiLd.PlAiN.eXaMpLe.", "cAsE.wIlD.pLaIn.ExAmPlE."):
            reply = self.dig(name, "A")
            self.assertEqual(reply.question[0][0], name)
            self.assertEqual(reply.data("A"), ["192.0.2.10"])
        asked = [line for line in self.lab.queries_seen() if "case.wild.plain.example" in line.lower()]
        self.assertEqual(len(asked), 1)

    def test_Q6_unknown_type_passes_through_and_is_cached(self):
        for _ in range(2):
            self.assertEqual(self.dig("opaque.plain.example", "TYPE65280").data("TYPE65280"), ["\\# 5 0102030405"])
        self.assertEqual(sum("opaque.plain" in line for line in self.lab.queries_seen()), 1)

    # --- negative answers ---

    def test_C4_nxdomain_comes_with_its_soa_and_both_age(self):
        first = self.dig("missing.plain.example", "A")
        self.assertEqual(first.status, "NXDOMAIN")
        self.assert_fresh(first.ttl("SOA", "authority"), [60])

        def aged():
            again = self.dig("missing.plain.example", "A")
            self.assertEqual(again.status, "NXDOMAIN")
            return again.ttl("SOA", "authority") < first.ttl("SOA", "authority")

        lab.within(5, aged, "the TTL of the SOA falls")
        self.assertEqual(sum("missing.plain" in line for line in self.lab.queries_seen()), 1)

    def test_C4_nodata_comes_with_its_soa(self):
        for _ in range(2):
            reply = self.dig("mixed.plain.example", "AAAA")
            self.assertEqual((reply.status, reply.answer), ("NOERROR", []))
            self.assertEqual([record[3] for record in reply.authority], ["SOA"])

    def test_C5_nxdomain_stands_for_every_type(self):
        self.assertEqual(self.dig("nothing.plain.example", "A").status, "NXDOMAIN")
        self.assertEqual(self.dig("nothing.plain.example", "MX").status, "NXDOMAIN")
        self.assertEqual(sum("nothing.plain" in line for line in self.lab.queries_seen()), 1)

    def test_nxdomain_behind_a_cname_keeps_the_cname(self):
        reply = self.dig("dangling.plain.example", "A")
        self.assertEqual((reply.status, reply.types()), ("NXDOMAIN", ["CNAME"]))

    # --- DNSSEC ---

    def test_signatures_and_ad_arrive_with_do_and_not_without(self):
        with_do = self.dig("+dnssec", "www.signed.example", "A")
        self.assertEqual(with_do.types(), ["A", "RRSIG"])
        self.assertEqual(with_do.flags, {"qr", "rd", "ra", "ad"})
        self.assertIn("do", with_do.edns.group(2))
        without = self.dig("+noadflag", "www.signed.example", "A")
        self.assertEqual(without.types(), ["A"])
        self.assertEqual(without.flags, {"qr", "rd", "ra"})
        self.assertNotIn("do", without.edns.group(2))

    def test_R4_ad_arrives_with_the_ad_flag_alone(self):
        for _ in ("from upstream", "from the cache"):
            reply = self.dig("+adflag", "+noedns", "www.signed.example", "A")
            self.assertEqual((reply.types(), reply.flags), (["A"], {"qr", "rd", "ra", "ad"}))

    def test_R4_unsigned_answers_never_have_ad(self):
        self.assertNotIn("ad", self.dig("+dnssec", "www.plain.example", "A").flags)

    def test_R6_bogus_answer_is_servfail_and_says_why(self):
        for _ in ("from upstream", "again"):
            reply = self.dig("www.bogus.example", "A")
            self.assertEqual((reply.status, reply.answer), ("SERVFAIL", []))
            # Behind it EDE 13 where the failure is remembered from a question before.
            self.assertEqual([code for code, _ in reply.ede][:1], [6])
            self.assertIn("lab", reply.ede[0][1])

    def test_R5_C7_checking_disabled_gets_the_bogus_data_and_keeps_it_to_itself(self):
        unchecked = self.dig("+cdflag", "www.bogus.example", "A")
        self.assertEqual((unchecked.status, unchecked.data("A")), ("NOERROR", ["192.0.2.66"]))
        self.assertIn("cd", unchecked.flags)
        self.assertEqual(self.dig("+nocdflag", "www.bogus.example", "A").status, "SERVFAIL")

    # --- size ---

    def test_S1_large_answer_is_truncated_over_udp_and_whole_over_tcp(self):
        for name, records, octets in (("large", 8, 2400), ("huge", 40, 12000)):
            with self.subTest(name):
                cut = self.dig("+ignore", f"{name}.plain.example", "TXT")
                self.assertIn("tc", cut.flags)
                self.assertLessEqual(cut.size, 1232)
                self.assertIsNotNone(cut.edns)
                whole = self.dig(f"{name}.plain.example", "TXT")
                self.assertNotIn("tc", whole.flags)
                self.assertEqual(len(whole.data("TXT")), records)
                self.assertGreater(whole.size, octets)

    def test_S1_without_edns_the_limit_is_512(self):
        cut = self.dig("+ignore", "+noedns", "large.plain.example", "TXT")
        self.assertIn("tc", cut.flags)
        self.assertLessEqual(cut.size, 512)
        self.assertIsNone(cut.edns)

    def test_S1_signed_large_answer_is_whole_over_tcp(self):
        whole = self.dig("+dnssec", "+tcp", "large.signed.example", "TXT")
        self.assertEqual(sorted(whole.types()), ["RRSIG"] + ["TXT"] * 8)
        self.assertIn("ad", whole.flags)

    # --- what is answered here ---

    def test_Q8_any_is_one_hinfo(self):
        reply = self.dig("+notcp", "www.plain.example", "ANY")
        self.assertEqual((reply.status, reply.types()), ("NOERROR", ["HINFO"]))
        self.assertIn("RFC8482", reply.answer[0][4])

    def test_Q8_zone_transfer_is_refused(self):
        query = lab.query("plain.example", 252)
        (reply,) = lab.ask_tcp(self.lab.address, self.server.port, [query])
        self.assertEqual(lab.rcode(reply), 5)

    def test_Q7_chaos_names_are_answered_here(self):
        reply = self.dig("version.bind", "CH", "TXT")
        self.assertEqual((reply.status, len(reply.data("TXT"))), ("NOERROR", 1))
        self.assertIn("dotward", reply.data("TXT")[0])
        self.assertEqual(self.dig("authors.bind", "CH", "TXT").status, "REFUSED")
        self.assertEqual([line for line in self.lab.queries_seen() if ".bind" in line], [])

    def test_Q10_without_rd_only_the_cache_answers(self):
        self.assertEqual(self.dig("+norecurse", "never.asked.plain.example", "A").status, "REFUSED")
        self.dig("cached.wild.plain.example", "A")
        reply = self.dig("+norecurse", "cached.wild.plain.example", "A")
        self.assertEqual((reply.status, reply.flags), ("NOERROR", {"qr", "ra"}))
        self.assertEqual([line for line in self.lab.queries_seen() if "never.asked" in line], [])

    def test_E1_unknown_edns_version_is_badvers(self):
        reply = self.dig("+edns=1", "+noednsnegotiation", "www.plain.example", "A")
        self.assertEqual((reply.status, reply.edns.group(1)), ("BADVERS", "0"))

    def test_Q3_other_opcode_is_notimp(self):
        reply = self.dig("+opcode=STATUS", "www.plain.example", "A")
        self.assertEqual((reply.status, reply.opcode), ("NOTIMP", "STATUS"))

    # --- upstream's side ---

    def test_C9_identical_questions_at_once_are_asked_once(self):
        queries = [lab.query("crowd.wild.plain.example", query_id=number) for number in range(AT_ONCE)]
        replies = lab.ask_all(self.lab.address, self.server.port, queries, 10)
        self.assertEqual((len(replies), {lab.rcode(reply) for reply in replies.values()}), (AT_ONCE, {0}))
        self.assertEqual(sum("crowd.wild" in line for line in self.lab.queries_seen()), 1)

    def test_all_questions_share_one_connection(self):
        relay = self.lab.relay()
        server = self.lab.serve(self.lab.config(port=5400, dot_port=lab.RELAY_PORT), port=5400)
        queries = [lab.query(f"c{number}.wild.plain.example", query_id=number) for number in range(AT_ONCE)]
        start = time.monotonic()
        replies = lab.ask_all(self.lab.address, server.port, queries, 10)
        self.assertEqual((len(replies), {lab.rcode(reply) for reply in replies.values()}), (AT_ONCE, {0}))
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(relay.connections, 1)


class AccessTest(lab.LabTestCase):
    extra = "access:\n  allow: [192.0.2.0/24]\n"

    def test_A1_client_that_may_not_ask_learns_nothing(self):
        questions = ("www.plain.example", "A"), ("+norecurse", "a.plain.example", "A"), ("version.bind", "CH", "TXT")
        for question in questions:
            reply = self.dig(*question)
            self.assertEqual((reply.status, reply.answer), ("REFUSED", []))
            self.assertEqual([code for code, _ in reply.ede], [18])
        self.assertEqual([line for line in self.lab.queries_seen() if "plain.example" in line], [])


if __name__ == "__main__":
    lab.main()
