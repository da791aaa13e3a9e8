#include "config/values.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <type_traits>

#include "base/limits.h"
#include "base/spki_pin.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/units.h"
#include "config/negative_anchor.h"
#include "config/variables.h"
#include "dns/name.h"

namespace dotward {
namespace {

// What a list has as its items; void for what is no list.
template <typename T>
struct Item {
  using Type = void;
};
template <typename T>
struct Item<std::vector<T>> {
  using Type = T;
};
template <>
struct Item<ServerList> {
  using Type = Server;
};
template <typename T>
inline constexpr bool kIsList = !std::is_void_v<typename Item<T>::Type>;

// The longest spelling of an address with zone and prefix length or port is far shorter.
constexpr size_t kAddressOctetsMax = 128;

// "Nothing to say" or what is wrong.
using Problem = std::optional<std::string>;

constexpr std::array<std::string_view, 3> kTrueWords = {"true", "yes", "on"};
constexpr std::array<std::string_view, 3> kFalseWords = {"false", "no", "off"};
constexpr std::array<std::string_view, 2> kNullWords = {"null", "~"};

template <typename Words>
bool IsOneOf(std::string_view text, const Words& words) {
  return std::any_of(words.begin(), words.end(),
                     [text](std::string_view word) { return EditDistance(text, word, 0) == 0; });
}

template <typename Number>
std::optional<Number> ParseWhole(std::string_view text) {
  Number number{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view NameOfType(ValueType type) {
  switch (type) {
    case ValueType::kSection:
      return "a mapping";
    case ValueType::kRecords:
      return "a list of mappings";
    case ValueType::kSwitch:
      return "true or false";
    case ValueType::kNumber:
      return "a whole number";
    case ValueType::kFraction:
      return "a decimal number";
    case ValueType::kDuration:
      return "a duration";
    case ValueType::kSize:
      return "a size";
    case ValueType::kChoice:
      return "a word";
    case ValueType::kText:
      return "a text";
    case ValueType::kUser:
      return "the name of an account";
    case ValueType::kFile:
    case ValueType::kStateFile:
      return "a file";
    case ValueType::kListenAddress:
    case ValueType::kEndpoint:
      return "an address with a port";
    case ValueType::kServer:
      return "an IP address or a host name";
    case ValueType::kPrefix:
      return "a prefix";
    case ValueType::kZone:
    case ValueType::kAuthName:
      return "a domain name";
    case ValueType::kNegativeAnchor:
      return "a zone";
    case ValueType::kPin:
      return "a pin";
    case ValueType::kResolver:
      return "the address of a resolver";
    case ValueType::kUpstreamName:
      return "the name of an upstream";
  }
  return "";
}

bool IsAddressType(ValueType type) {
  return type == ValueType::kListenAddress || type == ValueType::kEndpoint || type == ValueType::kPrefix;
}

// What YAML makes a list or a mapping of where quotes are missing.
bool MayHoldIpv6(ValueType type) {
  return IsAddressType(type) || type == ValueType::kServer || type == ValueType::kResolver;
}

std::string_view NameOfKind(const YamlNode& node) {
  switch (node.kind) {
    case YamlKind::kNull:
      return "nothing";
    case YamlKind::kSequence:
      return "a list";
    case YamlKind::kMapping:
      return "a mapping";
    case YamlKind::kScalar:
    case YamlKind::kUnsound:
      break;
  }
  return "a single value";
}

// ": accepted: 1 to 65535", or nothing.
std::string AcceptedTail(const SchemaKey& key) {
  const std::string accepted = AcceptedText(key);
  return accepted.empty() ? "" : StrCat("; accepted: ", accepted);
}

std::string NotA(const SchemaKey& key, std::string_view text) {
  return StrCat(Quote(text), " is not ", NameOfType(key.type), AcceptedTail(key));
}

std::string OutOfRange(const SchemaKey& key, std::string_view text) {
  return StrCat(Quote(text), " is out of range", AcceptedTail(key));
}

// Numbers and switches in quotes are text, to YAML as to a reader.
Problem RefuseQuotes(const SchemaKey& key, const YamlNode& node) {
  if (!node.quoted) return std::nullopt;
  return StrCat(Quote(node.text), " is a text; write ", NameOfType(key.type), " without quotes", AcceptedTail(key));
}

Problem Read(const SchemaKey& key, const YamlNode& node, bool* target) {
  if (Problem problem = RefuseQuotes(key, node)) return problem;
  if (IsOneOf(node.text, kTrueWords)) {
    *target = true;
  } else if (IsOneOf(node.text, kFalseWords)) {
    *target = false;
  } else {
    return StrCat(Quote(node.text), " is neither ",
                  key.spelled_on_off ? "on nor off; accepted: on | off" : "true nor false; accepted: true | false");
  }
  return std::nullopt;
}

template <typename Number>
requires std::is_unsigned_v<Number> Problem Read(const SchemaKey& key, const YamlNode& node, Number* target) {
  if (key.type == ValueType::kSize) {
    const absl::StatusOr<uint64_t> octets = ParseSize(node.text);
    if (!octets.ok()) {
      return StrCat(Quote(node.text), " is not a size; write a whole number and a unit: 512KiB, 64MiB, 1GiB",
                    AcceptedTail(key));
    }
    if (*octets < key.min || *octets > key.max) return OutOfRange(key, node.text);
    *target = static_cast<Number>(*octets);
    return std::nullopt;
  }
  if (!key.zero.empty() && node.text == key.zero) {
    *target = 0;
    return std::nullopt;
  }
  if (Problem problem = RefuseQuotes(key, node)) return problem;
  const std::string_view text = node.text;
  const bool digits =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  // A leading zero is octal to some and decimal to others.
  if (!digits || (text.size() > 1 && text.front() == '0')) {
    const bool negative = text.size() > 1 && text.front() == '-' && ParseWhole<int64_t>(text);
    return negative ? OutOfRange(key, text) : NotA(key, text);
  }
  const auto number = ParseWhole<uint64_t>(text);
  if (!number || *number < key.min || *number > key.max) return OutOfRange(key, text);
  *target = static_cast<Number>(*number);
  return std::nullopt;
}

Problem Read(const SchemaKey& key, const YamlNode& node, double* target) {
  if (Problem problem = RefuseQuotes(key, node)) return problem;
  const std::string_view text = node.text;
  const bool decimal = !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!decimal || error == std::errc::invalid_argument || rest != text.data() + text.size()) return NotA(key, text);
  if (error != std::errc() || number < static_cast<double>(key.min) || number > static_cast<double>(key.max)) {
    return OutOfRange(key, text);
  }
  *target = number;
  return std::nullopt;
}

Problem Read(const SchemaKey& key, const YamlNode& node, Duration* target) {
  const absl::StatusOr<Duration> duration = ParseDuration(node.text);
  if (!duration.ok()) {
    return StrCat(Quote(node.text), " is not a duration; write a whole number and a unit: 250ms, 5s, 10m, 1h, 1d",
                  AcceptedTail(key));
  }
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  const auto count = static_cast<uint64_t>(milliseconds);
  if (count < key.min || count > key.max) return OutOfRange(key, node.text);
  *target = *duration;
  return std::nullopt;
}

template <typename Enum>
requires std::is_enum_v<Enum> Problem Read(const SchemaKey& key, const YamlNode& node, Enum* target) {
  const auto found = std::find(key.choices.begin(), key.choices.end(), node.text);
  if (found == key.choices.end()) {
    const std::string_view nearest = Nearest(node.text, key.choices);
    return StrCat(Quote(node.text), " is not accepted",
                  nearest.empty() ? std::string() : StrCat("; did you mean \"", nearest, "\"?"),
                  "; accepted: ", AcceptedText(key));
  }
  *target = static_cast<Enum>(found - key.choices.begin());
  return std::nullopt;
}

// The text of `status` as a problem.
Problem ProblemOf(const absl::Status& status) { return std::string(MessageOf(status)); }

template <typename T>
Problem Take(absl::StatusOr<T> value, T* target) {
  if (!value.ok()) return ProblemOf(value.status());
  *target = *std::move(value);
  return std::nullopt;
}

// A configuration that names a file which cannot be read must not start half a server.
Problem CheckReadable(const std::string& path) {
  // Non-blocking, for a FIFO that nobody writes to.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return StrCat("cannot read ", Quote(path), ": ", std::strerror(errno));
  struct stat status {};
  const bool regular = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  close(descriptor);
  if (!regular) return StrCat("cannot read ", Quote(path), ": not a regular file");
  return std::nullopt;
}

Problem CheckUpstreamName(std::string_view text) {
  constexpr std::string_view kAccepted = "; write 1 to 253 letters, digits, \"-\", \"_\" or \".\"";
  const auto sound = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (text.empty() || text.size() > 253 || !std::all_of(text.begin(), text.end(), sound)) {
    return StrCat(Quote(text), " cannot be the name of an upstream", kAccepted);
  }
  return std::nullopt;
}

Problem CheckPin(std::string_view text) {
  const absl::Status status = ParseSpkiPin(text).status();
  if (status.ok()) return std::nullopt;
  return StrCat(
      Quote(text), ": ", MessageOf(status),
      "; to make one: openssl s_client -connect ADDRESS:853 </dev/null | openssl x509 -noout -pubkey | openssl "
      "pkey -pubin -outform der | openssl dgst -sha256 -binary | base64");
}

// The zone with its final dot.
absl::StatusOr<std::string> ParseZone(std::string_view text) {
  const auto fail = [text](std::string_view why) { return absl::InvalidArgumentError(StrCat(Quote(text), why)); };
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x80; })) {
    return fail(" is not in the form that queries have; write IDNs in their xn-- form");
  }
  if (text.starts_with("*."))
    return fail(" begins with a wildcard; a zone has every name below it, so drop the \"*.\"");
  const absl::StatusOr<Name> name = Name::Parse(text);
  if (!name.ok()) return fail(" is not a domain name; labels have 1 to 63 octets, 255 in all, and the root is \".\"");
  return name->ToString();
}

