#ifndef DOTWARD_TESTING_MESSAGES_H_
#define DOTWARD_TESTING_MESSAGES_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dns/types.h"

// DNS messages as C++ literals, and a plain reader for what the program under test has written. Nothing here shares
// code with src/dns, so that a fault there cannot hide behind the same fault here. A literal that makes no sense (a
// label of 64 octets, an address that cannot be read) aborts the test with a line that quotes it.

namespace dotward {

namespace header_flag {
inline constexpr uint16_t kQr = 0x8000, kAa = 0x0400, kTc = 0x0200, kRd = 0x0100, kRa = 0x0080, kZ = 0x0040,
                          kAd = 0x0020, kCd = 0x0010;
}  // namespace header_flag

namespace edns_option {
inline constexpr uint16_t kNsid = 3, kClientSubnet = 8, kCookie = 10, kKeepalive = 11, kPadding = 12, kEde = 15;
}  // namespace edns_option

// "www.example." in uncompressed wire form, root label included; "\." and "\DDD" escape octets.
Octets WireName(std::string_view text);
// Octets written as hexadecimal digits; blanks between them are skipped.
Octets Hex(std::string_view digits);
// The octets of a string, without a terminator.
Octets OctetsOf(std::string_view text);
// `parts` one after another.
Octets Join(std::initializer_list<Octets> parts);
// The message behind its 2-octet length, as it goes over a stream (RFC 1035 §4.2.2).
Octets Framed(const Octets& message);

// The data of a record and the type it makes the record.
struct Rdata {
  uint16_t type = 0;
  Octets octets;
};
Rdata A(std::string_view address);
Rdata Aaaa(std::string_view address);
Rdata Cname(std::string_view target);
Rdata Dname(std::string_view target);
Rdata Ns(std::string_view server);
Rdata Ptr(std::string_view target);
Rdata Mx(uint16_t preference, std::string_view exchange);
Rdata Txt(std::string_view text);  // one string per 255 octets
Rdata Srv(uint16_t priority, uint16_t weight, uint16_t port, std::string_view target);
Rdata Soa(std::string_view primary, std::string_view mailbox, uint32_t serial, uint32_t refresh, uint32_t retry,
          uint32_t expire, uint32_t minimum);
Rdata Soa(uint32_t minimum);  // the other fields have sane values
// A signature that is well formed and verifies nothing.
Rdata Rrsig(uint16_t covered, std::string_view signer, uint32_t original_ttl = 300);
Rdata Nsec(std::string_view next, std::initializer_list<uint16_t> types);
Rdata Opaque(uint16_t type, Octets octets);

struct EdnsOption {
  uint16_t code = 0;
  Octets data;
};
EdnsOption Ede(EdeCode code, std::string_view text = {});
EdnsOption PaddingOption(size_t octets);
EdnsOption KeepaliveOption(uint16_t tenths);  // of a second (RFC 7828 §3.1)

// One OPT record (RFC 6891 §6.1.2).
struct OptRecord {
  uint16_t payload_octets = 1232;
  bool dnssec_ok = false;
  uint8_t version = 0;
  uint8_t extended_rcode = 0;  // the upper eight bits
  uint16_t other_flags = 0;    // the fifteen bits behind DO
  std::vector<EdnsOption> options{};
};

// Writes a message in the order in which it is called, sections in their own order:
//   MessageBuilder(0x1234).Flags(header_flag::kRd).Question("www.example.", rr_type::kA).WithEdns({.dnssec_ok = true})
//       .Build();
// Names are not compressed unless Compressed() is called. Counts follow the records unless Counts() says otherwise.
class MessageBuilder {
 public:
  explicit MessageBuilder(uint16_t id = 0) : id_(id) {}

  // A query: RD set, one question.
  static MessageBuilder Query(uint16_t id, std::string_view name, uint16_t type, uint16_t klass = rr_class::kIn);
  // The beginning of a response to `query`: its ID, its question's octets, RD and CD copied, QR and RA set; an OPT when
  // the query had one.
  static MessageBuilder ResponseTo(OctetView query);

  // Sets the flags (all of them: OPCODE and RCODE stay as they are).
  MessageBuilder& Flags(uint16_t flags);
  MessageBuilder& AddFlags(uint16_t flags);
  MessageBuilder& Opcode(uint8_t opcode);
  // The lower four bits go into the header, the others into OPT where there is one.
  MessageBuilder& WithRcode(Rcode rcode);

