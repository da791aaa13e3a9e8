#ifndef DOTWARD_DNS_TYPES_H_
#define DOTWARD_DNS_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dotward {

using OctetView = std::span<const uint8_t>;
using Octets = std::vector<uint8_t>;

// RR types are numbers: any of 65,536 may come, and most are carried as opaque data (RFC 3597). These have names
// because the program treats them in a way of their own.
namespace rr_type {
inline constexpr uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kHinfo = 13, kMx = 15, kTxt = 16, kSig = 24,
                          kKey = 25, kAaaa = 28, kNxt = 30, kSrv = 33, kNaptr = 35, kDname = 39, kOpt = 41, kDs = 43,
                          kSshfp = 44, kRrsig = 46, kNsec = 47, kDnskey = 48, kNsec3 = 50, kNsec3Param = 51, kTlsa = 52,
                          kSvcb = 64, kHttps = 65, kTkey = 249, kTsig = 250, kIxfr = 251, kAxfr = 252, kMailb = 253,
                          kMaila = 254, kAny = 255, kCaa = 257;
}  // namespace rr_type

namespace rr_class {
inline constexpr uint16_t kIn = 1, kCh = 3, kHs = 4, kNone = 254, kAny = 255;
}  // namespace rr_class

// RFC 1035 §4.1.1, RFC 6895 §2.3; values over 15 need an OPT record.
enum class Rcode : uint16_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kNotAuth = 9,
  kBadVers = 16,
};

// "NOERROR", "NXDOMAIN", …, "RCODE23".
std::string RcodeToString(Rcode rcode);
// "A", "HTTPS", …, "TYPE65280" (RFC 3597 §5).
std::string TypeToString(uint16_t type);
// "a", "HTTPS", "TYPE65280"; nullopt for what is no type.
std::optional<uint16_t> ParseType(std::string_view text);
std::string ClassToString(uint16_t klass);  // "IN", "CH", …, "CLASS4711" (RFC 3597 §5)

namespace opcode {
inline constexpr uint8_t kQuery = 0;
}

// Extended DNS Errors, RFC 8914 §4.
enum class EdeCode : uint16_t {
  kOther = 0,
  kStaleAnswer = 3,
  kForgedAnswer = 4,
  kCachedError = 13,
  kNotReady = 14,
  kBlocked = 15,
  kProhibited = 18,
  kStaleNxdomainAnswer = 19,
  kNotAuthoritative = 20,
  kNotSupported = 21,
  kNoReachableAuthority = 22,
  kNetworkError = 23,
  kInvalidData = 24,
  kInvalidQueryType = 30,  // RFC 9824
};

struct ExtendedError {
  EdeCode code = EdeCode::kOther;
  std::string text;  // UTF-8, may be empty
};

inline constexpr size_t kHeaderOctets = 12;
inline constexpr size_t kNameOctetsMax = 255;       // RFC 1035 §2.3.4
inline constexpr size_t kLabelOctetsMax = 63;       // RFC 1035 §2.3.4
inline constexpr size_t kMessageOctetsMax = 65535;  // the length prefix of a stream, RFC 1035 §4.2.2
inline constexpr size_t kUdpPayloadMin = 512;       // RFC 6891 §6.2.3

}  // namespace dotward

#endif  // DOTWARD_DNS_TYPES_H_