absl::StatusOr<std::string> NormalizedNegativeAnchor(std::string_view text) {
  ASSIGN_OR_RETURN(const NegativeAnchor anchor, ParseNegativeAnchor(text));
  if (!anchor.end) return anchor.zone;
  const std::time_t end = std::chrono::system_clock::to_time_t(*anchor.end);
  std::tm parts{};
  gmtime_r(&end, &parts);
  std::array<char, 32> written{};
  const size_t octets = std::strftime(written.data(), written.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return StrCat(anchor.zone, " until ", std::string_view(written.data(), octets));
}

// One that a socket can be bound to, in its usual spelling.
absl::StatusOr<std::string> ParseEndpoint(std::string_view text) {
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(text);
  if (!endpoint.ok()) return endpoint.status();
  if (endpoint->address.IsMulticast()) {
    return absl::InvalidArgumentError(StrCat(Quote(text), " is a multicast address; one cannot serve on it"));
  }
  return endpoint->ToString();
}

Problem Read(const SchemaKey& key, const YamlNode& node, std::string* target) {
  switch (key.type) {
    case ValueType::kFile:
      if (!node.text.empty()) {
        if (Problem problem = CheckReadable(node.text)) return problem;
      }
      break;
    case ValueType::kZone:
      return Take(ParseZone(node.text), target);
    case ValueType::kNegativeAnchor:
      return Take(NormalizedNegativeAnchor(node.text), target);
    case ValueType::kAuthName:
      if (node.text.empty()) break;
      return Take(ParseAuthName(node.text), target);
    case ValueType::kEndpoint:
      if (node.text.empty()) break;
      return Take(ParseEndpoint(node.text), target);
    case ValueType::kPin:
      if (Problem problem = CheckPin(node.text)) return problem;
      break;
    case ValueType::kUpstreamName:
      if (Problem problem = CheckUpstreamName(node.text)) return problem;
      break;
    default:
      break;
  }
  *target = node.text;
  return std::nullopt;
}

Problem Read(const SchemaKey& /*key*/, const YamlNode& node, Server* target) {
  return Take(ParseServer(node.text), target);
}

Problem Read(const SchemaKey& /*key*/, const YamlNode& node, BootstrapConfig* target) {
  return Take(ParseBootstrap(node.text), target);
}

Problem Read(const SchemaKey& /*key*/, const YamlNode& node, IpPrefix* target) {
  return Take(IpPrefix::Parse(node.text), target);
}

Problem Read(const SchemaKey& /*key*/, const YamlNode& node, ListenConfig* target) {
  return Take(ParseListenAddress(node.text), target);
}

// What holds for every single value, then what its type asks for.
template <typename T>
Problem ReadScalar(const SchemaKey& key, const YamlNode& node, T* target) {
  if (node.kind == YamlKind::kUnsound) return node.text;
  if (node.kind == YamlKind::kNull) return StrCat("no value; write ", NameOfType(key.type), AcceptedTail(key));
  if (node.kind != YamlKind::kScalar) {
    // What YAML makes of [::1]:53 and of "::" without quotes.
    const std::string_view hint = MayHoldIpv6(key.type) ? "; put IPv6 addresses in quotes" : "";
    return StrCat(NameOfKind(node), " stands where ", NameOfType(key.type), " belongs", hint, AcceptedTail(key));
  }
  if (node.text.size() > Limits::kConfigTextOctetsMax) {
    return StrCat(Quote(node.text), " is longer than ", Limits::kConfigTextOctetsMax, " octets");
  }
  if (IsAddressType(key.type) && node.text.size() > kAddressOctetsMax) return NotA(key, node.text);
  if (!IsPlainText(node.text)) return StrCat(Quote(node.text), " has a control character or a line break");
  return Read(key, node, target);
}

std::string NotAvailable(const SchemaKey& key) {
  return StrCat(key.missing_feature, " is not available in this version; leave it at ", key.off);
}

template <typename T>
void ClearList(std::vector<T>* list) {
  list->clear();
}
// The list is the base of a record whose other keys stay.
void ClearList(ServerList* list) { *list = ServerList(); }

// False where the list must not have the item twice, and has it.
template <typename T>
bool Append(T item, std::vector<T>* list) {
  list->push_back(std::move(item));
  return true;
}
bool Append(Server server, ServerList* list) { return AddServer(std::move(server), list); }

template <typename List>
void ReadList(const SchemaKey& key, const YamlTree& tree, const YamlNode& node, Position position, List* target,
              ValueReading* reading) {
  const auto fail = [&](std::string message) { reading->problems.push_back({{}, position, std::move(message)}); };
  if (node.kind == YamlKind::kNull) return fail("no value; write [] for an empty list, or leave the key out");
  if (node.kind == YamlKind::kUnsound) return fail(node.text);
  if (node.kind != YamlKind::kSequence) {
    if (node.kind != YamlKind::kScalar) return fail(StrCat(NameOfKind(node), " stands where a list belongs"));
    return fail(StrCat(Quote(node.text), " is not a list; write [", Quote(node.text), "]"));
  }
  ClearList(target);
  if (!key.missing_feature.empty()) {
    if (!node.children.empty()) fail(NotAvailable(key));
    return;
  }
  if (node.children.size() < key.items_min) return fail(StrCat("is empty; give at least ", key.items_min, " item"));
  if (key.items_max != 0 && node.children.size() > key.items_max) {
    return fail(StrCat("has ", node.children.size(), " items; accepted: ", key.items_min, " to ", key.items_max));
  }
  for (size_t i = 0; i < node.children.size() && reading->problems.size() <= Limits::kConfigErrorsMax; ++i) {
    const YamlNode& item = tree[node.children[i]];
    typename Item<List>::Type value{};
    if (Problem problem = ReadScalar(key, item, &value)) {
      reading->problems.push_back({i, item.position, *std::move(problem)});
    } else if (!Append(std::move(value), target)) {
      reading->problems.push_back({i, item.position, StrCat(Quote(item.text), " is given twice")});
    } else {
      reading->items.push_back(item.position);
    }
  }
}

// --- printing ---

std::string QuoteForYaml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// `text` as a scalar that reads as the same text, without quotes where none are needed by any reading of YAML.
std::string TextScalar(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '/';
  };
  double number = 0;
  const bool numeric =
      !text.empty() && std::from_chars(text.data(), text.data() + text.size(), number).ptr == text.data() + text.size();
  const bool quote = text.empty() || text.front() == '-' || text.front() == '.' || numeric ||
                     !std::all_of(text.begin(), text.end(), plain) || IsOneOf(text, kTrueWords) ||
                     IsOneOf(text, kFalseWords) || IsOneOf(text, kNullWords);
  return quote ? QuoteForYaml(text) : std::string(text);
}

