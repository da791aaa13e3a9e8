#include "dns/scan.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/limits.h"
#include "dns/rdata_layout.h"
#include "dns/wire.h"

namespace dotward {
namespace {

constexpr uint8_t kLabelTypeMask = 0xC0;
constexpr size_t kFixedOctets = 10;      // TYPE, CLASS, TTL, RDLENGTH
constexpr size_t kRecordOctetsMin = 11;  // the root as owner
constexpr size_t kOptionHeaderOctets = 4;
constexpr uint16_t kTypeSpf = 99;
constexpr uint16_t kTypeHip = 55;
constexpr size_t kHipNameModelOctets = 300;  // what ldns spends on one name of a HIP record

constexpr uint16_t kOptionCookie = 10;
constexpr uint16_t kOptionKeepalive = 11;

enum class Pointers : uint8_t { kAllowed, kForbidden };

// One walk over one message. Functions return kNone or the first fault, and move `at_` behind what they read.
class Scanner {
 public:
  Scanner(OctetView octets, MessageSide side, ScannedMessage& scan) : octets_(octets), side_(side), scan_(scan) {}

  ScanFault Run() {
    scan_.octets = octets_;
    if (octets_.size() < kHeaderOctets || octets_.size() > kMessageOctetsMax) return ScanFault::kShortHeader;
    scan_.has_header = true;
    scan_.id = ReadU16(&octets_[header::kId]);
    scan_.flags = ReadU16(&octets_[header::kFlags]);
    at_ = kHeaderOctets;
    const uint16_t questions = ReadU16(&octets_[header::kQdCount]);
    if (questions == 0)
      static_cast<void>(ReadRecords());  // its OPT decides what the error looks like (RFC 6891 §6.1.1)
    if (questions != 1) return ScanFault::kQuestionCount;
    if (const ScanFault fault = ReadQuestion(); fault != ScanFault::kNone) return fault;
    return ReadRecords();
  }

 private:
  ScanFault ReadQuestion() {
    size_t end = 0;
    const ScanFault fault = WalkName(at_, octets_.size(), Pointers::kForbidden, end);
    if (fault == ScanFault::kRdataName) return ScanFault::kQuestionCompressed;
    if (fault != ScanFault::kNone) return fault;
    if (octets_.size() - end < 4) return ScanFault::kRecordCut;
    qname_end_ = end;
    scan_.qname = octets_.subspan(at_, end - at_);
    scan_.qtype = ReadU16(&octets_[end]);
    scan_.qclass = ReadU16(&octets_[end + 2]);
    scan_.question = octets_.subspan(at_, end + 4 - at_);
    scan_.has_question = true;
    at_ = end + 4;
    return ScanFault::kNone;
  }

  ScanFault ReadRecords() {
    const std::array<size_t, 3> counts = {ReadU16(&octets_[header::kAnCount]), ReadU16(&octets_[header::kNsCount]),
                                          ReadU16(&octets_[header::kArCount])};
    const size_t total = counts[0] + counts[1] + counts[2];
    if (side_ == MessageSide::kQuery && total > Limits::kQueryRecordsMax) return ScanFault::kRecordLimit;
    if (total * kRecordOctetsMin > octets_.size() - at_) return ScanFault::kRecordCut;
    scan_.records.reserve(total);
    for (size_t section = 0; section < counts.size(); ++section) {
      for (size_t i = 0; i < counts[section]; ++i) {
        const ScanFault fault = ReadRecord(static_cast<Section>(section));
        if (fault != ScanFault::kNone) return fault;
      }
    }
    if (at_ != octets_.size()) return ScanFault::kTrailingOctets;
    return CheckModelCost();
  }

