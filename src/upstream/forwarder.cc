#include "upstream/forwarder.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/units.h"
#include "dns/classify.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// How much a response is worth to the client, worst first.
enum class Grade : uint8_t {
  kNone,
  kUnusable,   // truncated on a stream, a referral, data that contradicts itself
  kFailure,    // SERVFAIL, REFUSED and the like
  kExplained,  // the same, and it says why (RFC 8914)
  kGood,
};

bool HasExtendedError(const ScannedMessage& scan) {
  bool found = false;
  ForEachOption(scan.edns.options, [&found](uint16_t code, OctetView) { found |= code == kOptionExtendedError; });
  return found;
}

// Whether the answer section is nothing but the data that was asked for, which is what most are and what needs no
// closer look to be good.
bool IsPlainAnswer(const ScannedMessage& scan) {
  if (scan.truncated() || scan.rcode() != Rcode::kNoError) return false;
  bool has_data = false;
  for (const RecordEdges& record : scan.records) {
    if (record.section != Section::kAnswer || record.type == rr_type::kRrsig) continue;
    const bool is_data = record.type == scan.qtype && record.klass == scan.qclass &&
                         ReadU16(&scan.octets[record.owner]) == kPointerToQuestion;
    if (!is_data) return false;
    has_data = true;
  }
  return has_data;
}

Grade GradeOf(const Message& message) {
  const Rcode rcode = message.scan().rcode();
  if (rcode != Rcode::kNoError && rcode != Rcode::kNxDomain) {
    return HasExtendedError(message.scan()) ? Grade::kExplained : Grade::kFailure;
  }
  if (IsPlainAnswer(message.scan())) return Grade::kGood;
  return ClassifyResponse(message, TtlPolicy()).usable() ? Grade::kGood : Grade::kUnusable;
}

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

// One query on its way to an answer: which servers have it, what came back, who is asked next. Lives in the frame of
// Exchange, which sleeps between the calls of Advance.
class Forwarder::Race {
 public:
  Race(asio::io_context& loop, Timeouts& timeouts, const Route& route, const UpstreamQuery& query, Deadline deadline,
       SteadyTime now)
      : route_(route),
        query_(query),
        deadline_(deadline),
        started_(now),
        wakeup_(loop.get_executor()),
        timeout_(timeouts, wakeup_),
        tried_(route.size(), false) {}

  // Looks at what has come and does what is due. True when there is nothing more to wait for.
  bool Advance(SteadyTime now) {
    for (Entrant& entrant : entrants_) {
      JudgeIfDone(entrant);
      // A connection that has gone silent under this query is noticed by it, if nobody else asks there.
      if (!entrant.judged) route_[entrant.candidate].server->Tend(now);
    }
    if (grade_ == Grade::kGood) return true;
    if (deadline_.ExpiredAt(now)) {
      GiveUp(now);
      return true;
    }
    while (running_ == 0 || now >= patience_ends_) {
      const std::optional<size_t> next = ChooseNext(now);
      if (next) {
        Enter(*next, now);
      } else if (running_ == 0) {
        return true;
      } else {
        WaitUntil(deadline_.at());
      }
    }
    timeout_.Set(std::min(next_turn_, now + Limits::kSilenceMax));
    return false;
  }

  Task<> Sleep() { return wakeup_.Wait(); }

  absl::StatusOr<UpstreamResponse> Result() {
    if (best_ != nullptr) return std::move(best_->attempt.result());
    const std::string why = WhyNothing();
    if (timed_out_) return absl::DeadlineExceededError(why);
    return any_malformed_ ? absl::DataLossError(why) : absl::UnavailableError(why);
  }

 private:
  struct Entrant {
    Entrant(const PreparedQuery& query, Wakeup& wakeup, size_t candidate_in)
        : attempt(query, wakeup), candidate(candidate_in) {}
    Attempt attempt;
    size_t candidate;
    bool judged = false;
  };