std::string Format(const SchemaKey& key, bool value) {
  if (key.spelled_on_off) return value ? "on" : "off";
  return value ? "true" : "false";
}

template <typename Number>
requires std::is_unsigned_v<Number> std::string Format(const SchemaKey& key, Number value) {
  if (key.type == ValueType::kSize) return FormatSize(value);
  if (value == 0 && !key.zero.empty()) return std::string(key.zero);
  return std::to_string(value);
}

std::string Format(const SchemaKey& /*key*/, double value) {
  std::array<char, 64> text{};
  // The shortest digits that read as the same number, never with an exponent.
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return error == std::errc() ? std::string(text.data(), end) : "0";
}

std::string Format(const SchemaKey& /*key*/, Duration value) { return FormatDuration(value); }

template <typename Enum>
requires std::is_enum_v<Enum> std::string Format(const SchemaKey& key, Enum value) {
  return std::string(key.choices[static_cast<size_t>(value)]);
}

std::string Format(const SchemaKey& /*key*/, const std::string& value) { return TextScalar(EscapeVariables(value)); }
std::string Format(const SchemaKey& /*key*/, const IpPrefix& value) { return TextScalar(value.ToString()); }
std::string Format(const SchemaKey& /*key*/, const ListenConfig& value) {
  const std::string endpoint = value.endpoint.ToString();
  return QuoteForYaml(value.protocol == ListenProtocol::kTls ? StrCat("tls://", endpoint) : endpoint);
}
std::string Format(const SchemaKey& /*key*/, const BootstrapConfig& value) {
  const std::string endpoint = value.endpoint.ToString();
  return QuoteForYaml(value.protocol == UpstreamProtocol::kTls ? StrCat("tls://", endpoint, "#", value.auth_name)
                                                               : endpoint);
}

