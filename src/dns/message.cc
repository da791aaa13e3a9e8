#include "dotward/message.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/strings.h"
#include "dns/rdata_layout.h"

namespace dotward {

namespace {

size_t RdataOctets(const ldns_rr& record) {
  size_t octets = 0;
  for (size_t i = 0; i < ldns_rr_rd_count(&record); ++i) octets += ldns_rdf_size(ldns_rr_rdf(&record, i));
  return octets;
}

// ldns takes what it needs of a record's RDATA and reads the next record from there, wherever RDLENGTH said that it
// begins: it may have found records that nobody sent. True where it saw the same records as the scan.
bool SawTheSameRecords(const ldns_pkt& model, const ScannedMessage& scan) {
  const std::array<const ldns_rr_list*, 3> sections = {ldns_pkt_answer(&model), ldns_pkt_authority(&model),
                                                       ldns_pkt_additional(&model)};
  std::array<size_t, 3> seen{};
  for (const RecordEdges& record : scan.records) {
    // ldns keeps these apart. OPT is opaque to it; behind TSIG nothing follows.
    if (record.type == rr_type::kOpt || record.type == rr_type::kTsig) continue;
    const auto section = static_cast<size_t>(record.section);
    const ldns_rr* modelled = ldns_rr_list_rr(sections[section], seen[section]++);
    if (modelled == nullptr || ldns_rr_get_type(modelled) != record.type) return false;
    // The scan has walked RDATA with compressed names to its end, and ldns has expanded them.
    const RdataLayout* layout = FindRdataLayout(record.type);
    if (layout != nullptr && layout->may_compress) continue;
    if (RdataOctets(*modelled) != static_cast<size_t>(record.end - record.rdata)) return false;
  }
  return true;
}

// Whether the scan has read every record to its last octet, so that ldns has nothing to add: addresses, whose length is
// checked; OPT, which is opaque to ldns; and types that are names and fixed fields alone. This is so for most messages
// there are, and ldns needs a dozen allocations for each.
bool ScanReadsAllOf(const ScannedMessage& scan) {
  return std::ranges::all_of(scan.records, [](const RecordEdges& record) -> bool {
    if (record.type == rr_type::kA || record.type == rr_type::kAaaa || record.type == rr_type::kOpt) return true;
    // Behind the signer's name there are only the octets of the signature.
    if (record.type == rr_type::kRrsig) return true;
    const RdataLayout* layout = FindRdataLayout(record.type);
    return layout != nullptr && layout->strings == 0 && layout->tail != RdataLayout::kAnyTail;
  });
}

}  // namespace

void Message::FreeModel::operator()(ldns_struct_pkt* model) const { ldns_pkt_free(model); }

struct MessageParser {
  // Scans, then has ldns read what the scan has not, in this order: ldns must never see what the scan refuses.
  static ScanFault Parse(OctetView octets, MessageSide side, Message& message) {
    const ScanFault fault = ScanMessage(octets, side, message.scan_);
    if (fault != ScanFault::kNone || message.scan_.needs_no_model || ScanReadsAllOf(message.scan_)) return fault;
    return message.MakeModel() != nullptr ? ScanFault::kNone : ScanFault::kModel;
  }
};

Message::Model Message::MakeModel() const {
  if (scan_.needs_no_model) return nullptr;
  ldns_pkt* parsed = nullptr;
  const ldns_status status = ldns_wire2pkt(&parsed, octets().data(), octets().size());
  Model model(parsed);
  if (status != LDNS_STATUS_OK || !SawTheSameRecords(*model, scan_)) model = nullptr;
  return model;
}

std::string Message::ToString() const {
  // ldns gives up on a whole message where it cannot print one record of it, such as a CAA without a tag.
  std::unique_ptr<char, decltype(&std::free)> text(nullptr, &std::free);
  if (const Model model = MakeModel()) text.reset(ldns_pkt2str(model.get()));
  if (text == nullptr || *text == '\0') return StrCat("a message of ", octets().size(), " octets");
  return text.get();
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