  // The first ready server in the order of the route; else the first that is worth a try; else the one that sent
  // something unreadable, once more: a forged or broken message must not decide while there is time (RFC 5452 §9.1).
  std::optional<size_t> ChooseNext(SteadyTime now) {
    if (entrants_.size() >= Limits::kAttemptsPerQueryMax) return std::nullopt;
    std::optional<size_t> doubtful;
    for (size_t i = 0; i < route_.size(); ++i) {
      if (tried_[i]) continue;
      const StreamUpstream::Readiness readiness = route_[i].server->Tend(now);
      if (readiness == StreamUpstream::Readiness::kReady) return i;
      if (readiness == StreamUpstream::Readiness::kDoubtful && !doubtful) doubtful = i;
    }
    if (doubtful || running_ != 0) return doubtful;
    return std::exchange(once_more_, std::nullopt);
  }

  void Enter(size_t candidate, SteadyTime now) {
    tried_[candidate] = true;
    ++running_;
    Entrant& entrant = entrants_.emplace_back(query_, wakeup_, candidate);
    // Until this one answers or fails, others get no more than their share of the time that is left.
    const auto left = std::count(tried_.begin(), tried_.end(), false) + 1;
    const Duration share = std::clamp<Duration>(deadline_.RemainingAt(now) / left, Limits::kAttemptPatienceMin,
                                                Limits::kAttemptPatienceMax);
    WaitUntil(left == 1 ? deadline_.at() : deadline_.Within(now, share).at());
    route_[candidate].server->Start(entrant.attempt, now);
    JudgeIfDone(entrant);
  }

  void WaitUntil(SteadyTime at) {
    // At the deadline itself it is not the next server's turn but the end.
    patience_ends_ = at < deadline_.at() ? at : SteadyTime::max();
    next_turn_ = at;
  }

  void JudgeIfDone(Entrant& entrant) {
    if (entrant.judged || !entrant.attempt.done()) return;
    entrant.judged = true;
    --running_;
    const absl::StatusOr<UpstreamResponse>& result = entrant.attempt.result();
    if (!result.ok()) {
      if (absl::IsDataLoss(result.status())) {
        if (!std::exchange(any_malformed_, true)) once_more_ = entrant.candidate;
      }
      errors_.emplace_back(MessageOf(result.status()));
      return;
    }
    const Grade grade = GradeOf(result->message);
    if (grade > grade_) {
      grade_ = grade;
      best_ = &entrant;
    }
    if (grade == Grade::kGood) return;
    // The other addresses of an upstream are the same service and would say the same.
    for (size_t i = 0; i < route_.size(); ++i) {
      if (route_[i].upstream == route_[entrant.candidate].upstream) tried_[i] = true;
    }
  }

  void GiveUp(SteadyTime now) {
    timed_out_ = true;
    for (Entrant& entrant : entrants_) {
      if (!entrant.judged) route_[entrant.candidate].server->GiveUp(entrant.attempt, now);
    }
  }

  std::string WhyNothing() const {
    std::string why;
    const auto add = [&why](std::string_view text) { StrAppend(&why, why.empty() ? "" : "; ", text); };
    for (const Entrant& entrant : entrants_) {
      if (entrant.judged) continue;
      add(StrCat(route_[entrant.candidate].server->label(), ": no answer within ",
                 FormatDuration(deadline_.RemainingAt(started_))));
    }
    for (const std::string& error : errors_) add(error);
    for (size_t i = 0; i < route_.size(); ++i) {
      if (!tried_[i] && !route_[i].server->last_error().ok()) add(MessageOf(route_[i].server->last_error()));
    }
    return why.empty() ? "no upstream could be asked in time" : why;
  }

  const Route& route_;
  const PreparedQuery query_;
  const Deadline deadline_;
  const SteadyTime started_;
  Wakeup wakeup_;
  Timeout timeout_;

