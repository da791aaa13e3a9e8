#ifndef DOTWARD_APP_SERVICE_CONTROL_H_
#define DOTWARD_APP_SERVICE_CONTROL_H_

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/service_control.h"
#include "app/service.h"

namespace dotward {

// The verbs of administration over the whole server. `service` must outlive it, and must have been started before
// anybody uses it.
class LiveServiceControl final : public ServiceControl {
 public:
  // `reload` must be thread-safe.
  LiveServiceControl(Service& service, const Clock& clock, std::string config_file,
                     std::function<ReloadReport()> reload)
      : service_(service), clock_(clock), config_file_(std::move(config_file)), reload_(std::move(reload)) {}

  // Somebody has said stop: from now on it is not ready.
  void BeginStop() { ready_ = false; }

  ServiceFacts Facts() const override;
  bool ready() const override { return ready_; }
  StatisticsSnapshot Statistics() override { return service_.Statistics(); }
  std::vector<UpstreamSnapshot> Upstreams() override { return service_.Upstreams(); }
  SlowReport Slow() override { return {service_.slow_queries().seen(), service_.slow_queries().Latest()}; }
  std::vector<CacheEntry> CacheEntriesOf(const Name& name) override;
  AnswerTrust TrustOf(const CacheEntry& entry) override;
  bool WalkCache(CacheCursor& cursor, std::vector<CacheEntry>& entries) override;
  uint64_t FlushName(const Name& name) override { return service_.Flush(name, Service::FlushWhat::kName); }
  uint64_t FlushZone(const Name& zone) override { return service_.Flush(zone, Service::FlushWhat::kZone); }
  WhyReport Why(const Name& name, uint16_t type) override;
  ReloadReport Reload() override { return reload_(); }
  void Query(ControlQuery query, std::function<void(ControlAnswer)> done) override;

 private:
  // The denial of a name above that answers for this one as well (RFC 8020).
  std::optional<CacheEntry> DenialAbove(Name name, size_t zone_octets);

  Service& service_;
  const Clock& clock_;
  const std::string config_file_;
  const std::function<ReloadReport()> reload_;
  std::atomic<bool> ready_ = true;
};

}  // namespace dotward

#endif  // DOTWARD_APP_SERVICE_CONTROL_H_
