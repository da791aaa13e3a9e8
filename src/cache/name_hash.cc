#include "cache/name_hash.h"

#include <bit>
#include <cstring>

namespace dotward {
namespace {

constexpr uint64_t kEachOctet = 0x0101010101010101U;

// LowerOctet for eight octets at once. With the top bit of each octet cleared, adding 0x3f sets it from 'A' upward and
// adding 0x25 sets it from 'Z' + 1 upward; octets that had it set are no letters.
constexpr uint64_t LowerEightOctets(uint64_t octets) {
  const uint64_t seven_bits = octets & (kEachOctet * 0x7fU);
  const uint64_t from_a = seven_bits + kEachOctet * (0x80U - 'A');
  const uint64_t behind_z = seven_bits + kEachOctet * (0x80U - 'Z' - 1);
  const uint64_t is_upper = from_a & ~behind_z & ~octets & (kEachOctet * 0x80U);
  return octets | (is_upper >> 2U);
}
static_assert(LowerEightOctets(0x5a5b40417a61dac1U) == 0x7a5b40617a61dac1U);

uint64_t LoadLittleEndian(const uint8_t* octets, size_t count) {
  uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, octets, count);
  } else {
    for (size_t i = 0; i < count; ++i) word |= uint64_t{octets[i]} << (8 * i);
  }
  return word;
}

// The state and round of SipHash (Aumasson and Bernstein, 2012).
struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Absorb(uint64_t word) {
    v3 ^= word;
    Round();
    v0 ^= word;
  }
};

// SplitMix64's finaliser: each of its values is the image of one seed, and each bit depends on every bit.
constexpr uint64_t Spread(uint64_t seed) {
  seed = (seed ^ (seed >> 30U)) * 0xbf58476d1ce4e5b9U;
  seed = (seed ^ (seed >> 27U)) * 0x94d049bb133111ebU;
  return seed ^ (seed >> 31U);
}
constexpr uint64_t kGolden = 0x9e3779b97f4a7c15U;

}  // namespace

NameHasher::NameHasher(uint64_t seed) : NameHasher(Spread(seed + kGolden), Spread(seed + 2 * kGolden)) {}

uint64_t NameHasher::operator()(OctetView name) const {
  SipState state{key_low_ ^ 0x736f6d6570736575U, key_high_ ^ 0x646f72616e646f6dU, key_low_ ^ 0x6c7967656e657261U,
                 key_high_ ^ 0x7465646279746573U};
  const uint8_t* at = name.data();
  size_t left = name.size();
  for (; left >= 8; left -= 8, at += 8) state.Absorb(LowerEightOctets(LoadLittleEndian(at, 8)));
  const uint64_t tail = left == 0 ? 0 : LowerEightOctets(LoadLittleEndian(at, left));
  state.Absorb(tail | (uint64_t{name.size()} << 56U));
  state.v2 ^= 0xffU;
  state.Round();
  state.Round();
  state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace dotward
