#include "testing/messages.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace dotward {
namespace {

enum Section : size_t { kQuestions, kAnswers, kAuthorities, kAdditionals };

[[noreturn]] void BadLiteral(const char* what, std::string_view literal) {
  std::fprintf(stderr, "bad literal in a test: %s: \"%.*s\"\n", what, static_cast<int>(literal.size()), literal.data());
  std::abort();
}

void Append(Octets& out, OctetView octets) { out.insert(out.end(), octets.begin(), octets.end()); }
void Append8(Octets& out, unsigned value) { out.push_back(static_cast<uint8_t>(value)); }
void Append16(Octets& out, unsigned value) {
  Append8(out, value >> 8 & 0xff);
  Append8(out, value & 0xff);
}
void Append32(Octets& out, uint32_t value) {
  Append16(out, value >> 16);
  Append16(out, value & 0xffff);
}

template <typename... Parts>
Octets Concatenated(const Parts&... parts) {
  Octets out;
  (Append(out, parts), ...);
  return out;
}

Octets U16(unsigned value) {
  Octets out;
  Append16(out, value);
  return out;
}
Octets U32(uint32_t value) {
  Octets out;
  Append32(out, value);
  return out;
}

Octets OptionOctets(const std::vector<EdnsOption>& options) {
  Octets out;
  for (const EdnsOption& option : options) {
    Append16(out, option.code);
    Append16(out, static_cast<unsigned>(option.data.size()));
    Append(out, option.data);
  }
  return out;
}

// A cursor over a message; every step fails rather than reads past the end.
class Reader {
 public:
  explicit Reader(OctetView message) : message_(message) {}

  size_t position() const { return position_; }
  bool at_end() const { return position_ == message_.size(); }

  bool Read8(unsigned& value) {
    if (position_ >= message_.size()) return false;
    value = message_[position_++];
    return true;
  }
  bool Read16(uint16_t& value) {
    unsigned high = 0;
    unsigned low = 0;
    if (!Read8(high) || !Read8(low)) return false;
    value = static_cast<uint16_t>(high << 8 | low);
    return true;
  }
  bool Read32(uint32_t& value) {
    uint16_t high = 0;
    uint16_t low = 0;
    if (!Read16(high) || !Read16(low)) return false;
    value = uint32_t{high} << 16 | low;
    return true;
  }
  bool ReadOctets(size_t count, Octets& out) {
    if (message_.size() - position_ < count) return false;
    const OctetView part = message_.subspan(position_, count);
    out.assign(part.begin(), part.end());
    position_ += count;
    return true;
  }
  bool ReadName(std::string& text) {
    size_t at = position_;
    if (!NameAt(at, text)) return false;
    position_ = at;
    return true;
  }

  // Reads the name at `at` and moves `at` behind it, following pointers that point backwards.
  bool NameAt(size_t& at, std::string& text) const {
    text.clear();
    size_t octets = 1;
    size_t cursor = at;
    size_t lowest = at;
    bool jumped = false;
    while (true) {
      if (cursor >= message_.size()) return false;
      const unsigned length = message_[cursor];
      if (length >= 0xc0) {
        if (cursor + 1 >= message_.size()) return false;
        const size_t target = (length & 0x3f) << 8 | message_[cursor + 1];
        if (!jumped) at = cursor + 2;
        jumped = true;
        if (target >= lowest) return false;
        lowest = target;
        cursor = target;
        continue;
      }
      if (length > kLabelOctetsMax) return false;
      if (length == 0) break;
      octets += length + 1;
      if (octets > kNameOctetsMax || cursor + length >= message_.size()) return false;
      for (size_t i = 1; i <= length; ++i) AppendEscaped(text, message_[cursor + i]);
      text += '.';
      cursor += length + 1;
    }
    if (!jumped) at = cursor + 1;
    if (text.empty()) text.assign(1, '.');
    return true;
  }

 private:
  static void AppendEscaped(std::string& text, uint8_t octet) {
    if (octet == '.' || octet == '\\') {
      text += '\\';
      text += static_cast<char>(octet);
    } else if (octet > 0x20 && octet < 0x7f) {
      text += static_cast<char>(octet);
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\%03u", unsigned{octet});
      text += escaped;
    }
  }