template <typename T>
std::vector<std::string> FormatList(const SchemaKey& key, const std::vector<T>& list) {
  std::vector<std::string> items;
  for (const T& item : list) items.push_back(Format(key, item));
  return items;
}
std::vector<std::string> FormatList(const SchemaKey& /*key*/, const ServerList& list) {
  std::vector<std::string> items;
  for (const IpAddress& address : list.addresses) items.push_back(TextScalar(address.ToString()));
  for (const std::string& name : list.host_names) items.push_back(TextScalar(name));
  return items;
}

}  // namespace

ValueReading ReadValue(const SchemaKey& key, const YamlTree& tree, const YamlNode& node, Position key_position,
                       const Slot& slot) {
  ValueReading reading;
  // The parser places a value that is not there at whatever comes next.
  const Position position = node.kind == YamlKind::kNull ? key_position : node.position;
  std::visit(
      [&](auto* target) {
        using Target = std::remove_pointer_t<decltype(target)>;
        if constexpr (kIsList<Target>) {
          ReadList(key, tree, node, position, target, &reading);
        } else {
          if (Problem problem = ReadScalar(key, node, target)) {
            reading.problems.push_back({{}, position, *std::move(problem)});
          } else if (!key.missing_feature.empty() && Format(key, *target) != key.off) {
            reading.problems.push_back({{}, position, StrCat(Quote(node.text), ": ", NotAvailable(key))});
          }
        }
      },
      slot);
  return reading;
}

