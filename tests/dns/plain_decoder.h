#ifndef DOTWARD_TESTS_DNS_PLAIN_DECODER_H_
#define DOTWARD_TESTS_DNS_PLAIN_DECODER_H_

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "dns/types.h"

// A second reader of DNS messages, written from RFC 1035, 3597 and 6891 alone and without one line of the code under
// test, so that what that code writes is judged by somebody else. It is simple rather than quick: names become strings
// of uncompressed octets, and records own what they hold. Shared by the unit tests and the fuzz targets.
namespace dotward::plain {

enum : int { kAnswerSection = 1, kAuthoritySection = 2, kAdditionalSection = 3 };

struct Record {
  int section = 0;
  Octets owner;  // uncompressed, case as sent
  uint16_t type = 0;
  uint16_t klass = 0;
  uint32_t ttl = 0;
  Octets rdata;  // names in it uncompressed
  size_t offset = 0;
  size_t ttl_offset = 0;
  size_t end = 0;

  // What RFC 2181 §5 calls an RRset, within one section. Signatures make a set for each type they cover, because they
  // travel with it.
  auto SetKey() const {
    Octets lowered = owner;
    for (uint8_t& octet : lowered) {
      if (octet >= 'A' && octet <= 'Z') octet = static_cast<uint8_t>(octet + 32);
    }
    const bool signature = type == rr_type::kRrsig && rdata.size() >= 2;
    const auto covered = signature ? static_cast<uint16_t>(rdata[0] * 256U + rdata[1]) : uint16_t{0};
    return std::tuple(section, lowered, type, klass, covered);
  }
  // The record without its TTL, comparable between two messages.
  auto Identity() const { return std::tuple(section, owner, type, klass, rdata); }
};

struct Option {
  uint16_t code = 0;
  Octets value;
};

struct Decoded {
  uint16_t id = 0;
  uint16_t flags = 0;
  uint16_t question_count = 0;
  Octets question;              // QNAME (uncompressed), QTYPE, QCLASS of the first question
  std::vector<Record> records;  // OPT left out
  size_t opt_count = 0;
  Record opt;  // the last one, RDATA in `options`
  bool opt_is_last = false;
  std::vector<Option> options;

  bool qr() const { return (flags & 0x8000U) != 0; }
  bool aa() const { return (flags & 0x0400U) != 0; }
  bool tc() const { return (flags & 0x0200U) != 0; }
  bool rd() const { return (flags & 0x0100U) != 0; }
  bool ra() const { return (flags & 0x0080U) != 0; }
  bool z() const { return (flags & 0x0040U) != 0; }
  bool ad() const { return (flags & 0x0020U) != 0; }
  bool cd() const { return (flags & 0x0010U) != 0; }
  unsigned opcode() const { return (flags >> 11U) & 15U; }
  unsigned rcode() const {
    const unsigned upper = opt_count > 0 ? (opt.ttl >> 24U) << 4U : 0U;
    return upper | (flags & 15U);
  }
  std::vector<Record> Section(int section) const {
    std::vector<Record> found;
    std::copy_if(records.begin(), records.end(), std::back_inserter(found),
                 [section](const Record& record) { return record.section == section; });
    return found;
  }
  std::vector<Record> OfType(uint16_t type) const {
    std::vector<Record> found;
    std::copy_if(records.begin(), records.end(), std::back_inserter(found),
                 [type](const Record& record) { return record.type == type; });
    return found;
  }
};

class Decoder {
 public:
  explicit Decoder(OctetView octets) : octets_(octets) {}

  std::optional<Decoded> Decode() {
    Decoded message;
    if (octets_.size() < 12) return std::nullopt;
    message.id = At16(0);
    message.flags = At16(2);
    message.question_count = At16(4);
    size_t at = 12;
    for (unsigned i = 0; i < message.question_count; ++i) {
      Octets question;
      if (!ReadName(at, octets_.size(), question) || at + 4 > octets_.size()) return std::nullopt;
      question.insert(question.end(), octets_.begin() + Signed(at), octets_.begin() + Signed(at + 4));
      at += 4;
      if (i == 0) message.question = question;
    }
    for (int section = kAnswerSection; section <= kAdditionalSection; ++section) {
      const unsigned count = At16(static_cast<size_t>(4 + 2 * section));
      for (unsigned i = 0; i < count; ++i) {
        Record record;
        record.section = section;
        Octets raw;
        if (!ReadRecord(at, record, raw)) return std::nullopt;
        message.opt_is_last = record.type == rr_type::kOpt;
        if (record.type != rr_type::kOpt) {
          message.records.push_back(std::move(record));
          continue;
        }
        ++message.opt_count;
        if (!ReadOptions(raw, message.options)) return std::nullopt;
        message.opt = std::move(record);
      }
    }
    if (at != octets_.size()) return std::nullopt;
    return message;
  }

 private:
  static std::ptrdiff_t Signed(size_t value) { return static_cast<std::ptrdiff_t>(value); }
  uint16_t At16(size_t at) const { return static_cast<uint16_t>(octets_[at] * 256U + octets_[at + 1]); }