  std::list<Entrant> entrants_;          // at most Limits::kAttemptsPerQueryMax
  size_t running_ = 0;                   // of these, those that are not judged
  absl::InlinedVector<bool, 16> tried_;  // by candidate
  SteadyTime patience_ends_ = SteadyTime::max();
  SteadyTime next_turn_ = SteadyTime::max();  // when something is due that no answer brings about
  std::optional<size_t> once_more_;

  Entrant* best_ = nullptr;
  Grade grade_ = Grade::kNone;  // of the best
  absl::InlinedVector<std::string, 1> errors_;
  bool any_malformed_ = false;
  bool timed_out_ = false;
};

Forwarder::Forwarder(asio::io_context& loop) : loop_(loop), timeouts_(loop) {}

Forwarder::~Forwarder() = default;

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::Create(asio::io_context& loop, const Config& config) {
  std::map<std::string, std::shared_ptr<const TlsClientCredentials>> credentials;  // by CA file
  absl::flat_hash_map<std::string, Route> by_name;
  std::unique_ptr<Forwarder> forwarder(new Forwarder(loop));
  for (size_t number = 0; number < config.upstreams.size(); ++number) {
    const UpstreamConfig& upstream = config.upstreams[number];
    if (upstream.protocol != UpstreamProtocol::kTls) {
      return absl::InvalidArgumentError(StrCat("upstream ", upstream.name, ": only protocol tls is known"));
    }
    auto& shared = credentials[upstream.ca_file];
    if (shared == nullptr) {
      auto created = TlsClientCredentials::Create(upstream.ca_file);
      if (!created.ok()) {
        return absl::Status(created.status().code(),
                            StrCat("upstream ", upstream.name, ": ", MessageOf(created.status())));
      }
      shared = *std::move(created);
    }
    Route& addresses = by_name[upstream.name];
    const auto name = std::make_shared<const std::string>(upstream.name);
    for (const IpAddress& address : upstream.addresses) {
      auto server = std::make_unique<StreamUpstream>(loop, forwarder->timeouts_,
                                                  StreamUpstream::Options{.name = name,
                                                                       .endpoint = {address, upstream.port},
                                                                       .auth_name = upstream.auth_name,
                                                                       .credentials = shared});
      addresses.push_back({server.get(), number});
      forwarder->servers_.push_back(std::move(server));
    }
  }
  for (const ForwardConfig& forward : config.forward) {
    ASSIGN_OR_RETURN(const Name zone, Name::Parse(forward.zone));
    if (!forwarder->table_.Add(zone, forwarder->routes_.size())) {
      return absl::InvalidArgumentError(StrCat("forward: zone ", forward.zone, " has two routes"));
    }
    Route& route = forwarder->routes_.emplace_back();
    for (const std::string& name : forward.upstreams) {
      const auto addresses = by_name.find(name);
      if (addresses == by_name.end()) {
        return absl::InvalidArgumentError(StrCat("forward: zone ", forward.zone, ": no upstream is called ", name));
      }
      route.insert(route.end(), addresses->second.begin(), addresses->second.end());
    }
  }
  return forwarder;
}

Task<absl::StatusOr<UpstreamResponse>> Forwarder::Exchange(const UpstreamQuery& query, Deadline deadline) {
  const std::optional<size_t> route = table_.Find(query.name.wire());
  if (!route || routes_[*route].empty()) co_return absl::UnavailableError("no upstream is configured for this name");
  Race race(loop_, timeouts_, routes_[*route], query, deadline, Now());
  while (!race.Advance(Now())) co_await race.Sleep();
  co_return race.Result();
}

std::vector<UpstreamSnapshot> Forwarder::Snapshots() const {
  std::vector<UpstreamSnapshot> snapshots;
  snapshots.reserve(servers_.size());
  for (const auto& server : servers_) snapshots.push_back(server->Snapshot());
  return snapshots;
}

void Forwarder::Close() {
  for (const auto& server : servers_) server->Close();
  timeouts_.Close();
}

Task<> Forwarder::Join() {
  for (const auto& server : servers_) co_await server->Join();
  co_await timeouts_.Join();
}

}  // namespace dotward
