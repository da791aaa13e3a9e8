#include "dotward/message.h"

#include <ldns/ldns.h>

#include <cstdlib>

#include "base/strings.h"

namespace dotward {

void Message::FreeModel::operator()(ldns_struct_pkt* model) const { ldns_pkt_free(model); }

struct MessageParser {
  // Scans, then models, in this order: ldns must never see what the scan refuses.
  static ScanFault Parse(OctetView octets, MessageSide side, Message& message) {
    const ScanFault fault = ScanMessage(octets, side, message.scan_);
    if (fault != ScanFault::kNone || message.scan_.needs_no_model) return fault;
    ldns_pkt* model = nullptr;
    const ldns_status status = ldns_wire2pkt(&model, octets.data(), octets.size());
    message.model_.reset(model);
    return status == LDNS_STATUS_OK ? ScanFault::kNone : ScanFault::kModel;
  }
};

std::string Message::ToString() const {
  if (model_ == nullptr) return StrCat("a message of ", octets().size(), " octets");
  const std::unique_ptr<char, decltype(&std::free)> text(ldns_pkt2str(model_.get()), &std::free);
  return text == nullptr ? std::string() : std::string(text.get());
}

ParsedQuery ParseQuery(OctetView octets) {
  ParsedQuery query;
  // The header alone decides whether a reply is owed at all, and whether the rest has the layout of a query.
  query.fault = MessageParser::Parse(octets, MessageSide::kQuery, query.message);
  const ScannedMessage& scan = query.message.scan();
  if (!scan.has_header || scan.is_response()) {
    query.outcome = QueryOutcome::kDrop;
  } else if (scan.opcode() != opcode::kQuery) {
    query.outcome = QueryOutcome::kNotImp;
  } else if (scan.has_edns && scan.edns.version != 0) {
    query.outcome = QueryOutcome::kBadVers;
  } else if (query.fault != ScanFault::kNone) {
    query.outcome = QueryOutcome::kFormErr;
  } else {
    query.outcome = QueryOutcome::kAccepted;
  }
  return query;
}

absl::StatusOr<Message> ParseResponse(OctetView octets) {
  Message message;
  const ScanFault fault = MessageParser::Parse(octets, MessageSide::kResponse, message);
  if (fault != ScanFault::kNone) {
    return absl::InvalidArgumentError(StrCat("malformed response: ", ScanFaultToString(fault)));
  }
  if (!message.scan().is_response()) return absl::InvalidArgumentError("a query where a response was expected");
  return message;
}

}  // namespace dotward
