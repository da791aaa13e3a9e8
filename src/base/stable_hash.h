#ifndef DOTWARD_BASE_STABLE_HASH_H_
#define DOTWARD_BASE_STABLE_HASH_H_

#include <cstdint>
#include <string_view>

namespace dotward {

// FNV-1a of 64 bits: the same for the same octets in every process, on every machine and in every version, since it
// goes into files and decides which upstream a domain stays with. Whoever chooses the octets can make two of them
// alike: it finds what a disk has lost, not what somebody has changed, and is for no table that the network fills.
class StableHash {
 public:
  constexpr explicit StableHash(uint64_t seed = 0) : value_(0xcbf29ce484222325U ^ seed) {}

  constexpr void Add(uint8_t octet) { value_ = (value_ ^ octet) * 0x100000001b3U; }
  constexpr void Add(std::string_view text) {
    for (const char character : text) Add(static_cast<uint8_t>(character));
  }
  constexpr uint64_t value() const { return value_; }

 private:
  uint64_t value_;
};

}  // namespace dotward

#endif  // DOTWARD_BASE_STABLE_HASH_H_
