#include "admin/slow_queries.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "dns/name.h"
#include "dns/scan.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr size_t kTypeAndClassOctets = 4;

std::string ReasonOf(const AnsweredQuery& query) {
  const auto show = [](uint16_t code, std::string_view text) {
    return text.empty() ? StrCat(code) : StrCat(code, ": ", text);
  };
  if (!query.errors.empty()) {
    return show(static_cast<uint16_t>(query.errors.front().code), query.errors.front().text);
  }
  std::string reason;
  if (query.image == nullptr) return reason;
  ForEachOption(query.image->error_options(), [&](uint16_t, OctetView value) {
    if (!reason.empty() || value.size() < 2) return;
    const OctetView text = value.subspan(2);
    reason = show(ReadU16(value.data()), {reinterpret_cast<const char*>(text.data()), text.size()});
  });
  return reason;
}

}  // namespace

void SlowQueries::Record(const AnsweredQuery& query, WallTime wall) {
  seen_.fetch_add(1, std::memory_order_relaxed);
  const SteadyTime now = query.received_at + std::chrono::duration_cast<SteadyTime::duration>(query.duration);
  if (!mutex_.TryLock()) return;
  if (now >= second_began_ + std::chrono::seconds(1)) {
    second_began_ = now;
    in_second_ = 0;
  }
  const bool kept = ++in_second_ <= Limits::kSlowQueriesPerSecond;
  const ClientPrivacy privacy = privacy_;
  mutex_.Unlock();
  if (!kept) return;

  SlowQuery slow;
  slow.client = privacy.Show(query.client.endpoint.address);
  slow.received_at = wall - std::chrono::duration_cast<WallTime::duration>(query.duration);
  slow.transport = query.client.transport;
  slow.source = query.source;
  const OctetView question = query.query.question;
  if (question.size() > kTypeAndClassOctets) {
    slow.name = NameToString(question.first(question.size() - kTypeAndClassOctets));
    slow.type = ReadU16(&question[question.size() - kTypeAndClassOctets]);
  }
  slow.rcode = query.rcode;
  slow.duration = query.duration;
  if (query.trace != nullptr) slow.trace = *query.trace;
  slow.elsewhere = std::max(Duration(0), Duration(slow.duration - std::chrono::microseconds(slow.trace.total_us)));
  if (query.image != nullptr) slow.upstream = std::string(query.image->upstream());
  slow.reason = ReasonOf(query);

  // Whoever reads them takes a while, for which no query waits.
  if (!mutex_.TryLock()) return;
  if (ring_.size() < Limits::kSlowQueriesMax) {
    ring_.push_back(std::move(slow));
  } else {
    std::swap(ring_[next_], slow);
    next_ = (next_ + 1) % ring_.size();
  }
  mutex_.Unlock();
}

void SlowQueries::Apply(const ClientPrivacy& privacy) {
  const MutexLock lock(mutex_);
  privacy_ = privacy;
}

std::vector<SlowQuery> SlowQueries::Latest() const {
  const MutexLock lock(mutex_);
  std::vector<SlowQuery> latest;
  latest.reserve(ring_.size());
  for (size_t i = ring_.size(); i > 0; --i) latest.push_back(ring_[(next_ + i - 1) % ring_.size()]);
  return latest;
}

}  // namespace dotward
