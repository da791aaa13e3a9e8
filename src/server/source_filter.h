#ifndef DOTWARD_SERVER_SOURCE_FILTER_H_
#define DOTWARD_SERVER_SOURCE_FILTER_H_

#include "base/ip_address.h"

namespace dotward {

// Whether a reply may be sent to where a datagram claims to come from. Not to port 0, which nobody can have; not to the
// ports of echo, daytime, qotd and chargen (7, 13, 17, 19), which answer anything with anything and so would talk with
// us for ever (CVE-2024-2169); not to an address that is nobody's own: multicast, broadcast, unspecified, or of the
// blocks 0.0.0.0/8 and 240.0.0.0/4 (RFC 6890).
bool MayReplyTo(const Endpoint& source);

}  // namespace dotward

#endif  // DOTWARD_SERVER_SOURCE_FILTER_H_