  ScanFault ReadRecord(Section section) {
    if (tsig_seen_) return ScanFault::kTsigMisplaced;
    size_t fixed = 0;
    const ScanFault owner_fault = WalkName(at_, octets_.size(), Pointers::kAllowed, fixed);
    if (owner_fault != ScanFault::kNone) return owner_fault;
    if (octets_.size() - fixed < kFixedOctets) return ScanFault::kRecordCut;
    const size_t rdata = fixed + kFixedOctets;
    const size_t rdata_octets = ReadU16(&octets_[fixed + 8]);
    if (octets_.size() - rdata < rdata_octets) return ScanFault::kRecordCut;
    const RecordEdges record = {.owner = static_cast<uint16_t>(at_),
                                .fixed = static_cast<uint16_t>(fixed),
                                .rdata = static_cast<uint16_t>(rdata),
                                .end = static_cast<uint16_t>(rdata + rdata_octets),
                                .type = ReadU16(&octets_[fixed]),
                                .klass = ReadU16(&octets_[fixed + 2]),
                                .ttl = ReadU32(&octets_[fixed + 4]),
                                .section = section};
    scan_.records.push_back(record);
    at_ = record.end;
    return CheckRdata(record);
  }

  ScanFault CheckRdata(const RecordEdges& record) {
    const size_t length = static_cast<size_t>(record.end - record.rdata);
    switch (record.type) {
      case rr_type::kA:
        return record.klass == rr_class::kIn && length != 4 ? ScanFault::kAddressLength : ScanFault::kNone;
      case rr_type::kAaaa:
        return record.klass == rr_class::kIn && length != 16 ? ScanFault::kAddressLength : ScanFault::kNone;
      case rr_type::kOpt:
        return ReadOpt(record);
      case rr_type::kTsig:
        if (record.section != Section::kAdditional) return ScanFault::kTsigMisplaced;
        tsig_seen_ = true;
        break;
      case rr_type::kTxt:
      case kTypeSpf:
        return CountStrings(record);
      case kTypeHip:
        model_octets_ += length * kHipNameModelOctets;
        return WalkHip(record);
      default:
        break;
    }
    const RdataLayout* layout = FindRdataLayout(record.type);
    // RDATA may be empty in queries of other opcodes and in nothing else; ldns refuses what it needs.
    return layout == nullptr ? ScanFault::kNone : WalkRdata(record, *layout);
  }

  ScanFault WalkRdata(const RecordEdges& record, const RdataLayout& layout) {
    size_t at = record.rdata;
    const size_t end = record.end;
    if (end - at < layout.fixed) return ScanFault::kRdataName;
    at += layout.fixed;
    for (unsigned i = 0; i < layout.strings; ++i) {
      if (at == end || end - at < octets_[at] + size_t{1}) return ScanFault::kRdataName;
      at += octets_[at] + size_t{1};
    }
    for (unsigned i = 0; i < layout.names; ++i) {
      size_t behind = 0;
      const Pointers pointers = layout.may_compress ? Pointers::kAllowed : Pointers::kForbidden;
      const ScanFault fault = WalkName(at, end, pointers, behind);
      // A pointer has faults of its own; whatever else is wrong, the name does not fit the RDATA.
      if (fault == ScanFault::kNameCut) return ScanFault::kRdataName;
      if (fault != ScanFault::kNone) return fault;
      at = behind;
    }
    const bool fits = layout.tail == RdataLayout::kAnyTail || end - at == layout.tail;
    return fits ? ScanFault::kNone : ScanFault::kRdataName;
  }

  // RFC 8005 §5: HIT length, algorithm, key length, HIT, key, then any number of uncompressed names.
  ScanFault WalkHip(const RecordEdges& record) {
    size_t at = record.rdata;
    const size_t end = record.end;
    if (end - at < 4) return ScanFault::kRdataName;
    const size_t head = 4 + octets_[at] + size_t{ReadU16(&octets_[at + 2])};
    if (end - at < head) return ScanFault::kRdataName;
    at += head;
    while (at < end) {
      if (WalkName(at, end, Pointers::kForbidden, at) != ScanFault::kNone) return ScanFault::kRdataName;
    }
    return ScanFault::kNone;
  }

