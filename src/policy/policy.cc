#include "policy/policy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "dns/name.h"

namespace dotward {
namespace {

using namespace std::string_view_literals;

// RFC 8482 §4.2: one HINFO record whose CPU says why, and whose OS is empty. It may be kept for about an hour.
constexpr std::string_view kMinimalAnyRdata = "\7RFC8482\0"sv;
constexpr uint32_t kMinimalAnyTtl = 3789;
// Figures and names of a server are true now, not later.
constexpr uint32_t kChaosTtl = 0;
constexpr size_t kCharacterStringMax = 255;  // RFC 1035 §3.3

constexpr uint16_t kMetaTypesFirst = 128;  // RFC 6895 §3.1: 128 to 255 are QTYPEs and meta types
constexpr uint16_t kMetaTypesLast = 248;   // from 249 on each has a meaning of its own

OctetView OctetsOf(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

PolicyDecision Proceed() { return {}; }
PolicyDecision Drop() { return {.verdict = PolicyVerdict::kDrop}; }
PolicyDecision Refuse(Rcode rcode, const ExtendedError& error) {
  return {.verdict = PolicyVerdict::kRefuse, .rcode = rcode, .errors = {&error, 1}};
}
PolicyDecision Answer(const ScannedMessage& query, uint16_t type, uint32_t ttl, OctetView rdata, SteadyTime now) {
  const ResponseImage::LocalRecord record{type, ttl, Octets(rdata.begin(), rdata.end())};
  return {.verdict = PolicyVerdict::kAnswer,
          .image = ResponseImage::BuildLocal(query.question, Rcode::kNoError, {&record, 1}, {}, now)};
}

// CVE-2024-2169: services that answer whatever they get. A reply to one of them would be a query's worth of octets for
// it to answer, and so on. No client of ours sends from a port below 1024 that is one of these, on whatever transport.
bool IsLoopingPort(uint16_t port) {
  constexpr std::array<uint16_t, 5> kPorts = {
      0,   // no port at all (RFC 768: none to reply to)
      7,   // echo, RFC 862
      13,  // daytime, RFC 867
      17,  // quote of the day, RFC 865
      19,  // character generator, RFC 864
  };
  return std::find(kPorts.begin(), kPorts.end(), port) != kPorts.end();
}

// Sources that no single host may use (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2 and §2.7): a reply would go to nobody, or to
// everybody. Of 0.0.0.0/8 every address means "this network".
bool IsImpossibleSource(const IpAddress& address) {
  if (address.IsUnspecified() || address.IsMulticast()) return true;
  if (!address.is_v4()) return false;
  const std::span<const uint8_t> octets = address.octets();
  return octets[0] == 0 || std::all_of(octets.begin(), octets.end(), [](uint8_t octet) { return octet == 255; });
}

// Types that cannot be asked for. They stand for no data of a name: OPT, TSIG and TKEY belong to one message (RFC 6891,
// 8945, 2930), MAILA and MAILB have been obsolete since RFC 1035, 128 to 248 are meta types, of which RFC 9824
// wants FORMERR for the one that is assigned, and 0 is reserved so that it can never be a type (RFC 6895 §3.1). Unbound
// 1.17 and BIND 9.18 answer FORMERR too, BIND says NOTIMP for MAILA and MAILB, both take 0 for an unknown type. Asking
// upstream would bring their FORMERR, which also means "no EDNS, please".
bool IsTypeNobodyHas(uint16_t type) {
  switch (type) {
    case 0:
    case rr_type::kOpt:
    case rr_type::kTkey:
    case rr_type::kTsig:
    case rr_type::kMailb:
    case rr_type::kMaila:
      return true;
    default:
      return type >= kMetaTypesFirst && type <= kMetaTypesLast;
  }
}

}  // namespace

Policy::Policy(const Config& config, ServerIdentity identity)
    : access_(config.access.allow, config.access.deny),
      refuse_with_(config.access.refuse_with),
      any_(config.query.any),
      identity_(std::move(identity)),
      // Without a text, so that whoever forges addresses outside the list gains as few octets as can be.
      prohibited_{EdeCode::kProhibited, ""},
      class_not_served_{EdeCode::kNotSupported, "only class IN is served"},
      invalid_query_type_{EdeCode::kInvalidQueryType, ""},
      no_zone_transfers_{EdeCode::kNotSupported, "no zone transfers"} {}

PolicyDecision Policy::EvaluateClient(const Endpoint& client) const {
  // Above the access list, since a refusal is a reply as well, and could loop.
  if (IsLoopingPort(client.port) || IsImpossibleSource(client.address)) return Drop();
  if (access_.Allows(client.address)) return Proceed();
  PolicyDecision decision = refuse_with_ == RefuseWith::kDrop ? Drop() : Refuse(Rcode::kRefused, prohibited_);
  decision.by_access_list = true;
  return decision;
}

PolicyDecision Policy::Evaluate(const ScannedMessage& query, const Endpoint& client, SteadyTime now) const {
  // First of all: an outsider gets the same whatever the question, and so learns nothing from asking.
  if (PolicyDecision decision = EvaluateClient(client); decision.verdict != PolicyVerdict::kProceed) return decision;

  // Class before type: below, a type means what it means in class IN. What CH holds is about this server, so asking
  // another would give a wrong answer; of other classes no upstream has any data, ANY and NONE are none (RFC 6895
  // §3.2).
  if (query.qclass == rr_class::kCh) return AnswerChaos(query, now);
  if (query.qclass != rr_class::kIn) return Refuse(Rcode::kRefused, class_not_served_);

  // Types without data, before anything looks for some.
  if (IsTypeNobodyHas(query.qtype)) return Refuse(Rcode::kFormErr, invalid_query_type_);

  // RFC 5936 §2.2: a transfer is between servers of one zone, and a cache is none.
  if (query.qtype == rr_type::kAxfr || query.qtype == rr_type::kIxfr) {
    return Refuse(Rcode::kRefused, no_zone_transfers_);
  }

  // RFC 8482: ANY asks for the most octets with the fewest, and a cache never has all of them.
  if (query.qtype == rr_type::kAny && any_ == AnyPolicy::kMinimal) {
    return Answer(query, rr_type::kHinfo, kMinimalAnyTtl, OctetsOf(kMinimalAnyRdata), now);
  }

  return Proceed();
}

PolicyDecision Policy::AnswerChaos(const ScannedMessage& query, SteadyTime now) const {
  const auto is = [&query](std::string_view wire) { return EqualIgnoringCase(query.qname, OctetsOf(wire)); };
  const auto text = [&]() -> std::string {
    if (is("\7version\4bind\0"sv) || is("\7version\6server\0"sv)) return identity_.version;
    if (is("\2id\6server\0"sv) || is("\10hostname\4bind\0"sv)) return identity_.hostname;
    if (!identity_.cache_figures) return {};
    using Figure = uint64_t CacheFigures::*;
    constexpr std::array<std::pair<std::string_view, Figure>, 5> kFigures = {{
        {"\11cachesize\4bind\0"sv, &CacheFigures::size},
        {"\12insertions\4bind\0"sv, &CacheFigures::insertions},
        {"\11evictions\4bind\0"sv, &CacheFigures::evictions},
        {"\4hits\4bind\0"sv, &CacheFigures::hits},
        {"\6misses\4bind\0"sv, &CacheFigures::misses},
    }};
    for (const auto& [name, figure] : kFigures) {
      if (is(name)) return StrCat(identity_.cache_figures().*figure);
    }
    return {};
  }();
  // As Unbound does: TXT, or whatever there is; of other names and types nothing is told, not even that they are empty.
  const bool has_type = query.qtype == rr_type::kTxt || query.qtype == rr_type::kAny;
  if (text.empty() || !has_type) return Refuse(Rcode::kRefused, class_not_served_);

  Octets rdata(1 + std::min(text.size(), kCharacterStringMax));
  rdata[0] = static_cast<uint8_t>(rdata.size() - 1);
  std::copy_n(text.begin(), rdata.size() - 1, rdata.begin() + 1);
  return Answer(query, rr_type::kTxt, kChaosTtl, rdata, now);
}

}  // namespace dotward