  OctetView message_;
  size_t position_ = 0;
};

std::string AddressText(int family, const Octets& octets) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, octets.data(), text, sizeof text);
  return text;
}

// The text of the types that tests compare most; false where the data is malformed.
bool ReadDataText(const Reader& reader, size_t rdata_at, ReadRecord& record) {
  switch (record.type) {
    case rr_type::kA:
      if (record.rdata.size() != 4) return false;
      record.data_text = AddressText(AF_INET, record.rdata);
      return true;
    case rr_type::kAaaa:
      if (record.rdata.size() != 16) return false;
      record.data_text = AddressText(AF_INET6, record.rdata);
      return true;
    case rr_type::kCname:
    case rr_type::kDname:
    case rr_type::kNs:
    case rr_type::kPtr: {
      size_t at = rdata_at;
      return reader.NameAt(at, record.data_text) && at == rdata_at + record.rdata.size();
    }
    default:
      return true;
  }
}

std::optional<OptRecord> ReadEdns(const ReadRecord& record) {
  OptRecord edns;
  edns.payload_octets = record.klass;
  edns.extended_rcode = static_cast<uint8_t>(record.ttl >> 24);
  edns.version = static_cast<uint8_t>(record.ttl >> 16 & 0xff);
  edns.dnssec_ok = (record.ttl & 0x8000) != 0;
  edns.other_flags = static_cast<uint16_t>(record.ttl & 0x7fff);
  Reader reader(record.rdata);
  while (!reader.at_end()) {
    EdnsOption option;
    uint16_t length = 0;
    if (!reader.Read16(option.code) || !reader.Read16(length) || !reader.ReadOctets(length, option.data)) {
      return std::nullopt;
    }
    edns.options.push_back(std::move(option));
  }
  return edns;
}

bool ReadOneRecord(Reader& reader, ReadRecord& record) {
  uint16_t length = 0;
  if (!reader.ReadName(record.name) || !reader.Read16(record.type) || !reader.Read16(record.klass) ||
      !reader.Read32(record.ttl) || !reader.Read16(length)) {
    return false;
  }
  const size_t rdata_at = reader.position();
  return reader.ReadOctets(length, record.rdata) && ReadDataText(reader, rdata_at, record);
}

// The question's octets as they stand in `query`; empty where they cannot be read.
struct QuestionFound {
  Octets octets;
  ReadQuestion question;
};
QuestionFound FindQuestion(OctetView query) {
  QuestionFound found;
  Reader reader(query);
  Octets header;
  if (!reader.ReadOctets(kHeaderOctets, header) || !reader.ReadName(found.question.name) ||
      !reader.Read16(found.question.type) || !reader.Read16(found.question.klass)) {
    return {};
  }
  found.octets.assign(query.begin() + kHeaderOctets, query.begin() + static_cast<std::ptrdiff_t>(reader.position()));
  return found;
}

MessageBuilder NegativeAnswerTo(OctetView query, std::string_view zone, uint32_t soa_ttl, uint32_t soa_minimum) {
  MessageBuilder builder = MessageBuilder::ResponseTo(query);
  builder.Authority(zone, soa_ttl, Soa(soa_minimum));
  return builder;
}

}  // namespace

Octets WireName(std::string_view text) {
  Octets wire;
  if (text == ".") return {0};
  Octets label;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned octet = static_cast<uint8_t>(text[i]);
    if (octet == '.') {
      if (label.empty() || label.size() > kLabelOctetsMax) BadLiteral("label length", text);
      Append8(wire, static_cast<unsigned>(label.size()));
      Append(wire, label);
      label.clear();
      continue;
    }
    if (octet == '\\') {
      if (i + 1 >= text.size()) BadLiteral("escape", text);
      if (std::isdigit(static_cast<unsigned char>(text[i + 1])) != 0) {
        if (i + 3 >= text.size()) BadLiteral("escape", text);
        octet = static_cast<unsigned>(std::atoi(std::string(text.substr(i + 1, 3)).c_str()));
        i += 3;
      } else {
        octet = static_cast<uint8_t>(text[++i]);
      }
    }
    Append8(label, octet);
  }
  if (!label.empty()) BadLiteral("a name ends with a dot", text);
  wire.push_back(0);
  if (wire.size() > kNameOctetsMax) BadLiteral("name length", text);
  return wire;
}

