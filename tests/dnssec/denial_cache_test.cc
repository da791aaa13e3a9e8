#include "dnssec/denial_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "dnssec/dnssec_limits.h"
#include "dnssec/name_tools.h"
#include "dnssec/test_signer.h"
#include "dotward/message.h"

namespace dotward {
namespace {

using std::chrono::seconds;

Name N(std::string_view text) { return *Name::Parse(text); }

class DenialCacheTest : public testing::Test {
 protected:
  // Everything in the response counts as verified.
  void Learn(const MessageBuilder& builder, std::string_view zone = "example.", uint32_t ttl = 300) {
    const Octets octets = builder.Build();
    const absl::StatusOr<Message> message = ParseResponse(octets);
    ASSERT_TRUE(message.ok()) << message.status();
    const auto rrsets = GroupRrsets(message->scan(), [](size_t) { return true; });
    ASSERT_TRUE(rrsets);
    for (const Rrset& rrset : *rrsets) {
      if (rrset.section == Section::kAuthority) {
        cache_.AddDenial(N(zone), message->scan(), rrset, ttl, now_);
      } else {
        const size_t labels = ReadSignature(message->scan(), message->scan().records[rrset.signatures.at(0)])->labels;
        cache_.AddWildcard(N(zone), message->scan(), rrset, labels, ttl, now_);
      }
    }
  }

  std::optional<Octets> Ask(std::string_view name, uint16_t type = rr_type::kA) {
    WorkBudget budget;
    return cache_.Answer(N(name), type, zone_octets_min_, now_, budget);
  }

  // "NXDOMAIN 3": the RCODE and the records of the authority section; empty where nothing is known.
  std::string Outcome(std::string_view name, uint16_t type = rr_type::kA) {
    const std::optional<Octets> answer = Ask(name, type);
    if (!answer) return "";
    const absl::StatusOr<Message> message = ParseResponse(*answer);
    if (!message.ok()) return "unreadable";
    size_t authority = 0;
    for (const RecordEdges& record : message->scan().records) {
      authority += record.section == Section::kAuthority ? size_t{1} : size_t{0};
    }
    return RcodeToString(message->scan().rcode()) + " " + std::to_string(authority);
  }

  static MessageBuilder Response() {
    return MessageBuilder(1).Flags(header_flag::kQr).Question("q.example.", rr_type::kA);
  }
  static MessageBuilder WithSoa() { return Response().Authority("example.", 300, Soa(120)); }

