#include "upstream/upstream_connection.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"
#include "base/units.h"
#include "dns/wire.h"

namespace dotward {
namespace {

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// A server that could not read the query may answer with an error and no question. That is no answer, but no attack on
// the connection either: the query it has the ID of fails alone.
bool IsBareError(OctetView frame) {
  return ReadU16(&frame[header::kQdCount]) == 0 && (ReadU16(&frame[header::kFlags]) & 0xfU) != 0;
}

UpstreamQuery RootNameServers() {
  constexpr uint8_t kRoot[] = {0};
  UpstreamQuery query;
  query.name = Name::FromWire(kRoot);
  query.type = rr_type::kNs;
  return query;
}

}  // namespace

UpstreamConnection::UpstreamConnection(asio::io_context& loop, Timeouts& timeouts, std::unique_ptr<ClientStream> stream,
                                       QueryTransport transport, ServerRecord& server, RandomIds& ids, Owner& owner)
    : stream_(std::move(stream)),
      server_(server),
      ids_(ids),
      owner_(owner),
      authenticated_(transport == QueryTransport::kTls),
      queries_max_(server.pipeline_limit.QueriesPerConnection(Now())),
      last_activity_(Now()),
      watch_(loop.get_executor()),
      watch_timeout_(timeouts, watch_),
      probe_query_(RootNameServers()),
      transport_(transport),
      output_ready_(loop.get_executor()),
      frames_(Limits::kTlsReadOctets),
      tasks_(loop) {}

UpstreamConnection::~UpstreamConnection() {
  for (const auto& [id, taken] : taken_) {
    if (taken.attempt != nullptr) taken.attempt->HeldBy(nullptr);
  }
}

Task<> UpstreamConnection::Run() {
  tasks_.Spawn(Write());
  tasks_.Spawn(Watch());
  co_await Read();
  output_ready_.Notify();
  watch_.Notify();
  co_await tasks_.Join();
}

bool UpstreamConnection::HasRoom() const {
  return open() && !HasHadEnough() && taken_.size() < Limits::kInFlightPerConnectionMax &&
         output_.size() < Limits::kConnectionOutputOctetsMax;
}

void UpstreamConnection::Send(Attempt& attempt, SteadyTime now) {
  ++in_flight_;
  ++sent_;
  warm_questions_ = 0;
  server_.idle_limit.QuerySent(now);
  Put(attempt, now);
}

void UpstreamConnection::Put(Attempt& attempt, SteadyTime now) {
  attempt.id = TakeFreeId();
  attempt.batch = batch_;
  ++attempt.sends;
  attempt.Sent(now);
  attempt.HeldBy(this);
  taken_.emplace(attempt.id, Taken{&attempt, now});
  ever_used_.set(attempt.id);
  last_activity_ = now;
  if (!waiting_since_) {
    waiting_since_ = now;
    // The watch sleeps until a time that was right before there was anything to wait for.
    if (watch_armed_for_ > now + patience() / 2) watch_.Notify();
  }

  std::array<uint8_t, kBuiltQueryOctetsMax> query;
  AppendFrame(output_, OctetView(query).first(attempt.query().Write(attempt.id, query)));
  output_ready_.Notify();
}

void UpstreamConnection::Probe(SteadyTime now) {
  // The IDs that queries may not have are enough for this one.
  if (probe_ || !open() || output_.size() >= Limits::kConnectionOutputOctetsMax) return;
  server_.counters.probes.Add();
  probe_.emplace(WireQuery(probe_query_, transport_), watch_);
  Put(*probe_, now);
}

// At most three quarters of the IDs are taken, so that four draws are enough on average, however the taken ones lie.
uint16_t UpstreamConnection::TakeFreeId() {
  uint16_t id = ids_.Next();
  while (taken_.contains(id)) id = ids_.Next();
  return id;
}

void UpstreamConnection::Release(Attempt& attempt) {
  taken_[attempt.id].attempt = nullptr;
  if (IsProbe(attempt)) return;
  --in_flight_;
  CloseIfRetired();
}

void UpstreamConnection::Retire() {
  retired_ = true;
  CloseIfRetired();
}

void UpstreamConnection::CloseIfRetired() {
  if (retired_ && in_flight_ == 0) Close(ConnectionEnd::kClosedHere, "it was replaced");
}

void UpstreamConnection::Close(ConnectionEnd end, std::string_view why) {
  if (!open()) return;
  end_ = end;
  end_text_ = why;
  ticket_ = stream_->TakeSessionTicket();
  stream_->Close();
  output_ready_.Notify();
  watch_.Notify();
}

AttemptList UpstreamConnection::TakeUnanswered(Sent sent) {
  std::vector<Attempt*> taken_back;
  for (auto& [id, taken] : taken_) {
    Attempt* const attempt = taken.attempt;
    if (attempt == nullptr || IsProbe(*attempt)) continue;
    const bool left = attempt->batch != batch_;
    const size_t sends = attempt->sends - size_t{!left};
    const size_t in_vain = attempt->sends_in_vain + size_t{left && sent == Sent::kInVain};
    const bool may_go_on = in_vain < Limits::kSendsPerAttemptMax && sends < Limits::kSendsPerServedAttemptMax;
    if (!may_go_on && sent != Sent::kAll) continue;
    attempt->sends = static_cast<uint8_t>(sends);
    attempt->sends_in_vain = static_cast<uint8_t>(in_vain);
    attempt->HeldBy(nullptr);
    taken.attempt = nullptr;
    --in_flight_;
    taken_back.push_back(attempt);
  }
  // Who has waited longest goes first: where a server answers few queries of each connection, nobody is left behind.
  std::sort(taken_back.begin(), taken_back.end(),
            [](const Attempt* one, const Attempt* other) { return one->started_at < other->started_at; });
  AttemptList unanswered;
  for (Attempt* attempt : taken_back) unanswered.PushBack(*attempt);
  return unanswered;
}

TlsSessionTicket UpstreamConnection::TakeSessionTicket() {
  return open() ? stream_->TakeSessionTicket() : std::move(ticket_);
}

Duration UpstreamConnection::SilentFor(SteadyTime now) const {
  return waiting_since_ ? Duration(now - *waiting_since_) : Duration::zero();
}

Duration UpstreamConnection::patience() const {
  return std::clamp<Duration>(4 * server_.latency.smoothed(), Limits::kSilenceMin, Limits::kSilenceMax);
}

// --- the watch ---

Task<> UpstreamConnection::Watch() {
  while (open()) {
    watch_armed_for_ = LookAfter(Now());
    if (!open()) break;
    watch_timeout_.Set(watch_armed_for_);
    co_await watch_.Wait();
    watch_timeout_.Cancel();
  }
  // While it still is the probe: it counts for no query in flight.
  if (probe_) probe_->Withdraw();
  probe_.reset();
}

SteadyTime UpstreamConnection::LookAfter(SteadyTime now) {
  if (probe_ && probe_->done()) probe_.reset();
  return waiting_since_ ? LookAfterWaiting(now) : LookAfterIdle(now);
}

SteadyTime UpstreamConnection::LookAfterWaiting(SteadyTime now) {
  const Duration longest = patience();
  if (!suspect_since_) {
    SteadyTime suspect_at = *waiting_since_ + longest;
    if (answer_due_) suspect_at = std::min(suspect_at, *answer_due_);
    const SteadyTime ask_at = *waiting_since_ + longest / 2;
    if (now < suspect_at) {
      if (now < ask_at) return std::min(ask_at, suspect_at);
      Probe(now);
      return suspect_at;
    }
    Suspect(now);
    if (!open()) return now;
  }
  const SteadyTime close_at = *suspect_since_ + longest;
  if (now >= close_at) {
    Close(ConnectionEnd::kSilent, StrCat("it answered nothing for ", FormatDuration(now - *waiting_since_),
                                         ", not even for the name servers of the root"));
  }
  return close_at;
}

SteadyTime UpstreamConnection::LookAfterIdle(SteadyTime now) {
  const SteadyTime close_at = last_activity_ + server_.idle_limit.Keep(now);
  if (now < close_at) return close_at;
  if (warm_questions_ >= Limits::kWarmQuestionsMax || !server_.idle_limit.WorthKeepingWarm(now)) {
    Close(ConnectionEnd::kClosedHere, "nothing happened on it");
    return now;
  }
  ++warm_questions_;
  Probe(now);
  return now + patience() / 2;
}

void UpstreamConnection::Suspect(SteadyTime now) {
  suspect_since_ = now;
  server_.counters.connections_suspected.Add();
  Probe(now);
  for (const auto& [id, taken] : taken_) {
    if (taken.attempt != nullptr && !IsProbe(*taken.attempt)) taken.attempt->Doubt();
  }
  owner_.OnSuspected(*this, now);
}

void UpstreamConnection::NetworkChanged(SteadyTime now, const std::optional<IpAddress>& address_now) {
  if (!open()) return;
  const bool moved = address_now != stream_->local().address;
  if (moved && in_flight_ == 0) return Close(ConnectionEnd::kClosedHere, "the network has changed");
  Probe(now);
  if (moved && !suspect_since_) {
    Suspect(now);
  } else if (!moved) {
    const Duration soon = std::max<Duration>(2 * server_.latency.smoothed(), Limits::kNetworkChangePatience);
    answer_due_ = now + std::min(soon, patience());
    if (!waiting_since_) waiting_since_ = now;  // for a question that was under way before
  }
  watch_.Notify();
}

// --- octets ---

Task<> UpstreamConnection::Write() {
  while (open()) {
    if (output_.empty()) {
      co_await output_ready_.Wait();
      continue;
    }
    // RFC 7766 §6.2.1.1: what is ready together leaves together, in as few records and segments as possible.
    sending_.clear();
    sending_.swap(output_);
    ++batch_;
    const absl::Status status = co_await stream_->Write(sending_);
    if (!status.ok()) Close(ConnectionEnd::kBroken, MessageOf(status));
  }
}

Task<> UpstreamConnection::Read() {
  while (open()) {
    const absl::StatusOr<size_t> octets = co_await stream_->Read(frames_.Space());
    if (!open()) break;
    const SteadyTime now = Now();
    if (!octets.ok()) {
      Close(ConnectionEnd::kBroken, MessageOf(octets.status()));
    } else if (*octets == 0) {
      if (!waiting_since_) server_.idle_limit.Observed(now - last_activity_, now);
      Close(ConnectionEnd::kPeerClosed, "the server closed the connection");
    } else {
      frames_.Commit(*octets);
      while (open()) {
        const std::optional<OctetView> frame = frames_.Next();
        if (!frame) break;
        HandleFrame(*frame, now);
      }
    }
  }
}

void UpstreamConnection::HandleFrame(OctetView frame, SteadyTime now) {
  if (frame.size() < kHeaderOctets) {
    server_.counters.mismatched.Add();
    Close(ConnectionEnd::kViolation, StrCat("the server sent a message of ", frame.size(), " octets"));
    return;
  }
  const uint16_t id = ReadU16(&frame[header::kId]);
  const uint16_t flags = ReadU16(&frame[header::kFlags]);
  if ((flags & header::kQr) == 0 || ((flags >> 11U) & 0xfU) != opcode::kQuery) {
    server_.counters.mismatched.Add();
    Close(ConnectionEnd::kViolation, "the server sent a message that is no response to a query");
    return;
  }
  const auto entry = taken_.find(id);
  if (entry == taken_.end()) return HandleUnmatched(id);
  Attempt* const attempt = entry->second.attempt;
  if (attempt == nullptr) {
    // Nobody waits for it, but it says how slow the server is: whoever lost a race is measured too.
    server_.counters.late.Add();
    server_.latency.Add(now - entry->second.sent_at);
    HandleAnswered(id, now, Answered::kQuery);
    return;
  }
  if (!attempt->query().IsAnsweredBy(frame, id) && !IsBareError(frame)) {
    server_.counters.mismatched.Add();
    Close(ConnectionEnd::kViolation, "the server answered with another question than it was asked");
    return;
  }
  const Answered answered = IsProbe(*attempt) ? Answered::kProbe : Answered::kQuery;
  if (answered == Answered::kQuery) --in_flight_;
  HandleAnswered(id, now, answered);
  Answer(*attempt, frame, now);
  CloseIfRetired();
}

// A duplicate hurts nobody and is dropped, a few times. An ID that was never used here was never asked with.
void UpstreamConnection::HandleUnmatched(uint16_t id) {
  server_.counters.mismatched.Add();
  if (!ever_used_.test(id)) {
    Close(ConnectionEnd::kViolation, "the server sent a response with an ID that no query had");
  } else if (++duplicates_ > Limits::kUnmatchedResponsesMax) {
    Close(ConnectionEnd::kViolation, "the server sent too many responses to queries that it had answered");
  }
}

void UpstreamConnection::HandleAnswered(uint16_t id, SteadyTime now, Answered answered) {
  taken_.erase(id);
  last_activity_ = now;
  waiting_since_ = in_flight_ != 0 ? std::optional(now) : std::nullopt;
  answer_due_.reset();
  const bool cleared = std::exchange(suspect_since_, std::nullopt).has_value();
  if (++responses_ == 1 || cleared || answered == Answered::kProbe) owner_.OnAlive(*this, now);
}

void UpstreamConnection::Answer(Attempt& attempt, OctetView frame, SteadyTime now) {
  UpstreamResponse response;
  response.octets.assign(frame.begin(), frame.end());
  response.upstream = server_.name;
  response.origin = server_.origin;
  response.received_at = now;
  response.authenticated = authenticated_;
  attempt.CompleteUnparsed(std::move(response), server_);
}

}  // namespace dotward
