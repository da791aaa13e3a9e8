#ifndef DOTWARD_DNS_EXTENDED_ERRORS_H_
#define DOTWARD_DNS_EXTENDED_ERRORS_H_

#include <span>
#include <string_view>
#include <vector>

#include "dns/scan.h"
#include "dns/types.h"

namespace dotward {

// The extended errors (RFC 8914) of a response, each text led by the upstream's name: "quad9: text". At most
// Limits::kExtendedErrorsMax; texts are cut to Limits::kExtendedErrorTextMax octets, and dropped where they are not
// printable UTF-8.
std::vector<ExtendedError> ExtendedErrorsOf(const ScannedMessage& response, std::string_view upstream);

// The same of a message that was stored: texts as they are, cut to twice as many octets, since an upstream's name leads
// them already.
std::vector<ExtendedError> StoredErrorsOf(const ScannedMessage& message);

// The EDNS options that carry `errors`, ready for an OPT record. The same bounds hold.
Octets EncodeExtendedErrors(std::span<const ExtendedError> errors);

}  // namespace dotward

#endif  // DOTWARD_DNS_EXTENDED_ERRORS_H_
