#ifndef DOTWARD_TESTS_ADMIN_FAKE_SERVICE_CONTROL_H_
#define DOTWARD_TESTS_ADMIN_FAKE_SERVICE_CONTROL_H_

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "admin/service_control.h"
#include "testing/messages.h"

namespace dotward {

// A server that says what the test has put into it.
class FakeServiceControl : public ServiceControl {
 public:
  ServiceFacts Facts() const override { return facts; }
  bool ready() const override { return is_ready; }
  StatisticsSnapshot Statistics() override { return {}; }
  std::vector<UpstreamSnapshot> Upstreams() override { return upstreams; }
  SlowReport Slow() override { return slow; }
  std::vector<CacheEntry> CacheEntriesOf(const Name&) override { return entries; }
  AnswerTrust TrustOf(const CacheEntry&) override { return trust; }
  // `walk_turns` times what there is.
  bool WalkCache(CacheCursor& cursor, std::vector<CacheEntry>& found) override {
    found.insert(found.end(), entries.begin(), entries.end());
    ++turns_walked;
    return ++cursor.shard < walk_turns;
  }
  uint64_t FlushName(const Name& name) override { return Flush("name " + name.ToString()); }
  uint64_t FlushZone(const Name& zone) override { return Flush("zone " + zone.ToString()); }
  WhyReport Why(const Name&, uint16_t) override { return why; }
  ReloadReport Reload() override { return reload; }
  void Query(ControlQuery query, std::function<void(ControlAnswer)> done) override {
    const std::lock_guard lock(mutex);
    asked.push_back(std::move(query));
    waiting.push_back(std::move(done));
  }

  ServiceFacts facts{.version = "9.9", .pid = 4711, .workers = 3};
  std::atomic<bool> is_ready = true;
  std::vector<UpstreamSnapshot> upstreams;
  SlowReport slow;
  std::vector<CacheEntry> entries;
  AnswerTrust trust;
  size_t walk_turns = 1;
  std::atomic<size_t> turns_walked = 0;
  WhyReport why;
  ReloadReport reload;

  std::mutex mutex;  // of what follows
  std::vector<std::string> flushed;
  std::vector<ControlQuery> asked;
  std::vector<std::function<void(ControlAnswer)>> waiting;

 private:
  uint64_t Flush(std::string what) {
    const std::lock_guard lock(mutex);
    flushed.push_back(std::move(what));
    return 7;
  }
};

// An entry with one TXT record of `octets` octets.
inline CacheEntry MakeCacheEntry(std::string_view name, size_t octets, SteadyTime received_at,
                                 std::string_view upstream = "quad9") {
  const Octets query = MessageBuilder::Query(1, name, rr_type::kTxt).Build();
  const Octets response = MessageBuilder::ResponseTo(query).Answer(name, 300, Txt(std::string(octets, 'x'))).Build();
  const absl::StatusOr<Message> message = ParseResponse(response);
  CacheEntry entry;
  entry.image = *ResponseImage::Build(*message, ClassifyResponse(*message, {}), upstream, received_at);
  return entry;
}

}  // namespace dotward

#endif  // DOTWARD_TESTS_ADMIN_FAKE_SERVICE_CONTROL_H_