  ScanFault CountStrings(const RecordEdges& record) {
    const size_t length = static_cast<size_t>(record.end - record.rdata);
    size_t strings = 0;
    size_t at = record.rdata;
    for (; at < record.end; at += octets_[at] + size_t{1}) ++strings;
    model_octets_ += strings * length;
    // ldns would refuse the last string if it ran past the end, but it may not get to see it.
    return at == record.end ? ScanFault::kNone : ScanFault::kModel;
  }

  ScanFault CheckModelCost() {
    if (model_octets_ <= Limits::kModelOctetsMax) return ScanFault::kNone;
    if (side_ == MessageSide::kQuery) return ScanFault::kStringBomb;
    scan_.needs_no_model = true;
    return ScanFault::kNone;
  }

  ScanFault ReadOpt(const RecordEdges& record) {
    if (record.section != Section::kAdditional) return ScanFault::kOptOutsideAdditional;
    if (scan_.has_edns) return ScanFault::kTwoOpts;
    if (octets_[record.owner] != 0) return ScanFault::kOptOwner;
    Edns& edns = scan_.edns;
    edns.payload_octets = record.klass;
    edns.extended_rcode = static_cast<uint8_t>(record.ttl >> 24U);
    edns.version = static_cast<uint8_t>(record.ttl >> 16U);
    edns.dnssec_ok = (record.ttl & kOptDnssecOk) != 0;
    scan_.has_edns = true;
    // The layout of the options is that of version 0 only; a higher version gets BADVERS whatever it holds.
    if (edns.version != 0) return ScanFault::kNone;
    return ReadOptions(octets_.subspan(record.rdata, static_cast<size_t>(record.end - record.rdata)));
  }

  ScanFault ReadOptions(OctetView options) {
    Edns& edns = scan_.edns;
    for (OctetView rest = options; !rest.empty();) {
      if (rest.size() < kOptionHeaderOctets) return ScanFault::kOptionCut;
      const uint16_t code = ReadU16(rest.data());
      const size_t length = ReadU16(&rest[2]);
      if (rest.size() - kOptionHeaderOctets < length) return ScanFault::kOptionCut;
      edns.has_cookie |= code == kOptionCookie;
      edns.has_keepalive |= code == kOptionKeepalive;
      edns.has_padding |= code == kOptionPadding;
      rest = rest.subspan(kOptionHeaderOctets + length);
    }
    edns.options = options;
    return ScanFault::kNone;
  }

  // Where the field that holds `offset` ends, if names can lie in it: QNAME, an owner, RDATA. 0 for other fields. They
  // change from reply to reply, the TTL of a record and the type of the question, so that a name which is read from
  // them would change too, or never end.
  size_t NameFieldEnd(size_t offset) const {
    if (offset < qname_end_) return qname_end_;
    const auto behind = std::upper_bound(scan_.records.begin(), scan_.records.end(), offset,
                                         [](size_t at, const RecordEdges& record) { return at < record.owner; });
    if (behind == scan_.records.begin()) return 0;
    const RecordEdges& record = *std::prev(behind);
    if (offset < record.fixed) return record.fixed;
    return offset >= record.rdata && offset < record.end ? record.end : 0;
  }