Octets Hex(std::string_view digits) {
  std::string plain;
  for (const char c : digits) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      plain += c;
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      BadLiteral("hexadecimal digits", digits);
    }
  }
  if (plain.size() % 2 != 0) BadLiteral("an odd number of digits", digits);
  Octets out;
  for (size_t i = 0; i < plain.size(); i += 2) {
    out.push_back(static_cast<uint8_t>(std::strtoul(plain.substr(i, 2).c_str(), nullptr, 16)));
  }
  return out;
}

Octets OctetsOf(std::string_view text) { return {text.begin(), text.end()}; }

Octets Join(std::initializer_list<Octets> parts) {
  Octets out;
  for (const Octets& part : parts) Append(out, part);
  return out;
}

Octets Framed(const Octets& message) {
  if (message.size() > kMessageOctetsMax) BadLiteral("message length", std::to_string(message.size()));
  return Concatenated(U16(static_cast<unsigned>(message.size())), message);
}

Rdata A(std::string_view address) {
  Rdata rdata{rr_type::kA, Octets(4)};
  if (inet_pton(AF_INET, std::string(address).c_str(), rdata.octets.data()) != 1) BadLiteral("IPv4 address", address);
  return rdata;
}
Rdata Aaaa(std::string_view address) {
  Rdata rdata{rr_type::kAaaa, Octets(16)};
  if (inet_pton(AF_INET6, std::string(address).c_str(), rdata.octets.data()) != 1) BadLiteral("IPv6 address", address);
  return rdata;
}
Rdata Cname(std::string_view target) { return {rr_type::kCname, WireName(target)}; }
Rdata Dname(std::string_view target) { return {rr_type::kDname, WireName(target)}; }
Rdata Ns(std::string_view server) { return {rr_type::kNs, WireName(server)}; }
Rdata Ptr(std::string_view target) { return {rr_type::kPtr, WireName(target)}; }
Rdata Mx(uint16_t preference, std::string_view exchange) {
  return {rr_type::kMx, Concatenated(U16(preference), WireName(exchange))};
}
Rdata Txt(std::string_view text) {
  Rdata rdata{rr_type::kTxt, {}};
  do {
    const std::string_view part = text.substr(0, 255);
    text.remove_prefix(part.size());
    Append8(rdata.octets, static_cast<unsigned>(part.size()));
    Append(rdata.octets, OctetsOf(part));
  } while (!text.empty());
  return rdata;
}
Rdata Srv(uint16_t priority, uint16_t weight, uint16_t port, std::string_view target) {
  return {rr_type::kSrv, Concatenated(U16(priority), U16(weight), U16(port), WireName(target))};
}
Rdata Soa(std::string_view primary, std::string_view mailbox, uint32_t serial, uint32_t refresh, uint32_t retry,
          uint32_t expire, uint32_t minimum) {
  return {rr_type::kSoa, Concatenated(WireName(primary), WireName(mailbox), U32(serial), U32(refresh), U32(retry),
                                      U32(expire), U32(minimum))};
}
Rdata Soa(uint32_t minimum) {
  return Soa("ns1.example.", "hostmaster.example.", 2026110101, 7200, 3600, 1209600, minimum);
}
Rdata Rrsig(uint16_t covered, std::string_view signer, uint32_t original_ttl) {
  Octets octets = Concatenated(U16(covered), Octets{13, 2}, U32(original_ttl), U32(0x7fffffff), U32(0x60000000),
                               U16(12345), WireName(signer));
  Append(octets, Octets(64, 0x5a));
  return {rr_type::kRrsig, std::move(octets)};
}
Rdata Nsec(std::string_view next, std::initializer_list<uint16_t> types) {
  Octets octets = WireName(next);
  std::vector<uint16_t> sorted(types);
  std::sort(sorted.begin(), sorted.end());
  // RFC 4034 §4.1.2: one bitmap for each window of 256 types that has any.
  for (size_t i = 0; i < sorted.size();) {
    const unsigned window = sorted[i] >> 8U;
    Octets bitmap;
    for (; i < sorted.size() && sorted[i] >> 8U == window; ++i) {
      const size_t octet = (sorted[i] & 0xffU) / 8;
      if (bitmap.size() <= octet) bitmap.resize(octet + 1);
      bitmap[octet] = static_cast<uint8_t>(bitmap[octet] | 0x80U >> (sorted[i] & 7U));
    }
    Append8(octets, window);
    Append8(octets, static_cast<unsigned>(bitmap.size()));
    Append(octets, bitmap);
  }
  return {rr_type::kNsec, std::move(octets)};
}
Rdata Opaque(uint16_t type, Octets octets) { return {type, std::move(octets)}; }

