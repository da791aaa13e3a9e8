#include "dns/answer_origin.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"

namespace dotward {
namespace {

constexpr size_t kOriginsMax = 4096;
constexpr size_t kNamesMax = kOriginsMax / 2;  // the rest is for upstreams without their servers
constexpr size_t kTextOctetsMax = 255;

struct Texts {
  std::string upstream;
  std::string server;
  friend auto operator<=>(const Texts&, const Texts&) = default;
};

// Grows only. Number 0 is nobody.
class OriginTable {
 public:
  uint16_t Number(Texts texts) {
    if (texts == Texts{}) return 0;
    const MutexLock lock(mutex_);
    if (const auto known = numbers_.find(texts); known != numbers_.end()) return known->second;
    if (!texts.server.empty() && count_ >= kNamesMax) {
      texts.server.clear();
      if (const auto known = numbers_.find(texts); known != numbers_.end()) return known->second;
    }
    if (count_ == kOriginsMax) return 0;
    const auto number = static_cast<uint16_t>(count_++);
    const auto added = numbers_.emplace(std::move(texts), number).first;
    texts_[number].store(&added->first, std::memory_order_release);
    return number;
  }

  const Texts& At(uint16_t number) const {
    static const Texts nobody;
    const Texts* const texts = texts_[number].load(std::memory_order_acquire);
    return texts == nullptr ? nobody : *texts;
  }

 private:
  Mutex mutex_;
  size_t count_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<Texts, uint16_t> numbers_ ABSL_GUARDED_BY(mutex_);  // its keys stay where they are
  std::array<std::atomic<const Texts*>, kOriginsMax> texts_{};
};

OriginTable& Table() {
  static OriginTable* const table = new OriginTable;  // never ends: images may outlive every static object
  return *table;
}

}  // namespace

uint16_t AnswerOrigin::NumberOf(std::string_view upstream, std::string_view server) {
  return Table().Number(
      {std::string(upstream.substr(0, kTextOctetsMax)), std::string(server.substr(0, kTextOctetsMax))});
}

std::string_view AnswerOrigin::upstream() const { return Table().At(number_).upstream; }
std::string_view AnswerOrigin::server() const { return Table().At(number_).server; }

}  // namespace dotward
