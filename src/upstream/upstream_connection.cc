#include "upstream/upstream_connection.h"

#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// A server that could not read the query may answer with an error and no question. That is no answer, but no attack on
// the connection either: the query it has the ID of fails alone.
bool IsBareError(OctetView frame) {
  return ReadU16(&frame[header::kQdCount]) == 0 && (ReadU16(&frame[header::kFlags]) & 0xfU) != 0;
}

}  // namespace

UpstreamConnection::UpstreamConnection(asio::io_context& loop, std::unique_ptr<TlsStream> stream,
                             std::shared_ptr<const std::string> upstream, RandomIds& ids, UpstreamCounters& counters)
    : stream_(std::move(stream)),
      upstream_(std::move(upstream)),
      ids_(ids),
      counters_(counters),
      output_ready_(loop.get_executor()),
      frames_(Limits::kTlsReadOctets),
      tasks_(loop) {}

UpstreamConnection::~UpstreamConnection() {
  for (const auto& [id, attempt] : taken_) {
    if (attempt != nullptr) attempt->HeldBy(nullptr);
  }
}

Task<> UpstreamConnection::Run() {
  tasks_.Spawn(Write());
  co_await Read();
  output_ready_.Notify();
  co_await tasks_.Join();
}

bool UpstreamConnection::HasRoom() const {
  return open() && taken_.size() < Limits::kInFlightPerConnectionMax &&
         output_.size() < Limits::kConnectionOutputOctetsMax;
}

void UpstreamConnection::Send(Attempt& attempt, SteadyTime now) {
  attempt.id = TakeFreeId();
  attempt.batch = batch_;
  ++attempt.sends;
  attempt.HeldBy(this);
  taken_.emplace(attempt.id, &attempt);
  ever_used_.set(attempt.id);
  ++in_flight_;
  if (!waiting_since_) waiting_since_ = now;

  const OctetView query = attempt.query().octets();
  AppendFrame(output_, query);
  WriteU16(&output_[output_.size() - query.size() + header::kId], attempt.id);
  output_ready_.Notify();
}

// At most three quarters of the IDs are taken, so that four draws are enough on average, however the taken ones lie.
uint16_t UpstreamConnection::TakeFreeId() {
  uint16_t id = ids_.Next();
  while (taken_.contains(id)) id = ids_.Next();
  return id;
}

void UpstreamConnection::FreeId(uint16_t id, SteadyTime now) {
  taken_.erase(id);
  ++responses_;
  waiting_since_ = in_flight_ != 0 ? std::optional(now) : std::nullopt;
}

void UpstreamConnection::Release(Attempt& attempt) {
  taken_[attempt.id] = nullptr;
  --in_flight_;
  if (retired_ && in_flight_ == 0) Close(ConnectionEnd::kClosedHere, "it was replaced");
}

void UpstreamConnection::Retire() {
  retired_ = true;
  if (in_flight_ == 0) Close(ConnectionEnd::kClosedHere, "it was replaced");
}

void UpstreamConnection::Close(ConnectionEnd end, std::string_view why) {
  if (!open()) return;
  end_ = end;
  end_text_ = why;
  ticket_ = stream_->TakeSessionTicket();
  stream_->Close();
  output_ready_.Notify();
}

AttemptList UpstreamConnection::TakeUnanswered() {
  AttemptList unanswered;
  for (const auto& [id, attempt] : taken_) {
    if (attempt == nullptr) continue;
    if (attempt->batch == batch_) --attempt->sends;
    attempt->HeldBy(nullptr);
    unanswered.PushBack(*attempt);
  }
  taken_.clear();
  in_flight_ = 0;
  return unanswered;
}

TlsSessionTicket UpstreamConnection::TakeSessionTicket() {
  return open() ? stream_->TakeSessionTicket() : std::move(ticket_);
}

Duration UpstreamConnection::SilentFor(SteadyTime now) const {
  return waiting_since_ ? Duration(now - *waiting_since_) : Duration::zero();
}

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
    if (!octets.ok()) {
      Close(ConnectionEnd::kBroken, MessageOf(octets.status()));
    } else if (*octets == 0) {
      Close(ConnectionEnd::kPeerClosed, "the server closed the connection");
    } else {
      frames_.Commit(*octets);
      const SteadyTime now = std::chrono::steady_clock::now();
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
    counters_.mismatched.Add();
    Close(ConnectionEnd::kViolation, StrCat("the server sent a message of ", frame.size(), " octets"));
    return;
  }
  const uint16_t id = ReadU16(&frame[header::kId]);
  const uint16_t flags = ReadU16(&frame[header::kFlags]);
  if ((flags & header::kQr) == 0 || ((flags >> 11U) & 0xfU) != opcode::kQuery) {
    counters_.mismatched.Add();
    Close(ConnectionEnd::kViolation, "the server sent a message that is no response to a query");
    return;
  }
  const auto entry = taken_.find(id);
  if (entry == taken_.end()) {
    HandleUnmatched(id);
  } else if (Attempt* attempt = entry->second; attempt == nullptr) {
    counters_.late.Add();
    FreeId(id, now);
  } else if (MatchesQuery(frame, id, attempt->query().question()) || IsBareError(frame)) {
    --in_flight_;
    FreeId(id, now);
    Answer(*attempt, frame, now);
    if (retired_ && in_flight_ == 0) Close(ConnectionEnd::kClosedHere, "it was replaced");
  } else {
    counters_.mismatched.Add();
    Close(ConnectionEnd::kViolation, "the server answered with another question than it was asked");
  }
}

// A duplicate hurts nobody and is dropped, a few times. An ID that was never used here was never asked with.
void UpstreamConnection::HandleUnmatched(uint16_t id) {
  counters_.mismatched.Add();
  if (!ever_used_.test(id)) {
    Close(ConnectionEnd::kViolation, "the server sent a response with an ID that no query had");
  } else if (++duplicates_ > Limits::kUnmatchedResponsesMax) {
    Close(ConnectionEnd::kViolation, "the server sent too many responses to queries that it had answered");
  }
}

void UpstreamConnection::Answer(Attempt& attempt, OctetView frame, SteadyTime now) {
  UpstreamResponse response;
  response.octets.assign(frame.begin(), frame.end());
  response.upstream = upstream_;
  response.received_at = now;
  response.authenticated = true;
  attempt.CompleteUnparsed(std::move(response), stream_->peer(), counters_);
}

}  // namespace dotward
