// Any octets, taken for a query and for a response: the scan finds the same twice and never reads outside; what it
// accepts is laid out without gaps, and a second reader, which shares no code with it, finds the same records there;
// outcome, fault and header agree; and the error that is sent back can be read.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "dns/plain_decoder.h"
#include "dns/reply.h"
#include "dns/scan.h"
#include "dotward/message.h"

namespace {

using namespace dotward;

void Require(bool condition, const char* claim) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", claim);
  std::abort();
}

bool SameEdges(const RecordEdges& a, const RecordEdges& b) {
  return a.owner == b.owner && a.fixed == b.fixed && a.rdata == b.rdata && a.end == b.end && a.type == b.type &&
         a.klass == b.klass && a.ttl == b.ttl && a.section == b.section;
}

void CheckLayout(const ScannedMessage& scan) {
  Require(scan.has_header && scan.has_question, "what is sound has a header and a question");
  Require(scan.question.data() == scan.octets.data() + kHeaderOctets, "the question stands behind the header");
  Require(scan.qname.size() + 4 == scan.question.size(), "QNAME is the question less QTYPE and QCLASS");
  Require(scan.qname.size() <= kNameOctetsMax, "QNAME is at most 255 octets");
  size_t at = kHeaderOctets + scan.question.size();
  Section section = Section::kAnswer;
  for (const RecordEdges& record : scan.records) {
    Require(record.owner == at, "records stand one behind the other");
    Require(record.owner < record.fixed && record.fixed + 10 == record.rdata && record.rdata <= record.end,
            "a record is owner, ten octets and RDATA");
    Require(record.section >= section, "sections follow each other");
    std::array<uint8_t, kNameOctetsMax> name;
    const size_t length = ExpandName(scan.octets, record.owner, name);
    Require(length >= 1 && length <= kNameOctetsMax && name[length - 1] == 0, "an owner is a name");
    section = record.section;
    at = record.end;
  }
  Require(at == scan.octets.size(), "the last record ends the message");
  size_t options = 0;
  ForEachOption(scan.edns.options, [&](uint16_t, OctetView value) { options += 4 + value.size(); });
  Require(options == scan.edns.options.size(), "options fill their record");
}

void CheckAgainstPlainDecoder(const ScannedMessage& scan) {
  if (scan.has_edns && scan.edns.version != 0) return;  // another layout of options
  const std::optional<plain::Decoded> decoded = plain::Decode(scan.octets);
  Require(decoded.has_value(), "a plain reader reads what the scan accepts");
  Require(decoded->id == scan.id && decoded->flags == scan.flags, "both read the same header");
  Require(decoded->question_count == 1 && std::ranges::equal(decoded->question, scan.question),
          "both read the same question");
  Require((decoded->opt_count == 1) == scan.has_edns && decoded->opt_count <= 1, "both see the same OPT");
  Require(decoded->records.size() + decoded->opt_count == scan.records.size(), "both count the same records");
  size_t next = 0;
  for (const RecordEdges& record : scan.records) {
    if (record.type == rr_type::kOpt) continue;
    const plain::Record& other = decoded->records[next++];
    std::array<uint8_t, kNameOctetsMax> name;
    const OctetView owner(name.data(), ExpandName(scan.octets, record.owner, name));
    Require(std::ranges::equal(owner, other.owner), "both expand the same owner");
    Require(record.type == other.type && record.klass == other.klass && record.ttl == other.ttl &&
                record.ttl_offset() == other.ttl_offset && static_cast<int>(record.section) + 1 == other.section,
            "both read the same record");
  }
}

void CheckSide(OctetView octets, MessageSide side) {
  ScannedMessage first;
  ScannedMessage second;
  const ScanFault fault = ScanMessage(octets, side, first);
  Require(ScanMessage(octets, side, second) == fault, "a second scan finds the same fault");
  Require(first.records.size() == second.records.size() &&
              std::equal(first.records.begin(), first.records.end(), second.records.begin(), SameEdges),
          "a second scan finds the same records");
  Require(first.has_header == (octets.size() >= kHeaderOctets && octets.size() <= kMessageOctetsMax),
          "twelve octets are a header");
  if (fault != ScanFault::kNone) return;
  CheckLayout(first);
  CheckAgainstPlainDecoder(first);
}

void CheckQuery(OctetView octets) {
  const ParsedQuery query = ParseQuery(octets);
  const ScannedMessage& scan = query.message.scan();
  Require((query.outcome == QueryOutcome::kDrop) == (!scan.has_header || scan.is_response()),
          "what has no header, and responses, are dropped and nothing else is");
  if (query.outcome == QueryOutcome::kDrop) return;
  Require((query.outcome == QueryOutcome::kNotImp) == (scan.opcode() != opcode::kQuery), "another OPCODE is NOTIMP");
  if (query.outcome == QueryOutcome::kAccepted) {
    Require(query.fault == ScanFault::kNone && query.message.MakeModel() != nullptr,
            "what is accepted is sound and modelled");
    Require(!scan.has_edns || scan.edns.version == 0, "another version of EDNS is not accepted");
  }
  if (query.outcome == QueryOutcome::kFormErr) Require(query.fault != ScanFault::kNone, "FORMERR has a reason");
  if (query.outcome == QueryOutcome::kBadVers) Require(scan.edns.version != 0, "BADVERS has a reason");

  const ReplyContext context = MakeReplyContext(scan, ReplyChannel::kDatagram, 1'232);
  std::array<uint8_t, 1'232> buffer;
  const size_t length = RenderError(Rcode::kFormErr, {}, context, buffer);
  Require(length <= context.octets_max, "an error fits the client's limit");
  const std::optional<plain::Decoded> reply = plain::Decode(OctetView(buffer).first(length));
  Require(reply.has_value() && reply->id == scan.id && reply->qr() && reply->opcode() == scan.opcode(),
          "an error can be read and has the query's ID and OPCODE");
  Require(std::ranges::equal(reply->question, scan.question), "an error has the query's question");
  Require((reply->opt_count == 1) == scan.has_edns, "an error has OPT exactly when the query had one");
}

void CheckResponse(OctetView octets) {
  const absl::StatusOr<Message> response = ParseResponse(octets);
  ScannedMessage scan;
  const ScanFault fault = ScanMessage(octets, MessageSide::kResponse, scan);
  if (!response.ok()) {
    Require(response.status().code() == absl::StatusCode::kInvalidArgument, "what is refused is an invalid argument");
    return;
  }
  Require(fault == ScanFault::kNone && scan.is_response(), "what is accepted is a sound response");
  Require((response->MakeModel() == nullptr) == scan.needs_no_model, "only a bomb has no model");
  Require(!response->ToString().empty(), "what is accepted can be printed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2 * kMessageOctetsMax) return 0;
  // A copy of exactly this size, so that a sanitizer sees a read behind its end.
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[size]);
  if (size != 0) std::memcpy(copy.get(), data, size);
  const OctetView octets(copy.get(), size);
  CheckSide(octets, MessageSide::kQuery);
  CheckSide(octets, MessageSide::kResponse);
  CheckQuery(octets);
  CheckResponse(octets);
  return 0;
}
