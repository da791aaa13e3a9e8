#ifndef DOTWARD_MESSAGE_H_
#define DOTWARD_MESSAGE_H_

#include <absl/status/statusor.h>

#include <memory>

#include "dns/scan.h"
#include "dns/types.h"

struct ldns_struct_pkt;

namespace dotward {

// A DNS message (RFC 1035 §4): the octets and what our bounded scan found in them. ldns is trusted with meaning, never
// with size, so the scan always comes first, and ldns is asked only about records that the scan has not read to their
// last octet. Borrows the octets, which must outlive it. Immutable.
class Message {
 public:
  Message() = default;

  OctetView octets() const { return scan_.octets; }
  const ScannedMessage& scan() const { return scan_; }
  struct FreeModel {
    void operator()(ldns_struct_pkt* model) const;
  };
  using Model = std::unique_ptr<ldns_struct_pkt, FreeModel>;
  // ldns's full model, made anew by each call. Null only for a sound response that ldns could not hold in bounded
  // memory.
  Model MakeModel() const;
  // The whole message as dig prints it; for logs at debug level and for people.
  std::string ToString() const;

 private:
  friend struct MessageParser;

  ScannedMessage scan_;
};

// What a listener owes to what it received (behaviour of RFC 1035, 6891, 8906, 9619).
enum class QueryOutcome : uint8_t {
  kAccepted,
  kDrop,  // no header, or a response: nothing is sent, so that no two servers can answer each other for ever
  kFormErr,
  kNotImp,   // an OPCODE other than QUERY
  kBadVers,  // EDNS version over 0
};

struct ParsedQuery {
  QueryOutcome outcome = QueryOutcome::kDrop;
  ScanFault fault = ScanFault::kNone;
  Message message;  // as far as it was read; scan() has the ID and, where it could be read, the question
};

// Never fails: bad octets have an outcome too.
ParsedQuery ParseQuery(OctetView octets);

// kInvalidArgument names the fault. The message is sound; whether it answers anything is for the caller to match.
absl::StatusOr<Message> ParseResponse(OctetView octets);

}  // namespace dotward

#endif  // DOTWARD_MESSAGE_H_
