#include "base/limit_tally.h"

#include <algorithm>
#include <utility>

namespace dotward {

std::optional<LimitTally::Line> LimitTally::Add(const IpPrefix& client, SteadyTime now) {
  Count(client);
  if (open(now)) return std::nullopt;
  ends_ = now + Limits::kLimitLogInterval;
  return Take();
}

std::optional<LimitTally::Line> LimitTally::TakeDue(SteadyTime now) {
  if (open(now) || times_ == 0) return std::nullopt;
  ends_ = now + Limits::kLimitLogInterval;
  return Take();
}

std::optional<LimitTally::Line> LimitTally::TakeRest() {
  if (times_ == 0) return std::nullopt;
  return Take();
}

std::optional<SteadyTime> LimitTally::NextDue() const {
  if (times_ == 0) return std::nullopt;
  return ends_;
}

// Space-saving: where there is no place left, the rarest client gives its place and its count to the new one. So who
// comes often has a place, whatever else comes, and the highest count is never too low.
void LimitTally::Count(const IpPrefix& client) {
  ++times_;
  Client* const end = clients_.data() + known_;
  Client* place = std::find_if(clients_.data(), end, [&client](const Client& c) { return c.prefix == client; });
  if (place == end) {
    if (known_ < clients_.size()) {
      clients_[known_++] = {};
    } else {
      place =
          std::min_element(clients_.data(), end, [](const Client& a, const Client& b) { return a.times < b.times; });
    }
    place->prefix = client;
  }
  ++place->times;
}

LimitTally::Line LimitTally::Take() {
  Line line{.times = std::exchange(times_, 0), .clients = known_};
  Client* const end = clients_.data() + std::exchange(known_, 0);
  const auto fewer = [](const Client& a, const Client& b) { return a.times < b.times; };
  if (line.clients != 0) line.client = std::max_element(clients_.data(), end, fewer)->prefix;
  return line;
}

}  // namespace dotward
