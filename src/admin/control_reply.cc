#include "admin/control_reply.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "admin/query_line.h"
#include "admin/statistics_json.h"
#include "base/strings.h"
#include "dns/extended_errors.h"
#include "dns/presentation.h"
#include "dns/wire.h"
#include "dnssec/algorithm.h"
#include "dotward/message.h"

namespace dotward {
namespace {

using Json = nlohmann::ordered_json;

// A line of its own: line breaks inside values are escaped by the writer, and what is no UTF-8 is replaced.
std::string Line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json Reply() { return {{"schema", kControlSchema}}; }

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
int64_t WholeSeconds(Duration duration) { return std::chrono::duration_cast<std::chrono::seconds>(duration).count(); }

std::string_view CodeToString(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "invalid_argument";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case absl::StatusCode::kResourceExhausted:
      return "resource_exhausted";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kDataLoss:
      return "data_loss";
    default:
      return "internal";
  }
}

Json ToJson(const std::vector<ExtendedError>& errors) {
  Json json = Json::array();
  for (const ExtendedError& error : errors) {
    json.push_back({{"code", static_cast<unsigned>(error.code)}, {"text", error.text}});
  }
  return json;
}

// Every record less `age_seconds`.
Json RecordsToJson(const ScannedMessage& message, uint32_t age_seconds) {
  Json json = Json::array();
  for (RecordText& record : RecordTexts(message)) {
    json.push_back({{"section", SectionToString(record.section)},
                    {"name", std::move(record.name)},
                    {"ttl", record.ttl - std::min(record.ttl, age_seconds)},
                    {"class", std::move(record.klass)},
                    {"type", std::move(record.type)},
                    {"data", std::move(record.data)}});
  }
  return json;
}

Json RecordsOf(const ResponseImage& image, uint32_t age_seconds) {
  const Octets octets = image.ToMessage();
  ScannedMessage message;
  if (ScanMessage(octets, MessageSide::kResponse, message) != ScanFault::kNone) return Json::array();
  return RecordsToJson(message, age_seconds);
}

std::vector<ExtendedError> ErrorsOf(const ResponseImage& image) {
  std::vector<ExtendedError> errors;
  ForEachOption(image.error_options(), [&](uint16_t, OctetView value) {
    errors.push_back({static_cast<EdeCode>(ReadU16(value.data())), std::string(value.begin() + 2, value.end())});
  });
  return errors;
}

// UTC, to the second (RFC 3339).
std::string TimeText(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// The verdict under its name and, of what is bogus, the reason.
void AddVerdict(const AnswerTrust& trust, Json* json) {
  (*json)["verdict"] = KnownVerdictToString(trust.verdict);
  if (!trust.reason) return;
  (*json)["reason"] = trust.reason->text;
  (*json)["reason_code"] = static_cast<unsigned>(trust.reason->code);
}

Json ToJson(const CacheEntry& entry, const AnswerTrust* trust, const ControlMoment& now) {
  const ResponseImage& image = *entry.image;
  const OctetView type_and_class = image.question().last(4);
  const uint32_t age = image.AgeSeconds(now.steady);
  const bool expired = image.Expired(now.steady);
  Json json = {
      {"name", NameToString(image.qname())},
      {"type", TypeToString(ReadU16(&type_and_class[0]))},
      {"class", ClassToString(ReadU16(&type_and_class[2]))},
      {"every_type", entry.every_type},
      {"dnssec_ok", entry.dnssec_ok},
      {"checking_disabled", entry.checking_disabled},
      {"kind", ResponseKindToString(image.kind())},
      {"rcode", RcodeToString(image.rcode())},
      {"authentic_data", image.authentic_data()},
      {"received_at", TimeText(now.wall - std::chrono::duration_cast<WallTime::duration>(image.Age(now.steady)))},
      {"age_seconds", age},
      {"lifetime_seconds", image.lifetime_seconds()},
      {"ttl_seconds", expired ? 0 : image.lifetime_seconds() - std::min(image.lifetime_seconds(), age)},
      {"expired", expired},
      {"unused_seconds", entry.unused_seconds},
      {"uses", entry.uses},
      {"upstream", std::string(image.upstream())},
      {"server", std::string(image.origin().server())},
      {"bytes", image.memory_octets()},
      {"extended_errors", ToJson(ErrorsOf(image))},
      {"records", RecordsOf(image, age)}};
  if (trust != nullptr) AddVerdict(*trust, &json);
  return json;
}

std::string_view PolicyToString(UpstreamPolicy policy) {
  switch (policy) {
    case UpstreamPolicy::kLatency:
      return "latency";
    case UpstreamPolicy::kOrdered:
      return "ordered";
    case UpstreamPolicy::kRoundRobin:
      return "round_robin";
    case UpstreamPolicy::kSharded:
      return "sharded";
  }
  return "";
}

std::string_view VerdictToString(PolicyVerdict verdict) {
  switch (verdict) {
    case PolicyVerdict::kProceed:
      return "proceed";
    case PolicyVerdict::kAnswer:
      return "answer";
    case PolicyVerdict::kRefuse:
      return "refuse";
    case PolicyVerdict::kDrop:
      return "drop";
  }
  return "";
}

Json RouteToJson(const RouteSnapshot& route, const std::vector<UpstreamSnapshot>& upstreams) {
  Json json = {{"zone", route.zone}, {"policy", PolicyToString(route.policy)}, {"hedge", route.hedge}};
  json["upstreams"] = Json::array();
  for (const std::string& name : route.upstreams) {
    Json servers = Json::array();
    for (const UpstreamSnapshot& server : upstreams) {
      if (server.name != name) continue;
      servers.push_back({{"address", server.endpoint.ToString()},
                         {"protocol", server.protocol},
                         {"state", UpstreamStateToString(server.state)},
                         {"latency_p50_seconds", Seconds(server.latency_median)},
                         {"last_error", server.last_error}});
    }
    json["upstreams"].push_back({{"name", name}, {"servers", std::move(servers)}});
  }
  json["error"] = nullptr;
  if (!route.status.ok()) json["error"] = MessageOf(route.status);
  return json;
}

// What a client of this machine that sets neither DO nor CD would get.
std::string_view OutcomeOf(const WhyReport& report, SteadyTime now) {
  switch (report.verdict) {
    case PolicyVerdict::kAnswer:
      return "answered here";
    case PolicyVerdict::kRefuse:
      return "refused";
    case PolicyVerdict::kDrop:
      return "dropped";
    case PolicyVerdict::kProceed:
      break;
  }
  for (const auto& [entry, trust] : report.entries) {
    if (entry.checking_disabled || entry.image->Expired(now)) continue;
    // What was asked for with DO answers the others as well, without what they did not ask for.
    if (!entry.dnssec_ok || entry.image->WithoutDnssec(now)) return "answered from the cache";
  }
  const QueryCoalescer::Outlook& outlook = report.outlook;
  const bool remembered = outlook.failure && outlook.failure->asked_again_in > Duration::zero();
  const bool nobody = !report.route || !report.route->status.ok() || !outlook.serving;
  if (outlook.stale && (remembered || nobody)) return "answered stale";
  if (remembered) return "failure remembered";
  if (nobody) return "servfail";
  return "asked upstream";
}

Json ToJson(const QueryCoalescer::Outlook::Failure& failure) {
  return {{"in_a_row", failure.in_a_row},
          {"asked_again_seconds", Seconds(failure.asked_again_in)},
          {"rcode", RcodeToString(failure.rcode)},
          {"extended_errors", ToJson(failure.errors)}};
}

WallTime WallTimeOf(uint32_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

// From the anchor down; a zone without a key is one that is not secure.
Json ToJson(const TrustChain& chain) {
  Json json = {{"negative_trust_anchor", nullptr}, {"trust_anchor", nullptr}, {"zones", Json::array()}};
  if (chain.negative_anchor) json["negative_trust_anchor"] = chain.negative_anchor->ToString();
  if (chain.anchor) {
    Json tags = Json::array();
    for (const DelegationSigner& signer : chain.anchor->signers) tags.push_back(signer.key_tag);
    json["trust_anchor"] = {{"zone", chain.anchor->zone.ToString()}, {"key_tags", std::move(tags)}};
  }
  for (const ZonePtr& zone : chain.zones) {
    Json step = {{"zone", zone->zone.ToString()}, {"verdict", ValidationStateToString(zone->verdict.state)}};
    if (zone->verdict.has_error) step["reason"] = zone->verdict.text;
    if (zone->keys != nullptr) {
      step["key_tag"] = zone->key_tag;
      step["algorithm"] = AlgorithmToString(zone->algorithm);
      step["signed_from"] = TimeText(WallTimeOf(zone->inception));
      step["signed_until"] = TimeText(WallTimeOf(zone->expiration));
    }
    json["zones"].push_back(std::move(step));
  }
  return json;
}

// Each RRset of an answer, with who has signed it.
Json ToJson(const AnswerTrust& answer) {
  Json json = Json::object();
  AddVerdict(answer, &json);
  json["has_signatures"] = answer.has_signatures;
  json["rrsets"] = Json::array();
  for (const RrsetTrust& rrset : answer.rrsets) {
    Json signatures = Json::array();
    for (const SignatureFields& signature : rrset.signatures) {
      signatures.push_back({{"key_tag", signature.key_tag},
                            {"algorithm", AlgorithmToString(signature.algorithm)},
                            {"signer", signature.signer.ToString()},
                            {"signed_from", TimeText(WallTimeOf(signature.inception))},
                            {"signed_until", TimeText(WallTimeOf(signature.expiration))}});
    }
    json["rrsets"].push_back({{"section", SectionToString(rrset.section)},
                              {"name", rrset.owner.ToString()},
                              {"type", TypeToString(rrset.type)},
                              {"verdict", KnownVerdictToString(rrset.verdict)},
                              {"signatures", std::move(signatures)}});
  }
  return json;
}

Json EndpointsToJson(const std::vector<Endpoint>& endpoints) {
  Json json = Json::array();
  for (const Endpoint& endpoint : endpoints) json.push_back(endpoint.ToString());
  return json;
}

Json QuestionToJson(const ControlRequest& request) {
  Json json = Reply();
  json["name"] = request.name.ToString();
  json["type"] = TypeToString(request.type.value_or(rr_type::kA));
  return json;
}

Json ToJson(const std::vector<ConfigError>& errors) {
  Json json = Json::array();
  for (const ConfigError& error : errors) {
    json.push_back({{"file", error.file},
                    {"line", error.line},
                    {"column", error.column},
                    {"path", error.path},
                    {"message", error.message},
                    {"text", error.ToString()}});
  }
  return json;
}

}  // namespace

std::string RenderControlError(const absl::Status& status) {
  Json json = Reply();
  json["error"] = MessageOf(status);
  json["code"] = CodeToString(status.code());
  return Line(json);
}

std::string RenderStatus(const ServiceFacts& facts, bool ready) {
  Json json = Reply();
  json["version"] = facts.version;
  json["pid"] = facts.pid;
  json["ready"] = ready;
  json["uptime_seconds"] = WholeSeconds(facts.uptime);
  json["workers"] = facts.workers;
  json["config_file"] = nullptr;
  if (!facts.config_file.empty()) json["config_file"] = facts.config_file;
  json["listening"] = EndpointsToJson(facts.listening);
  return Line(json);
}

std::string RenderHealth(const ServiceFacts& facts, bool ready) {
  Json json = Reply();
  json["ready"] = ready;
  json["listening"] = EndpointsToJson(facts.listening);
  return Line(json);
}

std::string RenderSlow(const SlowReport& report) {
  Json json = Reply();
  json["seen"] = report.seen;
  json["queries"] = Json::array();
  for (const SlowQuery& query : report.queries) {
    const ExchangeTrace& trace = query.trace;
    Json shown = {{"time", UtcToString(query.received_at)},
                  {"client", query.client},
                  {"transport", TransportToString(query.transport)},
                  {"name", query.name},
                  {"type", query.name.empty() ? "" : TypeToString(query.type)},
                  {"rcode", RcodeToString(query.rcode)},
                  {"source", AnswerSourceToString(query.source)},
                  {"seconds", Seconds(query.duration)},
                  {"elsewhere_seconds", Seconds(query.elsewhere)},
                  {"exchange_seconds", trace.total_us / 1e6},
                  {"connection_seconds", trace.waited_us / 1e6},
                  {"answer_seconds", trace.answer_us / 1e6},
                  {"servers_asked", trace.attempts},
                  {"hedges", trace.hedges},
                  {"sent_again", trace.sent_again},
                  {"answered", trace.answered},
                  {"upstream", query.upstream},
                  {"reason", query.reason}};
    json["queries"].push_back(std::move(shown));
  }
  return Line(json);
}

// From the one rendering of the statistics, so that the two never differ.
std::string RenderUpstreams(const std::vector<UpstreamSnapshot>& upstreams) {
  StatisticsSnapshot only;
  only.upstreams = upstreams;
  Json json = Reply();
  json["upstreams"] = Json::parse(RenderJson(only))["upstreams"];
  return Line(json);
}

std::string RenderCacheEntry(const CacheEntry& entry, const AnswerTrust* trust, const ControlMoment& now) {
  Json json = Reply();
  json.update(ToJson(entry, trust, now));
  return Line(json);
}

std::string RenderEndOfEntries(uint64_t entries) {
  Json json = Reply();
  json["end"] = true;
  json["entries"] = entries;
  return Line(json);
}

std::string RenderFlushed(uint64_t entries) {
  Json json = Reply();
  json["flushed"] = entries;
  return Line(json);
}

std::string RenderWhy(const ControlRequest& request, const WhyReport& report,
                      const std::vector<UpstreamSnapshot>& upstreams, const ControlMoment& now) {
  Json json = QuestionToJson(request);
  json["outcome"] = OutcomeOf(report, now.steady);
  json["policy"] = {{"verdict", VerdictToString(report.verdict)}};
  if (report.verdict == PolicyVerdict::kRefuse) {
    json["policy"]["rcode"] = RcodeToString(report.rcode);
    json["policy"]["extended_errors"] = ToJson(report.errors);
  }
  if (report.local) {
    json["policy"]["rcode"] = RcodeToString(report.local->rcode());
    json["policy"]["extended_errors"] = ToJson(ErrorsOf(*report.local));
    json["policy"]["records"] = RecordsOf(*report.local, 0);
  }
  json["cache"] = Json::array();
  for (const auto& [entry, trust] : report.entries) json["cache"].push_back(ToJson(entry, &trust, now));
  json["stale_after_seconds"] = nullptr;
  if (report.outlook.stale) json["stale_after_seconds"] = Seconds(report.outlook.stale_after);
  json["chain_of_trust"] = nullptr;
  if (report.chain) {
    json["chain_of_trust"] = ToJson(*report.chain);
    json["chain_of_trust"]["answer"] = nullptr;
    if (report.answer) json["chain_of_trust"]["answer"] = ToJson(*report.answer);
  }
  json["failure"] = nullptr;
  if (report.outlook.failure) json["failure"] = ToJson(*report.outlook.failure);
  json["route"] = nullptr;
  if (report.route) json["route"] = RouteToJson(*report.route, upstreams);
  return Line(json);
}

std::string RenderReload(const ReloadReport& report) {
  Json json = Reply();
  json["accepted"] = report.accepted;
  json["errors"] = ToJson(report.errors);
  json["warnings"] = ToJson(report.warnings);
  json["needs_restart"] = report.needs_restart;
  return Line(json);
}

std::string RenderAnswer(const ControlRequest& request, const ControlAnswer& answer) {
  if (!answer.status.ok()) return RenderControlError(answer.status);
  const absl::StatusOr<Message> message = ParseResponse(answer.response);
  if (!message.ok()) return RenderControlError(message.status());
  const ScannedMessage& scan = message->scan();
  Json json = QuestionToJson(request);
  json["rcode"] = RcodeToString(scan.rcode());
  json["flags"] = FlagNames(scan.flags);
  json["dnssec_ok"] = scan.has_edns && scan.edns.dnssec_ok;
  json["upstream"] = answer.upstream;
  json["authenticated"] = answer.authenticated;
  json["seconds"] = Seconds(answer.took);
  json["octets"] = answer.response.size();
  json["extended_errors"] = ToJson(ExtendedErrorsOf(scan, answer.upstream));
  json["records"] = RecordsToJson(scan, 0);
  return Line(json);
}

}  // namespace dotward
