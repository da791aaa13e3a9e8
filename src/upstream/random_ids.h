#ifndef DOTWARD_UPSTREAM_RANDOM_IDS_H_
#define DOTWARD_UPSTREAM_RANDOM_IDS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace dotward {

// Uniformly distributed numbers from the kernel's cryptographic generator, for message IDs that nobody can predict
// (RFC 5452 §9.2) and for jitter. Drawn in blocks, so that a number costs a hundredth of a system call. Not
// thread-safe.
class RandomIds {
 public:
  uint16_t Next() {
    if (used_ == numbers_.size()) Refill();
    return numbers_[used_++];
  }

 private:
  void Refill();

  std::array<uint16_t, 128> numbers_{};  // 256 octets: the kernel gives so many whole or not at all
  size_t used_ = numbers_.size();
};

}  // namespace dotward

#endif  // DOTWARD_UPSTREAM_RANDOM_IDS_H_
