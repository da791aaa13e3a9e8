// The cache equals a naive map: whatever the operations, both find the same, hold as much and remove the same.

#include <cstdio>
#include <cstdlib>

#include "cache/naive_cache.h"

namespace {

// Reads the choices of a run from octets, low ones first; behind the end every choice is 0.
class OctetSource {
 public:
  OctetSource(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  uint64_t Next(uint64_t bound) {
    uint64_t number = Octet();
    if (bound > 256) number |= uint64_t{Octet()} << 8U;
    return number % bound;
  }
  bool Done() const { return left_ == 0; }

 private:
  uint8_t Octet() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  const uint8_t* data_;
  size_t left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  OctetSource source(data, size);
  // From nothing to enough for a few hundred entries.
  const size_t octets_max = source.Next(64) * 2'500;
  const uint64_t seed = source.Next(256);
  const std::string difference = dotward::CacheComparison(source, octets_max, seed).Run();
  if (!difference.empty()) {
    std::fprintf(stderr, "the cache differs from the naive one: %s\n", difference.c_str());
    std::abort();
  }
  return 0;
}