EdnsOption Ede(EdeCode code, std::string_view text) {
  return {edns_option::kEde, Concatenated(U16(static_cast<unsigned>(code)), OctetsOf(text))};
}
EdnsOption PaddingOption(size_t octets) { return {edns_option::kPadding, Octets(octets)}; }
EdnsOption KeepaliveOption(uint16_t tenths) { return {edns_option::kKeepalive, U16(tenths)}; }

MessageBuilder MessageBuilder::Query(uint16_t id, std::string_view name, uint16_t type, uint16_t klass) {
  MessageBuilder builder(id);
  builder.Flags(header_flag::kRd).Question(name, type, klass);
  return builder;
}

MessageBuilder MessageBuilder::ResponseTo(OctetView query) {
  if (query.size() < kHeaderOctets) BadLiteral("a query without a header", std::to_string(query.size()));
  MessageBuilder builder(static_cast<uint16_t>(unsigned{query[0]} << 8 | query[1]));
  const unsigned flags = unsigned{query[2]} << 8 | query[3];
  builder.opcode_ = query[2] >> 3 & 0xf;
  builder.Flags(
      static_cast<uint16_t>((flags & (header_flag::kRd | header_flag::kCd)) | header_flag::kQr | header_flag::kRa));
  QuestionFound found = FindQuestion(query);
  if (!found.octets.empty()) builder.Add(kQuestions, {{}, std::move(found.octets), true, false});
  const std::optional<MessageRead> read = ReadMessage(query);
  if (read && read->edns) builder.WithEdns({.dnssec_ok = read->edns->dnssec_ok});
  return builder;
}

MessageBuilder& MessageBuilder::Flags(uint16_t flags) {
  flags_ = flags;
  return *this;
}
MessageBuilder& MessageBuilder::AddFlags(uint16_t flags) {
  flags_ = static_cast<uint16_t>(flags_ | flags);
  return *this;
}
MessageBuilder& MessageBuilder::Opcode(uint8_t opcode) {
  opcode_ = opcode;
  return *this;
}
MessageBuilder& MessageBuilder::WithRcode(Rcode rcode) {
  rcode_ = static_cast<uint16_t>(rcode);
  return *this;
}

MessageBuilder& MessageBuilder::Question(std::string_view name, uint16_t type, uint16_t klass) {
  return Add(kQuestions, {{}, Concatenated(WireName(name), U16(type), U16(klass)), true, false});
}
MessageBuilder& MessageBuilder::Answer(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass) {
  return Add(kAnswers, MakeRecord(name, ttl, std::move(rdata), klass));
}
MessageBuilder& MessageBuilder::Authority(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass) {
  return Add(kAuthorities, MakeRecord(name, ttl, std::move(rdata), klass));
}
MessageBuilder& MessageBuilder::Additional(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass) {
  return Add(kAdditionals, MakeRecord(name, ttl, std::move(rdata), klass));
}
MessageBuilder& MessageBuilder::WithEdns(OptRecord edns) {
  const uint32_t ttl = uint32_t{edns.extended_rcode} << 24 | uint32_t{edns.version} << 16 |
                       (edns.dnssec_ok ? uint32_t{0x8000} : 0) | edns.other_flags;
  Item item = MakeRecord(".", ttl, {rr_type::kOpt, OptionOctets(edns.options)}, edns.payload_octets);
  item.is_opt = true;
  return Add(kAdditionals, std::move(item));
}

