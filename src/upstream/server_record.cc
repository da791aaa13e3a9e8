#include "upstream/server_record.h"

#include <chrono>
#include <cmath>

#include "base/limits.h"
#include "dns/wire.h"

namespace dotward {
namespace {

// RFC 7828 §3.1: units of 100 milliseconds.
constexpr std::chrono::milliseconds kKeepaliveUnit{100};

}  // namespace

void ServerRecord::AddTrouble(SteadyTime now) {
  trouble_ = TroubleAt(now) + 1;
  trouble_at_ = now;
}

double ServerRecord::TroubleAt(SteadyTime now) const {
  if (trouble_ == 0) return 0;
  const std::chrono::duration<double> age = now - trouble_at_;
  return trouble_ * std::exp2(-age / std::chrono::duration<double>(Limits::kTroubleHalfLife));
}

void ServerRecord::Learn(const ScannedMessage& response, Duration latency_of_it) {
  latency.Add(latency_of_it);
  ForEachOption(response.edns.options, [this](uint16_t code, OctetView value) {
    if (code == kOptionTcpKeepalive && value.size() == 2) idle_limit.Told(ReadU16(value.data()) * kKeepaliveUnit);
  });
}

void ServerRecord::Count(const ScannedMessage& response, Duration latency_of_it) {
  counters.responses.Add();
  counters.latency_microseconds.Add(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(latency_of_it).count()));
  counters.durations.Add(latency_of_it);
  if (response.rcode() == Rcode::kNxDomain) counters.nxdomain.Add();
  if (response.rcode() == Rcode::kServFail) counters.servfail.Add();
}

}  // namespace dotward