  MessageBuilder& Question(std::string_view name, uint16_t type, uint16_t klass = rr_class::kIn);
  MessageBuilder& Answer(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass = rr_class::kIn);
  MessageBuilder& Authority(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass = rr_class::kIn);
  MessageBuilder& Additional(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass = rr_class::kIn);
  // Behind the additional records that are there by now.
  MessageBuilder& WithEdns(OptRecord edns);

  // Octets as they are: into a section without being counted (Counts() does), or behind everything.
  MessageBuilder& RawQuestion(Octets octets);
  MessageBuilder& RawAnswer(Octets octets);
  MessageBuilder& RawAuthority(Octets octets);
  MessageBuilder& RawAdditional(Octets octets);
  MessageBuilder& Trailing(Octets octets);
  MessageBuilder& Counts(uint16_t questions, uint16_t answers, uint16_t authorities, uint16_t additionals);
  // Owner names that equal the first question's become a pointer to it (C0 0C), as real servers write them.
  MessageBuilder& Compressed();

  Octets Build() const;

 private:
  struct Item {
    Octets owner;  // wire form; empty: `rest` is the whole
    Octets rest;
    bool counted = true;
    bool is_opt = false;
  };
  static Item MakeRecord(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass);
  MessageBuilder& Add(size_t section, Item item);

  uint16_t id_ = 0;
  uint16_t flags_ = 0;
  uint8_t opcode_ = 0;
  uint16_t rcode_ = 0;
  bool compressed_ = false;
  std::vector<Item> sections_[4];
  Octets trailing_;
  std::optional<std::vector<uint16_t>> counts_;
};

// Whole answers to a query's octets, as an honest resolver gives them; ID, question and OPT are the query's.
Octets PositiveAnswerTo(OctetView query, uint32_t ttl, const std::vector<Rdata>& rdata);
Octets PositiveAnswerTo(OctetView query, uint32_t ttl = 300);  // A 192.0.2.1, AAAA 2001:db8::1, else TXT data
Octets NxdomainAnswerTo(OctetView query, std::string_view zone, uint32_t soa_ttl = 900, uint32_t soa_minimum = 900);
Octets NodataAnswerTo(OctetView query, std::string_view zone, uint32_t soa_ttl = 900, uint32_t soa_minimum = 900);
Octets FailureAnswerTo(OctetView query, Rcode rcode = Rcode::kServFail);
Octets TruncatedAnswerTo(OctetView query);
// `message`, whose last record is an OPT, with one option more in it.
Octets WithOption(Octets message, const EdnsOption& option);
// `message` with another ID.
Octets WithId(Octets message, uint16_t id);

// What ReadMessage found. Names are in lower and upper case as sent, in presentation form with the final dot.
struct ReadRecord {
  std::string name;
  uint16_t type = 0;
  uint16_t klass = 0;
  uint32_t ttl = 0;
  Octets rdata;           // as sent: names inside may be compressed
  std::string data_text;  // A, AAAA, CNAME, DNAME, NS, PTR: the address or the name; else empty
};
struct ReadQuestion {
  std::string name;
  uint16_t type = 0;
  uint16_t klass = 0;
};
struct MessageRead {
  uint16_t id = 0;
  uint16_t flags = 0;  // as header_flag has them: without OPCODE and RCODE
  uint8_t opcode = 0;
  uint16_t rcode = 0;  // the extended one where there is an OPT
  std::vector<ReadQuestion> questions;
  std::vector<ReadRecord> answers, authorities, additionals;  // without OPT
  std::optional<OptRecord> edns;                              // the first OPT of the additional section
  size_t opt_count = 0;                                       // in any section

  bool Has(uint16_t flag) const { return (flags & flag) != 0; }
  const EdnsOption* FindOption(uint16_t code) const;
};
// Reads a whole message; nullopt where it is malformed in any way: cut short, octets left over, a pointer that does not
// point backwards, a name over 255 octets.
std::optional<MessageRead> ReadMessage(OctetView message);
// A message that must be sound; aborts the test with its octets where it is not.
MessageRead MustReadMessage(OctetView message);

}  // namespace dotward

#endif  // DOTWARD_TESTING_MESSAGES_H_
