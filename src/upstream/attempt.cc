#include "upstream/attempt.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace dotward {

PreparedQuery::PreparedQuery(const UpstreamQuery& query, QueryTransport transport)
    : question_octets_(query.name.wire().size() + 4) {
  std::array<uint8_t, kBuiltQueryOctetsMax> built;
  size_ = BuildQuery({.id = 0,
                      .qname = query.name.wire(),
                      .qtype = query.type,
                      .qclass = query.klass,
                      .dnssec_ok = query.dnssec_ok,
                      .checking_disabled = query.checking_disabled,
                      .padding = transport == QueryTransport::kTls ? Padding::kToBlock : Padding::kNone,
                      .keepalive = transport == QueryTransport::kUdp ? Keepalive::kNone : Keepalive::kAsk},
                     built);
  if (size_ > short_.size()) long_ = std::make_unique_for_overwrite<uint8_t[]>(size_);
  std::memcpy(long_ != nullptr ? long_.get() : short_.data(), built.data(), size_);
}

void Attempt::Parse() {
  ServerRecord& server = *std::exchange(unparsed_by_, nullptr);
  UpstreamResponse& response = **result_;
  absl::StatusOr<Message> message = ParseResponse(response.octets);
  if (!message.ok()) {
    server.counters.malformed.Add();
    if (!own) server.counters.failed.Add();
    *result_ = absl::DataLossError(StrCat(server.label, ": ", MessageOf(message.status())));
    return;
  }
  server.Learn(message->scan(), response.received_at - started_at);
  if (!own) server.Count(message->scan(), response.received_at - started_at);
  response.message = std::make_unique<const Message>(*std::move(message));
}

void AttemptList::PushBack(Attempt& attempt) {
  attempt.previous_ = last_;
  attempt.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &attempt;
  last_ = &attempt;
  ++size_;
}

void AttemptList::Remove(Attempt& attempt) {
  (attempt.previous_ != nullptr ? attempt.previous_->next_ : first_) = attempt.next_;
  (attempt.next_ != nullptr ? attempt.next_->previous_ : last_) = attempt.previous_;
  attempt.previous_ = attempt.next_ = nullptr;
  --size_;
}

Attempt& AttemptList::PopFront() {
  Attempt& attempt = *first_;
  Remove(attempt);
  return attempt;
}

}  // namespace dotward