std::vector<std::string> FormatItems(const SchemaKey& key, const Slot& slot) {
  return std::visit(
      [&](const auto* target) {
        if constexpr (kIsList<std::remove_cvref_t<decltype(*target)>>) {
          return FormatList(key, *target);
        } else {
          return std::vector<std::string>{Format(key, *target)};
        }
      },
      slot);
}

std::string FormatValue(const SchemaKey& key, const Slot& slot) {
  const std::vector<std::string> items = FormatItems(key, slot);
  if (!IsList(key)) return items.front();
  std::string text = "[";
  for (const std::string& item : items) StrAppend(&text, text.size() == 1 ? "" : ", ", item);
  return text + "]";
}

std::string DefaultText(const SchemaKey& key) {
  if (key.slot == nullptr || key.required) return "";
  Config config = DefaultConfig();
  UpstreamConfig upstream;
  ForwardConfig forward;
  return FormatValue(key, key.slot(Scope{&config, &upstream, &forward}));
}

std::string AcceptedText(const SchemaKey& key) {
  switch (key.type) {
    case ValueType::kNumber: {
      std::string text = StrCat(key.min, " to ", key.max);
      if (!key.zero.empty()) text = StrCat(key.zero, ", ", text);
      if (!key.unit.empty()) StrAppend(&text, " ", key.unit);
      return text;
    }
    case ValueType::kFraction:
      return StrCat(key.min, " to ", key.max);
    case ValueType::kDuration:
      return StrCat(FormatDuration(std::chrono::milliseconds(key.min)), " to ",
                    FormatDuration(std::chrono::milliseconds(key.max)));
    case ValueType::kSize:
      return StrCat(FormatSize(key.min), " to ", FormatSize(key.max));
    case ValueType::kChoice: {
      std::string text;
      for (const std::string_view choice : key.choices) StrAppend(&text, text.empty() ? "" : " | ", choice);
      return text;
    }
    default:
      return "";
  }
}