MessageBuilder& MessageBuilder::RawQuestion(Octets octets) {
  return Add(kQuestions, {{}, std::move(octets), false, false});
}
MessageBuilder& MessageBuilder::RawAnswer(Octets octets) {
  return Add(kAnswers, {{}, std::move(octets), false, false});
}
MessageBuilder& MessageBuilder::RawAuthority(Octets octets) {
  return Add(kAuthorities, {{}, std::move(octets), false, false});
}
MessageBuilder& MessageBuilder::RawAdditional(Octets octets) {
  return Add(kAdditionals, {{}, std::move(octets), false, false});
}
MessageBuilder& MessageBuilder::Trailing(Octets octets) {
  Append(trailing_, octets);
  return *this;
}
MessageBuilder& MessageBuilder::Counts(uint16_t questions, uint16_t answers, uint16_t authorities,
                                       uint16_t additionals) {
  counts_ = {questions, answers, authorities, additionals};
  return *this;
}
MessageBuilder& MessageBuilder::Compressed() {
  compressed_ = true;
  return *this;
}

MessageBuilder::Item MessageBuilder::MakeRecord(std::string_view name, uint32_t ttl, Rdata rdata, uint16_t klass) {
  if (rdata.octets.size() > 0xffff) BadLiteral("RDATA length", std::to_string(rdata.octets.size()));
  return {WireName(name),
          Concatenated(U16(rdata.type), U16(klass), U32(ttl), U16(static_cast<unsigned>(rdata.octets.size())),
                       rdata.octets),
          true, false};
}

MessageBuilder& MessageBuilder::Add(size_t section, Item item) {
  sections_[section].push_back(std::move(item));
  return *this;
}

Octets MessageBuilder::Build() const {
  Octets out;
  Append16(out, id_);
  Append16(out, unsigned{flags_} | unsigned{opcode_} << 11 | (rcode_ & 0xfU));
  for (size_t section = 0; section < 4; ++section) {
    const auto counted =
        std::count_if(sections_[section].begin(), sections_[section].end(), [](const Item& i) { return i.counted; });
    Append16(out, counts_ ? (*counts_)[section] : static_cast<unsigned>(counted));
  }
  const Octets* const qname = sections_[kQuestions].empty() ? nullptr : &sections_[kQuestions].front().rest;
  for (const std::vector<Item>& section : sections_) {
    for (const Item& item : section) {
      const bool same = compressed_ && qname != nullptr && item.owner.size() > 1 &&
                        qname->size() == item.owner.size() + 4 &&
                        std::equal(item.owner.begin(), item.owner.end(), qname->begin());
      Append(out, same ? Octets{0xc0, kHeaderOctets} : item.owner);
      const size_t rest_at = out.size();
      Append(out, item.rest);
      if (item.is_opt && rcode_ > 0xf) out[rest_at + 4] = static_cast<uint8_t>(rcode_ >> 4);
    }
  }
  Append(out, trailing_);
  return out;
}

Octets PositiveAnswerTo(OctetView query, uint32_t ttl, const std::vector<Rdata>& rdata) {
  MessageBuilder builder = MessageBuilder::ResponseTo(query);
  const std::string name = FindQuestion(query).question.name;
  for (const Rdata& data : rdata) builder.Answer(name, ttl, data);
  return builder.Compressed().Build();
}

Octets PositiveAnswerTo(OctetView query, uint32_t ttl) {
  switch (FindQuestion(query).question.type) {
    case rr_type::kA:
      return PositiveAnswerTo(query, ttl, {A("192.0.2.1")});
    case rr_type::kAaaa:
      return PositiveAnswerTo(query, ttl, {Aaaa("2001:db8::1")});
    default:
      return PositiveAnswerTo(query, ttl, {Opaque(FindQuestion(query).question.type, Txt("data").octets)});
  }
}

