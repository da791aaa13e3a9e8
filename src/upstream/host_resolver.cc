#include "upstream/host_resolver.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/units.h"
#include "dns/classify.h"
#include "dns/types.h"

namespace dotward {
namespace {

constexpr std::array<uint16_t, 2> kTypes = {rr_type::kA, rr_type::kAaaa};
// Each family has its share of what an upstream may have.
constexpr size_t kAddressesPerFamilyMax = Limits::kConfigAddressesMax / kTypes.size();

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// nullopt for RDATA that is no address of the family: an IPv4-mapped one in AAAA is a fault of whoever wrote the zone.
std::optional<IpAddress> AddressOf(uint16_t type, OctetView rdata) {
  if (type == rr_type::kA) {
    std::array<uint8_t, 4> octets{};
    if (rdata.size() != octets.size()) return std::nullopt;
    std::copy(rdata.begin(), rdata.end(), octets.begin());
    return IpAddress::V4(octets);
  }
  std::array<uint8_t, 16> octets{};
  if (rdata.size() != octets.size()) return std::nullopt;
  std::copy(rdata.begin(), rdata.end(), octets.begin());
  const IpAddress address = IpAddress::V6(octets);
  return address.is_v4() ? std::nullopt : std::optional(address);
}

std::string ListOf(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) StrAppend(&text, text.empty() ? "" : ", ", address.ToString());
  return text;
}

}  // namespace

bool IsSaneServerAddress(const IpAddress& address, LoopbackAnswers loopback) {
  if (address.IsUnspecified() || address.IsMulticast()) return false;
  if (address.IsLoopback()) return loopback == LoopbackAnswers::kAccept;
  const std::span<const uint8_t> octets = address.octets();
  // RFC 1122 §3.2.1.3 "this network", RFC 1112 §4 "reserved".
  if (address.is_v4()) return octets[0] != 0 && octets[0] < 240;
  const bool link_local = octets[0] == 0xfe && (octets[1] & 0xc0U) == 0x80;
  return !link_local || address.zone_index() != 0;
}

absl::StatusOr<std::unique_ptr<HostResolver>> HostResolver::Create(asio::io_context& loop, Upstream& source,
                                                                   Options options, AddressesFunction on_addresses) {
  ASSIGN_OR_RETURN(Name name, Name::Parse(options.host_name));
  return std::unique_ptr<HostResolver>(
      new HostResolver(loop, source, std::move(options), std::move(name), std::move(on_addresses)));
}

HostResolver::HostResolver(asio::io_context& loop, Upstream& source, Options options, Name name,
                           AddressesFunction on_addresses)
    : loop_(loop),
      source_(source),
      options_(std::move(options)),
      name_(std::move(name)),
      on_addresses_(std::move(on_addresses)),
      timer_(loop.get_executor()),
      tasks_(loop) {}

HostResolver::~HostResolver() = default;

void HostResolver::Start() {
  if (closed_ || std::exchange(started_, true)) return;
  // The timer fires at once: the first question is asked by the loop, not inside this call.
  next_round_ = Now();
  tasks_.Spawn(Run());
}

void HostResolver::Close() {
  if (std::exchange(closed_, true)) return;
  timer_.cancel();
  for (Cancellation* cancellation : cancellations_) {
    if (cancellation != nullptr) cancellation->Cancel();
  }
}

void HostResolver::Refresh() { RunAgainAt(round_started_ + options_.timing.refresh_spacing); }

void HostResolver::NetworkChanged() {
  failures_ = 0;
  RunAgainAt(round_started_ + options_.timing.retry_min);
}

void HostResolver::RunAgainAt(SteadyTime at) {
  if (!started_ || closed_ || at >= next_round_) return;
  next_round_ = at;
  timer_.cancel();
}

Task<> HostResolver::Run() {
  while (true) {
    // A cancelled wait means that next_round_ has changed.
    do {
      timer_.expires_at(next_round_);
      co_await timer_.async_wait(kAwait);
    } while (!closed_ && Now() < next_round_);
    if (closed_) co_return;
    co_await ResolveOnce();
    if (closed_) co_return;
    next_round_ = NextRound(Now());
  }
}

Task<> HostResolver::ResolveOnce() {
  round_started_ = Now();
  // Nobody needs to ask for a round while there is one.
  next_round_ = SteadyTime::min();
  found_ = {};
  last_error_ = absl::OkStatus();
  const Deadline deadline = Deadline::After(round_started_, options_.timing.answer_patience);
  TaskGroup questions(loop_);
  std::array<Cancellation, kFamilies> cancellations;
  for (size_t family = 0; family < kFamilies; ++family) {
    questions.Spawn(AskFor(family, deadline, cancellations[family]));
  }
  co_await questions.Join();
}

