#ifndef DOTWARD_UPSTREAM_SERVER_RECORD_H_
#define DOTWARD_UPSTREAM_SERVER_RECORD_H_

#include <memory>
#include <string>

#include "base/ip_address.h"
#include "base/strings.h"
#include "dns/answer_origin.h"
#include "dns/scan.h"
#include "dotward/clock.h"
#include "upstream/idle_limit.h"
#include "upstream/latency_estimator.h"
#include "upstream/pipeline_limit.h"
#include "upstream/upstream_counters.h"

namespace dotward {

// What is known of one server address: who it is, and what all connections and queries to it have shown. They write
// into it; it outlives them. One event loop, but for the counters.
struct ServerRecord {
  ServerRecord(std::shared_ptr<const std::string> name_in, const Endpoint& endpoint_in)
      : name(std::move(name_in)),
        endpoint(endpoint_in),
        label(StrCat(*name, " ", endpoint.ToString())),
        origin(*name, endpoint.ToString()) {}

  const std::shared_ptr<const std::string> name;  // as the configuration calls the upstream
  const Endpoint endpoint;
  const std::string label;  // "quad9 9.9.9.9:853"
  const AnswerOrigin origin;
  UpstreamCounters counters;
  LatencyEstimator latency;
  Duration connect_time{0};  // from the first octet to a usable connection, of the last one; zero before it
  IdleLimit idle_limit;
  PipelineLimit pipeline_limit;

  // Connections that failed or were lost: a count that halves every Limits::kTroubleHalfLife.
  void AddTrouble(SteadyTime now);
  double TroubleAt(SteadyTime now) const;

  // A response that was accepted and could be read: what it shows of the server, and what it is for the statistics.
  void Learn(const ScannedMessage& response, Duration latency_of_it);
  void Count(const ScannedMessage& response, Duration latency_of_it);

 private:
  double trouble_ = 0;
  SteadyTime trouble_at_{};
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_SERVER_RECORD_H_