absl::StatusOr<ListenConfig> ParseListenAddress(std::string_view text) {
  if (text.starts_with("tls://")) {
    return absl::InvalidArgumentError(
        StrCat(Quote(text), ": serving DNS over TLS is not available in this version; leave it out"));
  }
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(text, 53);
  if (!endpoint.ok()) return endpoint.status();
  if (endpoint->address.IsMulticast()) {
    return absl::InvalidArgumentError(StrCat(Quote(text), " is a multicast address; one cannot serve on it"));
  }
  return ListenConfig{ListenProtocol::kDo53, *endpoint};
}

namespace {

// An address that one server can have.
absl::StatusOr<IpAddress> ParseServerAddress(std::string_view text) {
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text);
  if (address.ok() && (address->IsUnspecified() || address->IsMulticast())) {
    return absl::InvalidArgumentError(StrCat(Quote(text), " cannot be the address of one server"));
  }
  return address;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// True for "9.9.9.999", "1.1.1", "10.0.0.0/8", "2001:db8::g" and "1.1.1.l". No domain of the root begins with a digit
// (RFC 1123 §2.1), and none has one letter.
bool LooksLikeAddress(std::string_view text) {
  if (text.find_first_of(":/%") != std::string_view::npos) return true;
  while (text.ends_with('.')) text.remove_suffix(1);
  const size_t dot = text.rfind('.');
  const std::string_view last = text.substr(dot + 1);
  if (last.empty()) return false;
  if (IsDigit(last.front())) return true;
  const std::string_view before = dot == std::string_view::npos ? std::string_view() : text.substr(0, dot);
  return last.size() == 1 && !before.empty() && before.find_first_not_of("0123456789.") == std::string_view::npos;
}

// `text` without its final dot where it is a host name (RFC 1123 §2.1; "_" is in use).
absl::StatusOr<std::string> ParseHostName(std::string_view text) {
  const auto fail = [text](std::string_view why) { return absl::InvalidArgumentError(StrCat(Quote(text), why)); };
  std::string_view rest = text;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  const std::string name(rest);
  if (name.empty() || name.size() > 253) return fail(" is not a domain name of 1 to 253 octets");
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    const bool sound = std::all_of(label.begin(), label.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '-' || c == '_';
    });
    if (!sound) return fail(" is not a host name: letters, digits and \"-\" only; write IDNs in their xn-- form");
    if (label.empty() || label.size() > 63) return fail(" has a label that is empty or longer than 63 octets");
    if (label.front() == '-' || label.back() == '-') return fail(" has a label that begins or ends with \"-\"");
    if (dot == std::string_view::npos) return name;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace

absl::StatusOr<Server> ParseServer(std::string_view text) {
  if (IpAddress::Parse(text).ok()) {
    ASSIGN_OR_RETURN(const IpAddress address, ParseServerAddress(text));
    return address;
  }
  if (Endpoint::Parse(text, 53).ok()) {
    return absl::InvalidArgumentError(StrCat(Quote(text), " is not a plain IP address; the port goes into \"port\""));
  }
  if (LooksLikeAddress(text)) {
    return absl::InvalidArgumentError(StrCat(Quote(text), " is neither an IP address nor a host name"));
  }
  ASSIGN_OR_RETURN(std::string name, ParseHostName(text));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return static_cast<char>(LowerOctet(static_cast<uint8_t>(c))); });
  return name;
}