  // Reads the name at `at` and moves `at` behind its octets there, which end by `limit`.
  bool ReadName(size_t& at, size_t limit, Octets& name) const {
    size_t place = at;
    bool jumped = false;
    for (;;) {
      const size_t bound = jumped ? octets_.size() : limit;
      if (place >= bound) return false;
      const uint8_t length = octets_[place];
      if (length >= 0xC0) {
        if (place + 2 > bound) return false;
        const size_t target = (length & 0x3FU) * size_t{256} + octets_[place + 1];
        if (!jumped) at = place + 2;
        jumped = true;
        if (target >= place) return false;
        place = target;
        continue;
      }
      if (length > 63 || place + 1 + length > bound) return false;
      name.insert(name.end(), octets_.begin() + Signed(place), octets_.begin() + Signed(place + 1 + length));
      if (name.size() > 255) return false;
      place += 1U + length;
      if (length == 0) break;
    }
    if (!jumped) at = place;
    return true;
  }

  // The layout of RDATA that holds names: 'n' a name, 's' a character string, a digit that many octets, '*' the rest.
  static std::string_view Layout(uint16_t type) {
    switch (type) {
      case 2:
      case 3:
      case 4:
      case 5:
      case 7:
      case 8:
      case 9:
      case 12:
      case 39:
        return "n";  // NS MD MF CNAME MB MG MR PTR DNAME
      case 6:
        return "nn992";  // SOA
      case 14:
      case 17:
      case 58:
        return "nn";  // MINFO RP TALINK
      case 15:
      case 18:
      case 21:
      case 36:
      case 107:
        return "2n";  // MX AFSDB RT KX LP
      case 24:
      case 46:
        return "99n*";  // SIG RRSIG
      case 26:
        return "2nn";  // PX
      case 30:
      case 47:
        return "n*";  // NXT NSEC
      case 33:
        return "6n";  // SRV
      case 35:
        return "4sssn";  // NAPTR
      case 64:
      case 65:
        return "2n*";  // SVCB HTTPS
      default:
        return "*";
    }
  }

  bool ReadRecord(size_t& at, Record& record, Octets& raw) const {
    record.offset = at;
    if (!ReadName(at, octets_.size(), record.owner) || at + 10 > octets_.size()) return false;
    record.type = At16(at);
    record.klass = At16(at + 2);
    record.ttl_offset = at + 4;
    record.ttl = (static_cast<uint32_t>(At16(at + 4)) << 16U) | At16(at + 6);
    const size_t length = At16(at + 8);
    at += 10;
    if (at + length > octets_.size()) return false;
    const size_t end = at + length;
    raw.assign(octets_.begin() + Signed(at), octets_.begin() + Signed(end));
    if (length > 0) {
      for (const char part : Layout(record.type)) {
        size_t copy = 0;
        if (part == 'n') {
          if (!ReadName(at, end, record.rdata)) return false;
        } else if (part == 's') {
          if (at >= end) return false;
          copy = octets_[at] + size_t{1};
        } else if (part == '*') {
          copy = end - at;
        } else {
          copy = static_cast<size_t>(part - '0');
        }
        if (at + copy > end) return false;
        record.rdata.insert(record.rdata.end(), octets_.begin() + Signed(at), octets_.begin() + Signed(at + copy));
        at += copy;
      }
    }
    record.end = end;
    if (at != end) return false;
    return true;
  }

  static bool ReadOptions(const Octets& raw, std::vector<Option>& options) {
    size_t at = 0;
    while (at < raw.size()) {
      if (at + 4 > raw.size()) return false;
      const auto code = static_cast<uint16_t>(raw[at] * 256U + raw[at + 1]);
      const size_t length = raw[at + 2] * size_t{256} + raw[at + 3];
      at += 4;
      if (at + length > raw.size()) return false;
      options.push_back({code, Octets(raw.begin() + Signed(at), raw.begin() + Signed(at + length))});
      at += length;
    }
    return true;
  }

  OctetView octets_;
};

// The message, or nothing where any octet of it is not as the RFCs have it.
inline std::optional<Decoded> Decode(OctetView octets) { return Decoder(octets).Decode(); }

// The wire form of plain dotted text without escapes: "www.example." and "www.example" alike.
inline Octets WireOf(std::string_view text) {
  Octets wire;
  while (!text.empty() && text != ".") {
    const size_t dot = std::min(text.find('.'), text.size());
    wire.push_back(static_cast<uint8_t>(dot));
    wire.insert(wire.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(dot));
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  wire.push_back(0);
  return wire;
}

// QNAME, QTYPE, QCLASS.
inline Octets QuestionOf(std::string_view name, uint16_t type, uint16_t klass = rr_class::kIn) {
  Octets question = WireOf(name);
  for (const uint16_t word : {type, klass}) {
    question.push_back(static_cast<uint8_t>(word >> 8U));
    question.push_back(static_cast<uint8_t>(word & 255U));
  }
  return question;
}

}  // namespace dotward::plain

#endif  // DOTWARD_TESTS_DNS_PLAIN_DECODER_H_