Task<> HostResolver::AskFor(size_t family, Deadline deadline, Cancellation& cancellation) {
  UpstreamQuery query;
  query.name = name_;
  query.type = kTypes[family];
  query.cancellation = &cancellation;
  cancellations_[family] = &cancellation;
  const absl::StatusOr<UpstreamResponse> response = co_await source_.Exchange(query, deadline);
  cancellations_[family] = nullptr;
  if (closed_) co_return;
  absl::StatusOr<Found> found = response.ok() ? ReadAnswer(*response, query.type) : response.status();
  if (!found.ok()) {
    last_error_ = absl::Status(found.status().code(), StrCat(options_.host_name, " ", TypeToString(query.type), ": ",
                                                             MessageOf(found.status())));
    co_return;
  }
  found_[family] = *std::move(found);
  // The other family may keep us waiting; what there is can be used.
  Publish();
}

absl::StatusOr<HostResolver::Found> HostResolver::ReadAnswer(const UpstreamResponse& response, uint16_t type) const {
  const ScannedMessage& scan = response.message->scan();
  const Classification meaning = ClassifyResponse(*response.message, TtlPolicy(), DnssecRecords::kLeaveOut);
  if (!meaning.usable()) {
    return absl::UnavailableError(
        StrCat(*response.upstream, " answers ", RcodeToString(scan.rcode()), ", ", ResponseKindToString(meaning.kind)));
  }
  Found found;
  found.ttl = std::chrono::seconds(meaning.ttl);
  size_t refused = 0;
  for (size_t i = 0; i < meaning.records.size(); ++i) {
    const RecordEdges& record = scan.records[i];
    if (!meaning.records[i].keep || record.section != Section::kAnswer || record.type != type) continue;
    const OctetView rdata = scan.octets.subspan(record.rdata, size_t{record.end} - record.rdata);
    const std::optional<IpAddress> address = AddressOf(type, rdata);
    if (address && IsSaneServerAddress(*address, options_.loopback)) {
      found.addresses.push_back(*address);
    } else {
      ++refused;
    }
  }
  if (found.addresses.empty() && refused != 0) {
    return absl::UnavailableError(
        StrCat(*response.upstream, " gives only addresses that no server elsewhere can have"));
  }
  // Servers rotate their answers: in order they are comparable, and which ones are cut off stays the same.
  std::sort(found.addresses.begin(), found.addresses.end());
  found.addresses.erase(std::unique(found.addresses.begin(), found.addresses.end()), found.addresses.end());
  if (found.addresses.size() > kAddressesPerFamilyMax) found.addresses.resize(kAddressesPerFamilyMax);
  return found;
}

void HostResolver::Publish() {
  std::array<std::vector<IpAddress>, kFamilies> candidate = known_;
  std::vector<IpAddress> all;
  for (size_t family = 0; family < kFamilies; ++family) {
    // "No such name" may be a mistake that is mended soon, and without addresses there would be no upstream until then:
    // that a family has none counts only where the same round has found some of the other.
    const std::optional<Found>& other = found_[kFamilies - 1 - family];
    const bool others_found = other && !other->addresses.empty();
    if (found_[family] && (!found_[family]->addresses.empty() || others_found)) {
      candidate[family] = found_[family]->addresses;
    }
    all.insert(all.end(), candidate[family].begin(), candidate[family].end());
  }
  if (all.empty()) return;
  known_ = std::move(candidate);
  if (all == addresses_) return;
  addresses_ = std::move(all);
  Log(LogLevel::kInfo, "resolved an upstream's host name",
      {{"host", options_.host_name}, {"addresses", ListOf(addresses_)}});
  on_addresses_(addresses_);
}

SteadyTime HostResolver::NextRound(SteadyTime now) {
  const bool complete = found_[0] && found_[1];
  const bool any = complete && (!found_[0]->addresses.empty() || !found_[1]->addresses.empty());
  if (any) {
    failures_ = 0;
    reported_text_.clear();
    // What an empty family says of its lifetime is about the family, not about the addresses.
    Duration ttl = options_.timing.ttl_max;
    for (const std::optional<Found>& found : found_) {
      if (!found->addresses.empty()) ttl = std::min(ttl, found->ttl);
    }
    return now + std::chrono::duration_cast<SteadyTime::duration>(std::max(ttl, options_.timing.ttl_min));
  }
  if (complete) last_error_ = absl::NotFoundError(StrCat(options_.host_name, ": the name has no addresses"));
  ReportFailure(now);
  const unsigned doublings = std::min(failures_, 16U);
  if (failures_ < 1'000'000) ++failures_;
  const Duration grown = std::min(options_.timing.retry_min * (1U << doublings), options_.timing.retry_max);
  // Less up to a half at random, so that many machines of one network do not ask together when it is back.
  return now + std::chrono::duration_cast<SteadyTime::duration>(grown / 2 + (grown / 2) * random_.Next() / 65'536);
}

void HostResolver::ReportFailure(SteadyTime now) {
  const std::string_view text = MessageOf(last_error_);
  if (text == reported_text_ && now - reported_at_ < Limits::kUpstreamLogInterval) return;
  reported_text_ = text;
  reported_at_ = now;
  Log(LogLevel::kWarning, "cannot resolve an upstream's host name",
      {{"error", text}, {"known", addresses_.empty() ? std::string("none") : ListOf(addresses_)}});
}

}  // namespace dotward