bool AddServer(Server server, ServerList* list) {
  const auto add = [](auto item, auto* items) {
    if (std::find(items->begin(), items->end(), item) != items->end()) return false;
    items->push_back(std::move(item));
    return true;
  };
  if (const IpAddress* address = std::get_if<IpAddress>(&server)) return add(*address, &list->addresses);
  return add(std::get<std::string>(std::move(server)), &list->host_names);
}

absl::StatusOr<std::string> ParseAuthName(std::string_view text) {
  constexpr std::string_view kInstead = "; write the name in the upstream's certificate, such as dns.example";
  if (text.empty()) return absl::InvalidArgumentError(StrCat(Quote(text), " is no name", kInstead));
  if (IpAddress::Parse(text).ok()) {
    return absl::InvalidArgumentError(StrCat(Quote(text), " is an IP address", kInstead));
  }
  return ParseHostName(text);
}

absl::StatusOr<NegativeAnchor> ParseNegativeAnchor(std::string_view text) {
  constexpr std::string_view kUntil = " until ";
  const size_t until = text.find(kUntil);
  NegativeAnchor anchor;
  const std::string_view zone = text.substr(0, until);
  if (zone.find(' ') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        StrCat(Quote(text), " is neither a zone nor one with an end, such as corp.example until 2027-01-31"));
  }
  ASSIGN_OR_RETURN(anchor.zone, ParseZone(zone));
  if (until == std::string_view::npos) return anchor;
  const std::string end(text.substr(until + kUntil.size()));
  for (const char* form : {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"}) {
    std::tm parts{};
    const char* const rest = strptime(end.c_str(), form, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    std::tm same = parts;
    const std::time_t seconds = timegm(&same);
    // A 31st of February is some other day by then.
    if (same.tm_mday != parts.tm_mday) break;
    anchor.end = std::chrono::system_clock::from_time_t(seconds);
    return anchor;
  }
  return absl::InvalidArgumentError(
      StrCat(Quote(end), " is no time; write a day, as 2027-01-31, or a moment in UTC, as 2027-01-31T12:00:00Z"));
}

absl::StatusOr<BootstrapConfig> ParseBootstrap(std::string_view text) {
  constexpr std::string_view kForm =
      "; write an IP address, or tls://ADDRESS#NAME, such as tls://9.9.9.9#dns.quad9.net";
  constexpr std::string_view kTlsScheme = "tls://";
  const auto fail = [&](std::string_view why) { return absl::InvalidArgumentError(StrCat(why, kForm)); };
  BootstrapConfig bootstrap;
  std::string_view server = text;
  if (text.starts_with(kTlsScheme)) {
    bootstrap.protocol = UpstreamProtocol::kTls;
    server.remove_prefix(kTlsScheme.size());
    const size_t hash = server.find('#');
    if (hash == std::string_view::npos)
      return fail(StrCat(Quote(text), ": the name in the resolver's certificate is missing"));
    absl::StatusOr<std::string> auth_name = ParseAuthName(server.substr(hash + 1));
    if (!auth_name.ok()) return fail(MessageOf(auth_name.status()));
    bootstrap.auth_name = *std::move(auth_name);
    server = server.substr(0, hash);
  }
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(server, DefaultPort(bootstrap.protocol));
  if (!endpoint.ok()) return fail(MessageOf(endpoint.status()));
  const absl::StatusOr<IpAddress> address = ParseServerAddress(endpoint->address.ToString());
  if (!address.ok()) return fail(MessageOf(address.status()));
  bootstrap.endpoint = *endpoint;
  return bootstrap;
}

}  // namespace dotward
