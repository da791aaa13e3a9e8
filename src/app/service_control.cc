#include "app/service_control.h"

#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "dns/query_builder.h"
#include "dns/wire.h"
#include "dotward/message.h"
#include "resolver/resolver_limits.h"

namespace dotward {
namespace {

// Whether an entry could answer the question, were it asked with the entry's DO and CD.
bool CouldAnswer(const CacheEntry& entry, uint16_t type) {
  const OctetView type_and_class = entry.image->question().last(4);
  const bool of_type = ReadU16(&type_and_class[0]) == type;
  const bool of_class = ReadU16(&type_and_class[2]) == rr_class::kIn;
  return of_class && (of_type || entry.every_type);
}

// The same question without CD.
UpstreamQuery QuestionOf(const CacheEntry& entry) {
  const OctetView type_and_class = entry.image->question().last(4);
  UpstreamQuery question;
  question.name = Name::FromWire(entry.image->qname());
  question.type = ReadU16(&type_and_class[0]);
  question.klass = ReadU16(&type_and_class[2]);
  question.dnssec_ok = entry.dnssec_ok;
  return question;
}

}  // namespace

ServiceFacts LiveServiceControl::Facts() const {
  return {.version = DOTWARD_VERSION,
          .pid = getpid(),
          .uptime = service_.uptime(),
          .listening = service_.listening(),
          .config_file = config_file_,
          .workers = service_.workers()};
}

std::vector<CacheEntry> LiveServiceControl::CacheEntriesOf(const Name& name) {
  return service_.cache().EntriesOf(name.wire(), clock_.Now());
}

AnswerTrust LiveServiceControl::TrustOf(const CacheEntry& entry) {
  const AnswerInquiry inquiry(entry);
  const UpstreamQuery asked = QuestionOf(entry);
  if (!service_.state()->config->dnssec.validation || asked.klass != rr_class::kIn) return inquiry.Unjudged();
  const Service::Outlook outlook = service_.OutlookOf(asked, inquiry.names());
  return inquiry.JudgedBy(outlook.other_chains, outlook.question.failure);
}

bool LiveServiceControl::WalkCache(CacheCursor& cursor, std::vector<CacheEntry>& entries) {
  return service_.cache().Walk(cursor, entries, clock_.Now());
}

// As DeniedByCut finds it, but that it leaves no trace.
std::optional<CacheEntry> LiveServiceControl::DenialAbove(Name name, size_t zone_octets) {
  for (size_t i = 0; i < ResolverLimits::kCutAncestorsMax && !name.is_root(); ++i) {
    name = name.Parent();
    if (name.is_root() || name.wire().size() < zone_octets) break;
    for (CacheEntry& entry : CacheEntriesOf(name)) {
      const ResponseImage& image = *entry.image;
      if (entry.every_type && !entry.checking_disabled && image.authentic_data() && !image.behind_alias() &&
          !image.Expired(clock_.Now())) {
        return std::move(entry);
      }
    }
  }
  return std::nullopt;
}

WhyReport LiveServiceControl::Why(const Name& name, uint16_t type) {
  WhyReport report;
  std::array<uint8_t, kBuiltQueryOctetsMax> octets;
  const size_t size = BuildQuery({.qname = name.wire(), .qtype = type, .padding = Padding::kNone}, octets);
  const ParsedQuery query = ParseQuery(OctetView(octets).first(size));
  const std::shared_ptr<const ServingState> state = service_.state();
  const Endpoint here{IpAddress::V4({127, 0, 0, 1}), 1};
  const PolicyDecision decision = state->policy.Evaluate(query.message.scan(), here, clock_.Now());
  report.verdict = decision.verdict;
  report.rcode = decision.rcode;
  report.errors.assign(decision.errors.begin(), decision.errors.end());
  report.local = decision.image;

  const auto add = [&](CacheEntry entry) {
    AnswerTrust trust = TrustOf(entry);
    report.entries.push_back({std::move(entry), std::move(trust)});
  };
  for (CacheEntry& entry : CacheEntriesOf(name)) {
    if (CouldAnswer(entry, type)) add(std::move(entry));
  }
  UpstreamQuery question;
  question.name = name;
  question.type = type;
  Service::Outlook outlook = service_.OutlookOf(question);
  if (std::optional<CacheEntry> denial = DenialAbove(name, outlook.zone_octets)) add(*std::move(denial));
  report.route = std::move(outlook.route);
  report.outlook = std::move(outlook.question);
  report.chain = std::move(outlook.chain);
  report.answer = TrustOfAnswer(report.entries, report.outlook.failure, clock_.Now());
  return report;
}

void LiveServiceControl::Query(ControlQuery query, std::function<void(ControlAnswer)> done) {
  service_.Ask(std::move(query), std::move(done));
}

}  // namespace dotward
