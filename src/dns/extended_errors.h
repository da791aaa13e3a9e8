#ifndef DOTWARD_DNS_EXTENDED_ERRORS_H_
#define DOTWARD_DNS_EXTENDED_ERRORS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dns/scan.h"
#include "dns/types.h"

namespace dotward {

// Whose word the extended errors in a response are.
enum class ErrorAuthor : uint8_t {
  kUpstream,
  kLastIsOurs,  // of a validator of ours, which has put it behind the upstream's
  kOurs,        // so is the whole response
};

// The extended errors (RFC 8914) of a response, each text of the upstream's led by its name: "quad9: text". At most
// Limits::kExtendedErrorsMax; texts are cut to Limits::kExtendedErrorTextMax octets, and dropped where they are not
// printable UTF-8.
std::vector<ExtendedError> ExtendedErrorsOf(const ScannedMessage& response, std::string_view upstream,
                                            ErrorAuthor author = ErrorAuthor::kUpstream);

// The same of a message that was stored: texts as they are, cut to twice as many octets, since an upstream's name leads
// them already.
std::vector<ExtendedError> StoredErrorsOf(const ScannedMessage& message);

// The EDNS options that carry `errors`, ready for an OPT record. The same bounds hold.
Octets EncodeExtendedErrors(std::span<const ExtendedError> errors);

}  // namespace dotward

#endif  // DOTWARD_DNS_EXTENDED_ERRORS_H_