Octets NxdomainAnswerTo(OctetView query, std::string_view zone, uint32_t soa_ttl, uint32_t soa_minimum) {
  return NegativeAnswerTo(query, zone, soa_ttl, soa_minimum).WithRcode(Rcode::kNxDomain).Build();
}
Octets NodataAnswerTo(OctetView query, std::string_view zone, uint32_t soa_ttl, uint32_t soa_minimum) {
  return NegativeAnswerTo(query, zone, soa_ttl, soa_minimum).Build();
}
Octets FailureAnswerTo(OctetView query, Rcode rcode) {
  return MessageBuilder::ResponseTo(query).WithRcode(rcode).Build();
}
Octets TruncatedAnswerTo(OctetView query) {
  return MessageBuilder::ResponseTo(query).AddFlags(header_flag::kTc).Build();
}

Octets WithOption(Octets message, const EdnsOption& option) {
  const MessageRead read = MustReadMessage(message);
  if (!read.edns) BadLiteral("a message without OPT", std::to_string(message.size()));
  const Octets before = OptionOctets(read.edns->options);
  const Octets added = OptionOctets({option});
  // RFC 6891 §6.1.2: root, OPT, payload, flags, then RDLENGTH, which stands ahead of the options.
  const size_t length_at = message.size() - before.size() - 2;
  if (length_at < 9 || message[length_at - 9] != 0 || message[length_at - 7] != rr_type::kOpt) {
    BadLiteral("a message whose OPT is not its end", std::to_string(message.size()));
  }
  const size_t length = before.size() + added.size();
  message[length_at] = static_cast<uint8_t>(length >> 8);
  message[length_at + 1] = static_cast<uint8_t>(length & 0xff);
  Append(message, added);
  return message;
}
Octets WithId(Octets message, uint16_t id) {
  if (message.size() < 2) BadLiteral("a message without an ID", std::to_string(message.size()));
  message[0] = static_cast<uint8_t>(id >> 8);
  message[1] = static_cast<uint8_t>(id & 0xff);
  return message;
}

const EdnsOption* MessageRead::FindOption(uint16_t code) const {
  if (!edns) return nullptr;
  for (const EdnsOption& option : edns->options) {
    if (option.code == code) return &option;
  }
  return nullptr;
}

std::optional<MessageRead> ReadMessage(OctetView message) {
  Reader reader(message);
  MessageRead read;
  uint16_t flags = 0;
  uint16_t counts[4] = {};
  if (!reader.Read16(read.id) || !reader.Read16(flags)) return std::nullopt;
  for (uint16_t& count : counts) {
    if (!reader.Read16(count)) return std::nullopt;
  }
  read.opcode = static_cast<uint8_t>(flags >> 11 & 0xf);
  read.rcode = flags & 0xf;
  read.flags = flags & 0x87f0;
  for (unsigned i = 0; i < counts[kQuestions]; ++i) {
    ReadQuestion question;
    if (!reader.ReadName(question.name) || !reader.Read16(question.type) || !reader.Read16(question.klass)) {
      return std::nullopt;
    }
    read.questions.push_back(std::move(question));
  }
  const std::pair<Section, std::vector<ReadRecord>*> sections[] = {
      {kAnswers, &read.answers}, {kAuthorities, &read.authorities}, {kAdditionals, &read.additionals}};
  for (const auto& [section, records] : sections) {
    for (unsigned i = 0; i < counts[section]; ++i) {
      ReadRecord record;
      if (!ReadOneRecord(reader, record)) return std::nullopt;
      if (record.type != rr_type::kOpt) {
        records->push_back(std::move(record));
        continue;
      }
      ++read.opt_count;
      if (section != kAdditionals || read.edns) continue;
      read.edns = ReadEdns(record);
      if (!read.edns) return std::nullopt;
      read.rcode = static_cast<uint16_t>(read.rcode | read.edns->extended_rcode << 4);
    }
  }
  if (!reader.at_end()) return std::nullopt;
  return read;
}

MessageRead MustReadMessage(OctetView message) {
  std::optional<MessageRead> read = ReadMessage(message);
  if (!read) {
    std::fprintf(stderr, "a malformed message of %zu octets:", message.size());
    for (const uint8_t octet : message) std::fprintf(stderr, " %02x", unsigned{octet});
    std::fprintf(stderr, "\n");
    std::abort();
  }
  return *std::move(read);
}

}  // namespace dotward
