#ifndef DOTWARD_NET_TLS_VERIFY_H_
#define DOTWARD_NET_TLS_VERIFY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "net/tls_credentials.h"

struct gnutls_session_int;

namespace dotward {

// Checks the certificate chain that the peer of `session` has presented, in this handshake or in the session that this
// one resumes: signatures up to a trusted CA, dates as of now, purpose, that a subjectAltName is `auth_name` (RFC 8310
// §8.1, RFC 6125 §6.4; the common name is never looked at), and that a pin matches where there are pins: the leaf's, or
// that of a presented CA that the leaf verifies up to. With pin_only, the leaf's key alone, and nothing else (RFC 7858
// §4.2). nullopt where all is well; otherwise every check that failed, with what was presented and what an operator can
// do. The text is printable ASCII and bounded, although parts of it come from a stranger.
std::optional<std::string> FindCertificateFault(gnutls_session_int* session, const TlsClientCredentials& credentials,
                                                const std::string& auth_name);

// The protocol that a server's hello has chosen by ALPN (RFC 7301 §3.1): `message` is the body of a ServerHello or,
// with `encrypted_extensions`, of that message of TLS 1.3. nullopt where there is none or the message cannot be read.
// GnuTLS takes a protocol that was never offered for none at all, so this is looked at here.
std::optional<std::string> FindChosenAlpn(std::span<const uint8_t> message, bool encrypted_extensions);

}  // namespace dotward

#endif  // DOTWARD_NET_TLS_VERIFY_H_
