#include "upstream/attempt.h"

#include <utility>

#include "base/strings.h"

namespace dotward {

size_t WireQuery::Write(uint16_t id, std::span<uint8_t, kBuiltQueryOctetsMax> out) const {
  return BuildQuery({.id = id,
                     .qname = query_->name.wire(),
                     .qtype = query_->type,
                     .qclass = query_->klass,
                     .dnssec_ok = query_->dnssec_ok,
                     .checking_disabled = query_->checking_disabled,
                     .padding = transport_ == QueryTransport::kTls ? Padding::kToBlock : Padding::kNone,
                     .keepalive = transport_ == QueryTransport::kUdp ? Keepalive::kNone : Keepalive::kAsk},
                    out);
}

bool WireQuery::IsAnsweredBy(OctetView response, uint16_t id) const {
  return MatchesQuery(response, id, query_->name.wire(), query_->type, query_->klass);
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
