#include "upstream/attempt.h"

#include <utility>

namespace dotward {

PreparedQuery::PreparedQuery(const UpstreamQuery& query)
    : size_(BuildQuery({.id = 0,
                        .qname = query.name.wire(),
                        .qtype = query.type,
                        .qclass = query.klass,
                        .dnssec_ok = query.dnssec_ok,
                        .checking_disabled = query.checking_disabled,
                        .padding = Padding::kToBlock},
                       octets_)),
      question_octets_(query.name.wire().size() + 4) {}

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
