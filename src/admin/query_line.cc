#include "admin/query_line.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/log.h"
#include "base/strings.h"
#include "dns/name.h"

namespace dotward {
namespace {

template <typename Number>
void AppendNumber(Number number, std::string& out) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

// Of letters, digits, '-' and '_', as nearly all labels are, which mean themselves in JSON and in a name's text.
bool IsPlainLabel(OctetView label) {
  return std::all_of(label.begin(), label.end(), [](uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

void AppendName(OctetView wire, std::string& out) {
  const size_t begin = out.size();
  size_t at = 0;
  for (; wire[at] != 0; at += wire[at] + size_t{1}) {
    const OctetView label = wire.subspan(at + 1, wire[at]);
    if (!IsPlainLabel(label)) {
      out.resize(begin);
      out += EscapeForLog(NameToString(wire));
      return;
    }
    out.append(reinterpret_cast<const char*>(label.data()), label.size());
    out += '.';
  }
  if (at == 0) out += '.';
}

void AppendRcode(Rcode rcode, std::string& out) {
  switch (rcode) {
    case Rcode::kNoError:
      out += "NOERROR";
      return;
    case Rcode::kNxDomain:
      out += "NXDOMAIN";
      return;
    case Rcode::kServFail:
      out += "SERVFAIL";
      return;
    default:
      out += RcodeToString(rcode);
  }
}

std::string SecondToString(std::chrono::sys_seconds second) {
  const std::time_t time = second.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts)};
}

// ".040Z"
std::array<char, 5> FractionOf(WallTime at) {
  const auto part = at - std::chrono::floor<std::chrono::seconds>(at);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(part).count();
  return {'.', static_cast<char>('0' + milliseconds / 100), static_cast<char>('0' + milliseconds / 10 % 10),
          static_cast<char>('0' + milliseconds % 10), 'Z'};
}

}  // namespace

std::string UtcToString(WallTime at) {
  const std::array<char, 5> fraction = FractionOf(at);
  return SecondToString(std::chrono::floor<std::chrono::seconds>(at)) + std::string(fraction.data(), fraction.size());
}

std::string ClientPrivacy::Show(const IpAddress& client) const {
  switch (show) {
    case ClientAddressLogging::kNone:
      return {};
    case ClientAddressLogging::kPrefix:
      return ClientPrefix(client, ipv4_prefix, ipv6_prefix).ToString();
    case ClientAddressLogging::kFull:
      break;
  }
  return client.ToString();
}

std::string_view TransportToString(Transport transport) {
  switch (transport) {
    case Transport::kUdp:
      return "udp";
    case Transport::kTcp:
      return "tcp";
    case Transport::kTls:
      break;
  }
  return "tls";
}

std::string_view AnswerSourceToString(AnswerSource source) {
  switch (source) {
    case AnswerSource::kCache:
      return "cache";
    case AnswerSource::kStale:
      return "stale";
    case AnswerSource::kUpstream:
      return "upstream";
    case AnswerSource::kLocal:
      return "local";
    case AnswerSource::kRefused:
      return "refused";
    case AnswerSource::kMalformed:
      break;
  }
  return "malformed";
}

void QueryLineWriter::Append(const QueryRecord& record, WallTime received_at, std::string& out) {
  out += "{\"time\":\"";
  AppendTime(received_at, out);
  out += "\",\"event\":\"query\"";
  if (privacy_.show != ClientAddressLogging::kNone) {
    out += ",\"client\":\"";
    AppendClient(record.client, out);
    out += '"';
  }
  out += ",\"transport\":\"";
  out += TransportToString(record.transport);
  if (record.qname_octets != 0) {
    out += "\",\"name\":\"";
    AppendName(OctetView(record.qname).first(record.qname_octets), out);
    out += "\",\"type\":\"";
    out += TypeName(record.qtype);
    if (record.qclass != rr_class::kIn) {
      out += "\",\"class\":\"CLASS";  // RFC 3597 §5
      AppendNumber(record.qclass, out);
    }
  }
  out += "\",\"rcode\":\"";
  AppendRcode(record.rcode, out);
  out += "\",\"source\":\"";
  out += AnswerSourceToString(record.source);
  out += "\",\"octets\":";
  AppendNumber(record.reply_octets, out);
  out += ",\"duration_us\":";
  AppendNumber(std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count(), out);
  if (record.extended_error != QueryRecord::kNoExtendedError) {
    out += ",\"ede\":";
    AppendNumber(record.extended_error, out);
  }
  out += "}\n";
}

void QueryLineWriter::AppendTime(WallTime at, std::string& out) {
  const auto second = std::chrono::floor<std::chrono::seconds>(at);
  if (second != second_) {
    second_ = second;
    second_text_ = SecondToString(second);
  }
  const std::array<char, 5> fraction = FractionOf(at);
  out += second_text_;
  out.append(fraction.data(), fraction.size());
}

void QueryLineWriter::AppendClient(const IpAddress& client, std::string& out) const {
  if (privacy_.show != ClientAddressLogging::kFull || !client.is_v4()) {
    out += privacy_.Show(client);
    return;
  }
  // The one case that is worth doing without a string of its own.
  bool first = true;
  for (const uint8_t octet : client.octets()) {
    if (!std::exchange(first, false)) out += '.';
    AppendNumber(octet, out);
  }
}

const std::string& QueryLineWriter::TypeName(uint16_t type) {
  if (type >= known_types_.size()) return other_type_ = TypeToString(type);
  if (known_types_[type].empty()) known_types_[type] = TypeToString(type);
  return known_types_[type];
}

}  // namespace dotward