  // Walks the name at `start` and sets `end` to the octet behind it. The part before the first pointer must lie before
  // `bound`, each other part in one field. Each pointer must lead to before the part it stands in, so that the walk
  // always ends.
  ScanFault WalkName(size_t start, size_t bound, Pointers pointers, size_t& end) const {
    size_t at = start;
    size_t part_start = start;
    size_t limit = bound;
    size_t name_octets = 1;  // the root label
    size_t hops = 0;
    while (true) {
      if (at >= limit) return hops == 0 ? ScanFault::kNameCut : ScanFault::kPointerTarget;
      const uint8_t octet = octets_[at];
      if (octet == 0) {
        if (hops == 0) end = at + 1;
        return ScanFault::kNone;
      }
      if ((octet & kLabelTypeMask) == 0) {
        name_octets += octet + size_t{1};
        if (name_octets > kNameOctetsMax) return ScanFault::kNameTooLong;
        at += octet + size_t{1};
        continue;
      }
      if ((octet & kLabelTypeMask) != kLabelTypeMask) return ScanFault::kLabelType;
      if (pointers == Pointers::kForbidden) return ScanFault::kRdataName;
      if (limit - at < 2) return hops == 0 ? ScanFault::kNameCut : ScanFault::kPointerTarget;
      if (hops == 0) end = at + 2;
      if (++hops > Limits::kNamePointersMax) return ScanFault::kPointerLimit;
      const size_t target = ReadU16(&octets_[at]) & 0x3FFFU;
      if (target >= part_start || target < kHeaderOctets) return ScanFault::kPointerForward;
      at = target;
      part_start = target;
      limit = NameFieldEnd(target);
    }
  }

  const OctetView octets_;
  const MessageSide side_;
  ScannedMessage& scan_;
  size_t at_ = 0;
  size_t qname_end_ = 0;
  size_t model_octets_ = 0;
  bool tsig_seen_ = false;
};

}  // namespace

ScanFault ScanMessage(OctetView octets, MessageSide side, ScannedMessage& scan) {
  return Scanner(octets, side, scan).Run();
}

size_t ExpandName(OctetView message, size_t offset, std::span<uint8_t, kNameOctetsMax> out) {
  size_t written = 0;
  while (true) {
    const uint8_t octet = message[offset];
    if ((octet & kLabelTypeMask) == kLabelTypeMask) {
      offset = ReadU16(&message[offset]) & 0x3FFFU;
      continue;
    }
    std::memcpy(&out[written], &message[offset], octet + size_t{1});
    written += octet + size_t{1};
    if (octet == 0) return written;
    offset += octet + size_t{1};
  }
}

std::string_view ScanFaultToString(ScanFault fault) {
  switch (fault) {
    case ScanFault::kNone:
      return "sound";
    case ScanFault::kShortHeader:
      return "shorter than a header or longer than a message can be";
    case ScanFault::kQuestionCount:
      return "QDCOUNT is not 1";
    case ScanFault::kNameCut:
      return "a name runs past the end";
    case ScanFault::kNameTooLong:
      return "a name is longer than 255 octets";
    case ScanFault::kLabelType:
      return "a label has an unknown type";
    case ScanFault::kPointerForward:
      return "a compression pointer does not point backward";
    case ScanFault::kPointerTarget:
      return "a compression pointer leads to what is not a name";
    case ScanFault::kPointerLimit:
      return "a name has too many compression pointers";
    case ScanFault::kQuestionCompressed:
      return "the question's name is compressed";
    case ScanFault::kRecordCut:
      return "a record runs past the end";
    case ScanFault::kRecordLimit:
      return "a query with too many records";
    case ScanFault::kTrailingOctets:
      return "octets behind the last record";
    case ScanFault::kAddressLength:
      return "an address record of the wrong length";
    case ScanFault::kRdataName:
      return "a name does not fit its RDATA";
    case ScanFault::kOptOwner:
      return "an OPT record whose owner is not the root";
    case ScanFault::kOptOutsideAdditional:
      return "an OPT record outside the additional section";
    case ScanFault::kTwoOpts:
      return "two OPT records";
    case ScanFault::kOptionCut:
      return "an EDNS option runs past its record";
    case ScanFault::kTsigMisplaced:
      return "a TSIG record that is not the last one";
    case ScanFault::kStringBomb:
      return "more strings than a message may cost";
    case ScanFault::kModel:
      return "RDATA that does not fit its type";
  }
  return "unknown";
}

}  // namespace dotward