  SteadyTime now_{std::chrono::hours(1)};
  size_t zone_octets_min_ = 1;
  DenialCache cache_;
  const TestSigner signer_{"example."};
};

// The zone of RFC 4035 appendix A: apex, a, ai, b (a delegation), ns1, *.w, x.w, x.y.w, xx.
class NsecDenialCacheTest : public DenialCacheTest {
 protected:
  void LearnApex() { LearnRange("example.", "a.example.", {rr_type::kNs, rr_type::kSoa, rr_type::kMx}); }
  void LearnRange(std::string_view owner, std::string_view next, std::initializer_list<uint16_t> types) {
    Learn(WithSoa().Authority(owner, 300, Nsec(next, types)));
  }
};

TEST_F(NsecDenialCacheTest, KnowsNothingBeforeItHasLearned) {
  EXPECT_EQ(Outcome("c.example."), "");
  LearnApex();
  EXPECT_EQ(Outcome("c.example."), "") << "the range alone says nothing about c";
  EXPECT_EQ(Outcome("c.example.net."), "");
}

TEST_F(NsecDenialCacheTest, DeniesEveryNameOfARangeWhereTheWildcardIsDeniedToo) {
  LearnRange("ai.example.", "b.example.", {rr_type::kA});
  EXPECT_EQ(Outcome("am.example."), "") << "*.example. may exist";
  LearnApex();
  EXPECT_EQ(Outcome("am.example."), "NXDOMAIN 3") << "SOA and two ranges";
  EXPECT_EQ(Outcome("x.y.AN.Example.", rr_type::kMx), "NXDOMAIN 3");
  EXPECT_EQ(Outcome("ai.example."), "") << "it has that";
  EXPECT_EQ(Outcome("ai.example.", rr_type::kMx), "NOERROR 2") << "it exists and has no such type";
  EXPECT_EQ(Outcome("b.example."), "") << "the next name exists";
  EXPECT_EQ(Outcome("c.example."), "");
}

TEST_F(NsecDenialCacheTest, OneRangeMayDenyNameAndWildcard) {
  LearnRange("example.", "b.example.", {rr_type::kNs, rr_type::kSoa});
  EXPECT_EQ(Outcome("a.example."), "NXDOMAIN 2");
}

TEST_F(NsecDenialCacheTest, SaysNothingAboutWhatIsBelowADelegation) {
  LearnApex();
  LearnRange("b.example.", "ns1.example.", {rr_type::kNs});
  EXPECT_EQ(Outcome("www.b.example."), "");
  EXPECT_EQ(Outcome("b.example.", rr_type::kMx), "") << "the child's business";
  EXPECT_EQ(Outcome("b.example.", rr_type::kDs), "NOERROR 2") << "the parent's";
  EXPECT_EQ(Outcome("c.example."), "NXDOMAIN 3");
}

TEST_F(NsecDenialCacheTest, LastRangeLeadsBackToTheApex) {
  LearnApex();
  LearnRange("xx.example.", "example.", {rr_type::kA});
  EXPECT_EQ(Outcome("zz.example."), "NXDOMAIN 3");
  EXPECT_EQ(Outcome("y.example."), "NXDOMAIN 3");
}

TEST_F(NsecDenialCacheTest, AnEmptyNonTerminalHasNoData) {
  LearnRange("x.w.example.", "x.y.w.example.", {rr_type::kMx});
  EXPECT_EQ(Outcome("y.w.example."), "NOERROR 2");
}

TEST_F(NsecDenialCacheTest, WildcardWithoutTheTypeIsNoData) {
  LearnRange("x.y.w.example.", "xx.example.", {rr_type::kMx});
  LearnRange("*.w.example.", "x.w.example.", {rr_type::kMx});
  EXPECT_EQ(Outcome("a.z.w.example.", rr_type::kAaaa), "NOERROR 3");
  EXPECT_EQ(Outcome("a.z.w.example.", rr_type::kMx), "") << "what the wildcard says has not been seen";
}

TEST_F(NsecDenialCacheTest, WildcardAnswersForNamesOfARange) {
  LearnRange("x.y.w.example.", "xx.example.", {rr_type::kMx});
  Learn(Response()
            .Answer("a.z.w.example.", 300, A("192.0.2.7"))
            .Answer("a.z.w.example.", 300, signer_.Sign("*.w.example.", 300, {A("192.0.2.7")})));
  const std::optional<Octets> answer = Ask("other.zz.W.example.");
  ASSERT_TRUE(answer);
  const absl::StatusOr<Message> message = ParseResponse(*answer);
  ASSERT_TRUE(message.ok());
  const ScannedMessage& scan = message->scan();
  EXPECT_TRUE(scan.authentic_data());
  ASSERT_EQ(scan.records.size(), 3U) << "the address, its signature, the range that the name falls into";
  EXPECT_EQ(scan.records[0].type, rr_type::kA);
  EXPECT_EQ(OwnerOf(scan, scan.records[0]), N("other.zz.w.example."));
  EXPECT_EQ(scan.records[1].type, rr_type::kRrsig);
  EXPECT_EQ(scan.records[2].type, rr_type::kNsec);
  EXPECT_EQ(Outcome("other.zz.w.example.", rr_type::kTxt), "") << "another type";
  EXPECT_EQ(Outcome("a.b.w.example."), "") << "not in the range";
}

TEST_F(NsecDenialCacheTest, ForgetsWhenTheTimeIsOver) {
  Learn(WithSoa().Authority("example.", 300, Nsec("b.example.", {rr_type::kNs, rr_type::kSoa})), "example.", 60);
  now_ += seconds(59);
  const std::optional<Octets> answer = Ask("a.example.");
  ASSERT_TRUE(answer);
  const Message message = *ParseResponse(*answer);
  for (const RecordEdges& record : message.scan().records) EXPECT_EQ(record.ttl, 1U);
  now_ += seconds(1);
  EXPECT_EQ(Outcome("a.example."), "");
}

TEST_F(NsecDenialCacheTest, ZonesAboveWhatHasASayAreNotHeard) {
  LearnRange("example.", "www.example.", {rr_type::kNs, rr_type::kSoa});
  EXPECT_EQ(Outcome("host.corp.example."), "NXDOMAIN 2");
  zone_octets_min_ = N("corp.example.").wire().size();
  EXPECT_EQ(Outcome("host.corp.example."), "");
}

TEST_F(NsecDenialCacheTest, RecordsOfAnotherZoneAreNotTaken) {
  Learn(WithSoa().Authority("example.", 300, Nsec("b.example.", {rr_type::kNs, rr_type::kSoa})), "sub.example.");
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(NsecDenialCacheTest, AnswersCarryTheSignatures) {
  const Rdata nsec = Nsec("b.example.", {rr_type::kNs, rr_type::kSoa});
  Learn(WithSoa()
            .Authority("example.", 300, signer_.Sign("example.", 300, {Soa(120)}))
            .Authority("example.", 300, nsec)
            .Authority("example.", 300, signer_.Sign("example.", 300, {nsec})));
  EXPECT_EQ(Outcome("a.example."), "NXDOMAIN 4");
}

// Every answer that is given without asking is one that the zone's own records prove, which is what DenialProof says of
// the records in it; here that what is denied is really not there.
TEST_F(NsecDenialCacheTest, NeverDeniesWhatExists) {
  std::mt19937 random(7);
  const auto label = [&] { return std::string(1, static_cast<char>('a' + random() % 6)); };
  for (int round = 0; round < 40; ++round) {
    cache_.Clear();
    std::map<std::string, std::string> names;  // in canonical order
    names[CanonicalKey(N("example."))] = "example.";
    for (int n = 0; n < 12; ++n) {
      std::string name = label() + ".example.";
      for (auto more = random() % 3; more > 0; --more) name.insert(0, (random() % 8 == 0 ? "*" : label()) + ".");
      names[CanonicalKey(N(name))] = name;
    }
    for (auto at = names.begin(); at != names.end(); ++at) {
      if (random() % 2 == 0) continue;
      const auto next = std::next(at) == names.end() ? names.begin() : std::next(at);
      const bool apex = at == names.begin();
      LearnRange(at->second, next->second,
                 apex ? std::initializer_list<uint16_t>{rr_type::kNs, rr_type::kSoa}
                      : std::initializer_list<uint16_t>{rr_type::kA});
    }
    for (const auto& [key, name] : names) {
      if (name == "example.") continue;
      EXPECT_EQ(Outcome(name), "") << name;
      // What has something below it exists.
      for (Name above = N(name).Parent(); !(above == N("example.")); above = above.Parent()) {
        EXPECT_NE(Outcome(above.ToString()).substr(0, 8), "NXDOMAIN") << above.ToString();
      }
      if (name[0] == '*') {
        EXPECT_EQ(Outcome("q" + name.substr(1)), "") << "the wildcard " << name << " answers";
      }
    }
  }
}

class Nsec3DenialCacheTest : public DenialCacheTest {
 protected:
  // The ranges of a zone with these names.
  void LearnZone(std::set<std::string> names, uint16_t iterations = 0, uint8_t flags = 0) {
    std::map<std::string, std::string> by_hash;
    for (const std::string& name : names) by_hash[Nsec3Hash(name, iterations)] = name;
    for (auto at = by_hash.begin(); at != by_hash.end(); ++at) {
      const auto next = std::next(at) == by_hash.end() ? by_hash.begin() : std::next(at);
      const bool apex = at->second == "example.";
      Learn(WithSoa().Authority(at->first + ".example.", 300,
                                apex ? Nsec3(next->first, {rr_type::kNs, rr_type::kSoa}, flags, iterations)
                                     : Nsec3(next->first, {rr_type::kA}, flags, iterations)));
    }
  }
};

TEST_F(Nsec3DenialCacheTest, DeniesNamesByHash) {
  LearnZone({"example.", "www.example.", "mail.example.", "a.b.example.", "b.example."});
  EXPECT_EQ(Outcome("nothing.example.").substr(0, 8), "NXDOMAIN");
  EXPECT_EQ(Outcome("x.www.example.").substr(0, 8), "NXDOMAIN");
  EXPECT_EQ(Outcome("www.example."), "");
  EXPECT_EQ(Outcome("www.example.", rr_type::kMx), "NOERROR 2");
}

TEST_F(Nsec3DenialCacheTest, OptOutAndManyIterationsProveNothing) {
  LearnZone({"example.", "www.example."}, 0, 1);
  EXPECT_EQ(Outcome("nothing.example."), "");
  LearnZone({"example.", "www.example."}, DnssecLimits::kNsec3IterationsMax + 1);
  EXPECT_EQ(Outcome("nothing.example."), "");
  LearnZone({"example.", "www.example."}, DnssecLimits::kNsec3IterationsMax);
  EXPECT_EQ(Outcome("nothing.example.").substr(0, 8), "NXDOMAIN");
}

TEST_F(Nsec3DenialCacheTest, ZoneThatIsHashedAnewIsLearnedAnew) {
  LearnZone({"example.", "www.example."}, 0);
  LearnZone({"example.", "www.example."}, 5);
  EXPECT_EQ(Outcome("nothing.example.").substr(0, 8), "NXDOMAIN");
  EXPECT_EQ(cache_.size(), 3U) << "an SOA and two ranges";
}

TEST_F(Nsec3DenialCacheTest, NamesThatAreDearToHashAreAskedFor) {
  LearnZone({"example.", "www.example."});
  const auto deep = [](unsigned labels) {
    std::string name = "example.";
    for (unsigned n = 0; n < labels; ++n) name.insert(0, "x.");
    return name;
  };
  EXPECT_EQ(Outcome(deep(10)).substr(0, 8), "NXDOMAIN");
  EXPECT_EQ(Outcome(deep(60)), "");
  LearnZone({"example.", "www.example."}, DnssecLimits::kNsec3IterationsMax);
  EXPECT_EQ(Outcome(deep(3)).substr(0, 8), "NXDOMAIN");
  EXPECT_EQ(Outcome(deep(10)), "");
}

TEST_F(NsecDenialCacheTest, MemoryStaysWithinItsBound) {
  DenialCache small(50'000);
  for (int n = 0; n < 2'000; ++n) {
    const std::string zone = "z" + std::to_string(n) + ".example.";
    const Octets octets = MessageBuilder(1)
                              .Flags(header_flag::kQr)
                              .Question("q." + zone, rr_type::kA)
                              .Authority(zone, 300, Soa(120))
                              .Authority(zone, 300, Nsec("b." + zone, {rr_type::kNs, rr_type::kSoa}))
                              .Build();
    const absl::StatusOr<Message> message = ParseResponse(octets);
    ASSERT_TRUE(message.ok());
    const auto rrsets = GroupRrsets(message->scan(), [](size_t) { return true; });
    for (const Rrset& rrset : *rrsets) {
      small.AddDenial(N(zone), message->scan(), rrset, 300, now_);
    }
    ASSERT_LE(small.octets(), 50'000U);
    WorkBudget budget;
    ASSERT_TRUE(small.Answer(N("a." + zone), rr_type::kA, 1, now_, budget));
  }
  EXPECT_GT(small.size(), 20U);
  WorkBudget budget;
  EXPECT_FALSE(small.Answer(N("a.z0.example."), rr_type::kA, 1, now_, budget))
      << "what was not used for longest has gone";
}

}  // namespace
}  // namespace dotward
