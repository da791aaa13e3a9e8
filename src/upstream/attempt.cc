#include "upstream/attempt.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace dotward {

PreparedQuery::PreparedQuery(const UpstreamQuery& query) : question_octets_(query.name.wire().size() + 4) {
  std::array<uint8_t, kBuiltQueryOctetsMax> built;
  size_ = BuildQuery({.id = 0,
                      .qname = query.name.wire(),
                      .qtype = query.type,
                      .qclass = query.klass,
                      .dnssec_ok = query.dnssec_ok,
                      .checking_disabled = query.checking_disabled,
                      .padding = Padding::kToBlock},
                     built);
  if (size_ > short_.size()) long_ = std::make_unique_for_overwrite<uint8_t[]>(size_);
  std::memcpy(long_ != nullptr ? long_.get() : short_.data(), built.data(), size_);
}

void Attempt::Parse() {
  const Unparsed from = std::exchange(unparsed_, {});
  UpstreamResponse& response = **result_;
  absl::StatusOr<Message> message = ParseResponse(response.octets);
  if (!message.ok()) {
    from.counters->malformed.Add();
    from.counters->failed.Add();
    *result_ =
        absl::DataLossError(StrCat(*response.upstream, " ", from.peer.ToString(), ": ", MessageOf(message.status())));
    return;
  }
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(response.received_at - started_at);
  from.counters->responses.Add();
  from.counters->latency_microseconds.Add(static_cast<uint64_t>(latency.count()));
  const Rcode rcode = message->scan().rcode();
  if (rcode == Rcode::kNxDomain) from.counters->nxdomain.Add();
  if (rcode == Rcode::kServFail) from.counters->servfail.Add();
  response.message = *std::move(message);
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
