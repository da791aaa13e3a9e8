#include "policy/policy.h"

#include <gtest/gtest.h>

#include <string>

#include "base/strings.h"
#include "dns/reply.h"
#include "dotward/message.h"
#include "testing/messages.h"

namespace dotward {
namespace {

constexpr SteadyTime kNow{std::chrono::hours(24)};

Config ConfigFor(AnyPolicy any = AnyPolicy::kMinimal, RefuseWith refuse_with = RefuseWith::kRefused) {
  Config config;
  config.access.allow = {*IpPrefix::Parse("192.0.2.0/24"), *IpPrefix::Parse("2001:db8::/32"),
                         *IpPrefix::Parse("0.0.0.0/8"),    *IpPrefix::Parse("224.0.0.0/3"),
                         *IpPrefix::Parse("ff00::/8"),     *IpPrefix::Parse("::/128")};
  config.access.refuse_with = refuse_with;
  config.query.any = any;
  return config;
}

ServerIdentity FullIdentity() {
  ServerIdentity identity;
  identity.hostname = "resolver-1";
  identity.cache_figures = [] {
    return CacheFigures{.size = 67'108'864, .insertions = 3410, .evictions = 12, .hits = 91'822, .misses = 3411};
  };
  return identity;
}

// A query together with the octets that it borrows.
struct Query {
  Query(std::string_view name, uint16_t type, uint16_t klass = rr_class::kIn)
      : octets(MessageBuilder::Query(0x1234, name, type, klass).WithEdns({}).Build()), parsed(ParseQuery(octets)) {
    EXPECT_EQ(parsed.outcome, QueryOutcome::kAccepted);
  }
  Octets octets;
  ParsedQuery parsed;
};

PolicyDecision Evaluate(const Policy& policy, const Query& query, std::string_view client = "192.0.2.7:40000") {
  return policy.Evaluate(query.parsed.message.scan(), *Endpoint::Parse(client), kNow);
}

// The reply that the client would get from a decision that is one.
MessageRead ReplyTo(const Query& query, const PolicyDecision& decision) {
  const ReplyContext context = MakeReplyContext(query.parsed.message.scan(), ReplyChannel::kDatagram, 1232);
  Octets reply(1232);
  reply.resize(decision.verdict == PolicyVerdict::kAnswer
                   ? RenderReply(*decision.image, context, 0, decision.errors, reply)
                   : RenderError(decision.rcode, decision.errors, context, reply));
  return MustReadMessage(reply);
}

void ExpectRefused(const PolicyDecision& decision, Rcode rcode, EdeCode code) {
  EXPECT_EQ(decision.verdict, PolicyVerdict::kRefuse);
  EXPECT_EQ(decision.rcode, rcode);
  ASSERT_EQ(decision.errors.size(), 1U);
  EXPECT_EQ(decision.errors[0].code, code);
  EXPECT_FALSE(decision.image);
}

TEST(PolicyTest, OrdinaryQueryProceeds) {
  const Policy policy(ConfigFor(), FullIdentity());
  for (const uint16_t type : {rr_type::kA, rr_type::kAaaa, rr_type::kHttps, rr_type::kRrsig, rr_type::kNsec3,
                              uint16_t{127}, uint16_t{256}, uint16_t{257}, uint16_t{65280}, uint16_t{65535}}) {
    const Query query("www.example.", type);
    EXPECT_EQ(Evaluate(policy, query).verdict, PolicyVerdict::kProceed) << type;
  }
}

TEST(PolicyTest, RecursionDesiredMakesNoDifference) {
  const Policy policy(ConfigFor(), FullIdentity());
  Query query("www.example.", rr_type::kA);
  query.octets = MessageBuilder(1).Question("www.example.", rr_type::kA).Build();
  query.parsed = ParseQuery(query.octets);
  EXPECT_EQ(Evaluate(policy, query).verdict, PolicyVerdict::kProceed);
}

TEST(PromiseA1, OutsiderIsRefusedAsProhibited) {
  const Policy policy(ConfigFor(), FullIdentity());
  const Query query("www.example.", rr_type::kA);
  const PolicyDecision decision = Evaluate(policy, query, "198.51.100.1:40000");
  ExpectRefused(decision, Rcode::kRefused, EdeCode::kProhibited);
  const MessageRead reply = ReplyTo(query, decision);
  EXPECT_EQ(reply.rcode, 5);
  ASSERT_NE(reply.edns->options.data(), nullptr);
  const EdnsOption* const ede = reply.FindOption(edns_option::kEde);
  ASSERT_NE(ede, nullptr);
  EXPECT_EQ(ede->data, Octets({0, 18}));
  ExpectRefused(Evaluate(policy, query, "[2001:db9::1]:40000"), Rcode::kRefused, EdeCode::kProhibited);
}

TEST(PromiseA1, OutsiderGetsTheSameWhateverTheQuestion) {
  const Policy policy(ConfigFor(), FullIdentity());
  for (const auto& [name, type, klass] : std::initializer_list<std::tuple<const char*, uint16_t, uint16_t>>{
           {"www.example.", rr_type::kA, rr_class::kIn},
           {"version.bind.", rr_type::kTxt, rr_class::kCh},
           {"www.example.", rr_type::kA, rr_class::kHs},
           {"www.example.", rr_type::kAny, rr_class::kIn},
           {"www.example.", rr_type::kAxfr, rr_class::kIn},
           {"www.example.", rr_type::kMaila, rr_class::kIn}}) {
    const Query query(name, type, klass);
    ExpectRefused(Evaluate(policy, query, "198.51.100.1:40000"), Rcode::kRefused, EdeCode::kProhibited);
  }
}

TEST(PromiseA1, OutsiderIsDroppedWhereTheConfigurationSaysSo) {
  const Policy policy(ConfigFor(AnyPolicy::kMinimal, RefuseWith::kDrop), FullIdentity());
  const Query query("version.bind.", rr_type::kTxt, rr_class::kCh);
  EXPECT_EQ(Evaluate(policy, query, "198.51.100.1:40000").verdict, PolicyVerdict::kDrop);
  EXPECT_EQ(Evaluate(policy, query).verdict, PolicyVerdict::kAnswer);
}

TEST(PromiseA1, ClientIsJudgedWithoutAQueryToo) {
  const Policy policy(ConfigFor(), FullIdentity());
  EXPECT_EQ(policy.EvaluateClient(*Endpoint::Parse("192.0.2.1:53")).verdict, PolicyVerdict::kProceed);
  ExpectRefused(policy.EvaluateClient(*Endpoint::Parse("198.51.100.1:40000")), Rcode::kRefused, EdeCode::kProhibited);
}

TEST(PromiseA1, RefusalToAnOutsiderIsHardlyLongerThanItsQuery) {
  const Policy policy(ConfigFor(), FullIdentity());
  const Query query("www.example.", rr_type::kA);
  const PolicyDecision decision = Evaluate(policy, query, "198.51.100.1:40000");
  Octets reply(1232);
  const size_t octets =
      RenderError(decision.rcode, decision.errors,
                  MakeReplyContext(query.parsed.message.scan(), ReplyChannel::kDatagram, 1232), reply);
  EXPECT_LE(octets, query.octets.size() + 6);
}

TEST(PromiseX14, PortsOfServicesThatAnswerAnythingAreDropped) {
  const Policy policy(ConfigFor(), FullIdentity());
  const Query query("www.example.", rr_type::kA);
  for (const uint16_t port : std::initializer_list<uint16_t>{0, 7, 13, 17, 19}) {
    for (const char* address : {"192.0.2.7", "2001:db8::7", "198.51.100.1"}) {
      const Endpoint client{*IpAddress::Parse(address), port};
      EXPECT_EQ(policy.Evaluate(query.parsed.message.scan(), client, kNow).verdict, PolicyVerdict::kDrop)
          << client.ToString();
      EXPECT_EQ(policy.EvaluateClient(client).verdict, PolicyVerdict::kDrop) << client.ToString();
    }
  }
  for (const uint16_t port : std::initializer_list<uint16_t>{1, 6, 8, 12, 14, 16, 18, 20, 53, 1024, 65535}) {
    const Endpoint client{*IpAddress::Parse("192.0.2.7"), port};
    EXPECT_EQ(policy.Evaluate(query.parsed.message.scan(), client, kNow).verdict, PolicyVerdict::kProceed) << port;
  }
}

// The list of ConfigFor allows all of these.
TEST(PromiseX14, SourcesThatNoHostMayUseAreDroppedEvenWhereTheyAreAllowed) {
  const Policy policy(ConfigFor(), FullIdentity());
  const Query query("www.example.", rr_type::kA);
  for (const char* client : {"0.0.0.0:40000", "0.1.2.3:40000", "224.0.0.1:40000", "239.255.255.255:40000",
                             "255.255.255.255:40000", "[::]:40000", "[ff02::1]:40000"}) {
    EXPECT_EQ(Evaluate(policy, query, client).verdict, PolicyVerdict::kDrop) << client;
  }
  EXPECT_EQ(Evaluate(policy, query, "255.255.255.254:40000").verdict, PolicyVerdict::kProceed);
}

TEST(PromiseQ7, NamesOfTheServerAreAnsweredInClassCh) {
  const Policy policy(ConfigFor(), FullIdentity());
  const std::string version = StrCat("dotward ", DOTWARD_VERSION);
  for (const auto& [name, text] :
       std::initializer_list<std::pair<const char*, std::string>>{{"version.bind.", version},
                                                                  {"VERSION.Bind.", version},
                                                                  {"version.server.", version},
                                                                  {"id.server.", "resolver-1"},
                                                                  {"hostname.bind.", "resolver-1"},
                                                                  {"cachesize.bind.", "67108864"},
                                                                  {"insertions.bind.", "3410"},
                                                                  {"evictions.bind.", "12"},
                                                                  {"hits.bind.", "91822"},
                                                                  {"misses.bind.", "3411"}}) {
    for (const uint16_t type : {rr_type::kTxt, rr_type::kAny}) {
      const Query query(name, type, rr_class::kCh);
      const PolicyDecision decision = Evaluate(policy, query);
      ASSERT_EQ(decision.verdict, PolicyVerdict::kAnswer) << name;
      EXPECT_EQ(decision.image->lifetime_seconds(), 0U) << "not for the cache";
      const MessageRead reply = ReplyTo(query, decision);
      EXPECT_EQ(reply.rcode, 0);
      ASSERT_EQ(reply.answers.size(), 1U) << name;
      EXPECT_EQ(reply.answers[0].name, name) << "the owner is spelt as it was asked";
      EXPECT_EQ(reply.answers[0].type, rr_type::kTxt);
      EXPECT_EQ(reply.answers[0].klass, rr_class::kCh);
      EXPECT_EQ(reply.answers[0].ttl, 0U);
      EXPECT_EQ(reply.answers[0].rdata, Txt(text).octets) << name;
    }
  }
}

TEST(PromiseQ7, OtherNamesAndTypesOfClassChAreRefused) {
  const Policy policy(ConfigFor(), FullIdentity());
  for (const auto& [name, type] :
       std::initializer_list<std::pair<const char*, uint16_t>>{{"version.bind.", rr_type::kA},
                                                               {"www.example.", rr_type::kTxt},
                                                               {"bind.", rr_type::kTxt},
                                                               {".", rr_type::kAny},
                                                               {"authors.bind.", rr_type::kTxt},
                                                               {"version.bind.example.", rr_type::kTxt},
                                                               {"a.version.bind.", rr_type::kTxt},
                                                               {"version.bind.", rr_type::kAxfr}}) {
    const Query query(name, type, rr_class::kCh);
    ExpectRefused(Evaluate(policy, query), Rcode::kRefused, EdeCode::kNotSupported);
  }
}

TEST(PromiseQ7, EachCanBeHidden) {
  ServerIdentity identity;
  identity.version = "";
  const Policy policy(ConfigFor(), identity);
  for (const char* name : {"version.bind.", "version.server.", "id.server.", "hostname.bind.", "cachesize.bind.",
                           "insertions.bind.", "evictions.bind.", "hits.bind.", "misses.bind."}) {
    const Query query(name, rr_type::kTxt, rr_class::kCh);
    ExpectRefused(Evaluate(policy, query), Rcode::kRefused, EdeCode::kNotSupported);
  }
}

TEST(PromiseQ7, TextLongerThanACharacterStringIsCut) {
  ServerIdentity identity;
  for (const size_t length : {size_t{1}, size_t{255}, size_t{256}, size_t{1000}}) {
    identity.hostname = std::string(length, 'h');
    const Policy policy(ConfigFor(), identity);
    const Query query("id.server.", rr_type::kTxt, rr_class::kCh);
    const MessageRead reply = ReplyTo(query, Evaluate(policy, query));
    ASSERT_EQ(reply.answers.size(), 1U);
    EXPECT_EQ(reply.answers[0].rdata, Txt(std::string(std::min(length, size_t{255}), 'h')).octets);
  }
}

TEST(PromiseQ7, ClassesOtherThanInAndChAreRefused) {
  const Policy policy(ConfigFor(AnyPolicy::kForward), FullIdentity());
  for (const uint16_t klass : {uint16_t{0}, uint16_t{2}, rr_class::kHs, uint16_t{5}, rr_class::kNone, rr_class::kAny,
                               uint16_t{256}, uint16_t{65535}}) {
    for (const uint16_t type : {rr_type::kA, rr_type::kTxt, rr_type::kAny}) {
      const Query query("version.bind.", type, klass);
      ExpectRefused(Evaluate(policy, query), Rcode::kRefused, EdeCode::kNotSupported);
    }
  }
}

TEST(PromiseQ8, AnyIsAnsweredMinimally) {
  const Policy policy(ConfigFor(), FullIdentity());
  const Query query("www.example.", rr_type::kAny);
  const PolicyDecision decision = Evaluate(policy, query);
  ASSERT_EQ(decision.verdict, PolicyVerdict::kAnswer);
  const MessageRead reply = ReplyTo(query, decision);
  EXPECT_EQ(reply.rcode, 0);
  ASSERT_EQ(reply.answers.size(), 1U);
  EXPECT_EQ(reply.answers[0].name, "www.example.");
  EXPECT_EQ(reply.answers[0].type, rr_type::kHinfo);
  EXPECT_EQ(reply.answers[0].klass, rr_class::kIn);
  EXPECT_EQ(reply.answers[0].ttl, 3789U);
  EXPECT_EQ(reply.answers[0].rdata, Join({{7}, OctetsOf("RFC8482"), {0}}));
}

TEST(PromiseQ8, AnyIsForwardedWhereTheConfigurationSaysSo) {
  const Policy policy(ConfigFor(AnyPolicy::kForward), FullIdentity());
  const Query query("www.example.", rr_type::kAny);
  EXPECT_EQ(Evaluate(policy, query).verdict, PolicyVerdict::kProceed);
}

TEST(PromiseQ8, ZoneTransfersAreRefused) {
  const Policy policy(ConfigFor(AnyPolicy::kForward), FullIdentity());
  for (const uint16_t type : {rr_type::kAxfr, rr_type::kIxfr}) {
    const Query query("example.", type);
    const PolicyDecision decision = Evaluate(policy, query);
    ExpectRefused(decision, Rcode::kRefused, EdeCode::kNotSupported);
    EXPECT_EQ(decision.errors[0].text, "no zone transfers");
  }
}

TEST(PromiseQ8, TypesThatStandForNoDataAreFormErr) {
  const Policy policy(ConfigFor(AnyPolicy::kForward), FullIdentity());
  for (unsigned type = 0; type < 256; ++type) {
    const Query query("www.example.", static_cast<uint16_t>(type));
    const bool is_meta = type == 0 || type == rr_type::kOpt || (type >= 128 && type <= 250) ||
                         type == rr_type::kMaila || type == rr_type::kMailb;
    const bool is_transfer = type == rr_type::kAxfr || type == rr_type::kIxfr;
    const PolicyDecision decision = Evaluate(policy, query);
    if (is_meta) {
      ExpectRefused(decision, Rcode::kFormErr, EdeCode::kInvalidQueryType);
      EXPECT_EQ(ReplyTo(query, decision).rcode, 1);
    } else {
      EXPECT_EQ(decision.verdict, is_transfer ? PolicyVerdict::kRefuse : PolicyVerdict::kProceed) << type;
    }
  }
}

}  // namespace
}  // namespace dotward
