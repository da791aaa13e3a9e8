#ifndef DOTWARD_DNS_WIRE_H_
#define DOTWARD_DNS_WIRE_H_

#include <cstdint>
#include <cstring>
#include <span>

#include "dns/types.h"

namespace dotward {

// Big-endian reads and writes; the caller has checked the bounds.
inline uint16_t ReadU16(const uint8_t* at) { return static_cast<uint16_t>((at[0] << 8U) | at[1]); }
inline uint32_t ReadU32(const uint8_t* at) {
  return (uint32_t{at[0]} << 24U) | (uint32_t{at[1]} << 16U) | (uint32_t{at[2]} << 8U) | uint32_t{at[3]};
}
inline void WriteU16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8U);
  at[1] = static_cast<uint8_t>(value);
}
inline void WriteU32(uint8_t* at, uint32_t value) {
  WriteU16(at, static_cast<uint16_t>(value >> 16U));
  WriteU16(at + 2, static_cast<uint16_t>(value));
}

// Appends to a buffer of fixed size. Past its end nothing is written and ok() turns false for good, so that a sequence
// of writes needs one check.
class WireWriter {
 public:
  explicit WireWriter(std::span<uint8_t> out) : out_(out) {}

  void U8(uint8_t value) {
    if (uint8_t* at = Take(1)) *at = value;
  }
  void U16(uint16_t value) {
    if (uint8_t* at = Take(2)) WriteU16(at, value);
  }
  void U32(uint32_t value) {
    if (uint8_t* at = Take(4)) WriteU32(at, value);
  }
  void Copy(OctetView octets) {
    uint8_t* at = Take(octets.size());
    if (at != nullptr && !octets.empty()) std::memcpy(at, octets.data(), octets.size());
  }
  void Zeros(size_t count) {
    uint8_t* at = Take(count);
    if (at != nullptr && count != 0) std::memset(at, 0, count);
  }

  size_t size() const { return size_; }
  bool ok() const { return ok_; }

 private:
  uint8_t* Take(size_t count) {
    if (!ok_ || count > out_.size() - size_) {
      ok_ = false;
      return nullptr;
    }
    uint8_t* at = out_.data() + size_;
    size_ += count;
    return at;
  }

  std::span<uint8_t> out_;
  size_t size_ = 0;
  bool ok_ = true;
};

// The words of a header, RFC 1035 §4.1.1.
namespace header {
inline constexpr size_t kId = 0, kFlags = 2, kQdCount = 4, kAnCount = 6, kNsCount = 8, kArCount = 10;
inline constexpr uint16_t kQr = 0x8000, kAa = 0x0400, kTc = 0x0200, kRd = 0x0100, kRa = 0x0080, kAd = 0x0020,
                          kCd = 0x0010;
}  // namespace header

inline constexpr size_t kOptFixedOctets = 11;         // root owner, TYPE, CLASS, TTL, RDLENGTH
inline constexpr uint32_t kOptDnssecOk = 0x8000;      // in the OPT's TTL, RFC 3225 §3
inline constexpr uint16_t kOptionExtendedError = 15;  // RFC 8914 §2
inline constexpr uint16_t kOptionTcpKeepalive = 11;   // RFC 7828 §3.1
inline constexpr uint16_t kOptionPadding = 12;        // RFC 7830 §3
inline constexpr uint16_t kPointerToQuestion = 0xC00C;

}  // namespace dotward

#endif  // DOTWARD_DNS_WIRE_H_
