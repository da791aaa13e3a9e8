#include "app/control_tables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/strings.h"

namespace dotward {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kColumns = 100;

// --- values ---

// Text from outside without what could steer a terminal: control characters of ASCII, and those of C1 in UTF-8.
std::string Clean(std::string_view text) {
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    const bool c1 = octet == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    clean.push_back(octet < 0x20 || octet == 0x7F || c1 ? '?' : text[i]);
    if (c1) ++i;
  }
  return clean;
}

std::string Text(const Json& json, std::string_view key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? Clean(found->get<std::string>()) : std::string();
}
// Text that stands in a list.
std::string Bare(const Json& json) { return json.is_string() ? Clean(json.get<std::string>()) : std::string(); }
double Number(const Json& json, std::string_view key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : 0;
}
bool Flag(const Json& json, std::string_view key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}
const Json& List(const Json& json, std::string_view key) {
  static const Json kEmpty = Json::array();
  const auto found = json.find(key);
  return found != json.end() && found->is_array() ? *found : kEmpty;
}

const Json& Object(const Json& json, std::string_view key) {
  static const Json kEmpty = Json::object();
  const auto found = json.find(key);
  return found != json.end() && found->is_object() ? *found : kEmpty;
}

// Columns that text takes on the terminal: characters, not octets.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

// At most `columns`, the last one "…" where something is left out.
std::string Shorten(const std::string& text, size_t columns) {
  if (Width(text) <= columns) return text;
  std::string shorter;
  size_t width = 0;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
    if (begins && ++width == columns) break;
    shorter.push_back(c);
  }
  return shorter + "…";
}

// With so many digits behind the point.
std::string Fixed(double value, int digits = 0) {
  std::array<char, 400> buffer{};  // the largest double has 309 digits
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
  return error == std::errc() ? std::string(buffer.data(), end) : std::string("?");
}

// 941, 12.3k, 4.56M: at most six columns.
std::string Short(double count) {
  constexpr std::array kUnits = {"k", "M", "G", "T", "P"};
  if (count < 100'000) return Fixed(count);
  size_t unit = 0;
  count /= 1000;
  while (count >= 1000 && unit + 1 < kUnits.size()) {
    count /= 1000;
    ++unit;
  }
  return Fixed(count, count < 100 ? 1 : 0) + kUnits[unit];
}

// With a comma every three digits.
std::string Grouped(double count) {
  std::string digits = Fixed(count);
  for (size_t at = digits.size(); at > 3 + (digits[0] == '-' ? 1U : 0U);) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

// 850us, 12ms, 3.2s.
std::string Latency(double seconds) {
  if (seconds <= 0) return "-";
  if (seconds < 0.001) return StrCat(Fixed(seconds * 1e6), "us");
  if (seconds < 1) return StrCat(Fixed(seconds * 1e3), "ms");
  return StrCat(Fixed(seconds, 1), "s");
}

// 45s, 12m 5s, 3h 20m, 12d 4h.
std::string Span(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 60) return StrCat(whole, "s");
  if (whole < 3600) return StrCat(whole / 60, "m ", whole % 60, "s");
  if (whole < 86'400) return StrCat(whole / 3600, "h ", whole % 3600 / 60, "m");
  return StrCat(whole / 86'400, "d ", whole % 86'400 / 3600, "h");
}

// --- layout ---

std::string Pad(const std::string& text, size_t columns) {
  const size_t width = Width(text);
  return width < columns ? StrCat(text, std::string(columns - width, ' ')) : text;
}
std::string PadLeft(const std::string& text, size_t columns) {
  const size_t width = Width(text);
  return width < columns ? StrCat(std::string(columns - width, ' '), text) : text;
}

// `text` behind `label`, broken at blanks, its further lines below its beginning.
std::string Wrap(const std::string& label, std::string_view text) {
  const size_t indent = Width(label);
  std::string wrapped = label;
  size_t column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const bool first = column == indent;
    if (!first && column + 1 + Width(word) > kColumns) {
      StrAppend(&wrapped, "\n", std::string(indent, ' '));
      column = indent;
    } else if (!first) {
      wrapped += ' ';
      ++column;
    }
    const std::string shown = Shorten(std::string(word), kColumns - indent);
    wrapped += shown;
    column += Width(shown);
  }
  return wrapped + "\n";
}

enum class Mood : uint8_t { kPlain, kGood, kDoubtful, kBad, kStrong };

std::string Paint(const std::string& text, Mood mood, Colour colour) {
  if (colour == Colour::kNone) return text;
  switch (mood) {
    case Mood::kGood:
      return StrCat("\033[32m", text, "\033[0m");
    case Mood::kDoubtful:
      return StrCat("\033[33m", text, "\033[0m");
    case Mood::kBad:
      return StrCat("\033[31m", text, "\033[0m");
    case Mood::kStrong:
      return StrCat("\033[1m", text, "\033[0m");
    default:
      return text;
  }
}

Mood MoodOf(std::string_view state) {
  if (state == "connected" || state == "answered from the cache" || state == "answered here") return Mood::kGood;
  if (state == "failing" || state == "servfail" || state == "refused" || state == "dropped" ||
      state == "failure remembered") {
    return Mood::kBad;
  }
  return state == "connecting" ? Mood::kDoubtful : Mood::kPlain;
}

enum class Align : uint8_t { kLeft, kRight };
struct Column {
  std::string title;
  Align align = Align::kLeft;
  size_t least = 0;  // over 0: may be shortened to so many columns where the table is too wide
};

// Cells in columns of the width that they need, two blanks between them.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void Add(std::vector<std::string> cells, Mood mood = Mood::kPlain, size_t painted = 0) {
    rows_.push_back({std::move(cells), mood, painted, ""});
  }
  // What does not fit into a column of the last row, in lines of its own.
  void Note(std::string text) { rows_.back().note = std::move(text); }

  std::string ToText(Colour colour) const {
    const std::vector<size_t> widths = Widths();
    std::string text;
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    AppendRow({titles, Mood::kPlain, columns_.size(), ""}, widths, Colour::kNone, &text);
    for (const Row& row : rows_) AppendRow(row, widths, colour, &text);
    return text;
  }

 private:
  struct Row {
    std::vector<std::string> cells;
    Mood mood;
    size_t painted;  // the cell that shows the mood
    std::string note;
  };

  std::vector<size_t> Widths() const {
    std::vector<size_t> widths;
    size_t total = 2 * (columns_.size() - 1);
    for (size_t n = 0; n < columns_.size(); ++n) {
      size_t width = Width(columns_[n].title);
      for (const Row& row : rows_) width = std::max(width, Width(row.cells[n]));
      widths.push_back(width);
      total += width;
    }
    for (size_t n = columns_.size(); n-- > 0 && total > kColumns;) {
      if (columns_[n].least == 0 || widths[n] <= columns_[n].least) continue;
      const size_t less = std::min(total - kColumns, widths[n] - columns_[n].least);
      widths[n] -= less;
      total -= less;
    }
    return widths;
  }

  void AppendRow(const Row& row, const std::vector<size_t>& widths, Colour colour, std::string* text) const {
    std::string line;
    for (size_t n = 0; n < columns_.size(); ++n) {
      const std::string cell = Shorten(row.cells[n], widths[n]);
      const std::string padded = columns_[n].align == Align::kRight ? PadLeft(cell, widths[n]) : Pad(cell, widths[n]);
      line += n == row.painted ? Paint(padded, row.mood, colour) : padded;
      if (n + 1 < columns_.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    *text += line + "\n";
    if (!row.note.empty()) *text += Wrap("          ", row.note);
  }

  const std::vector<Column> columns_;
  std::vector<Row> rows_;
};

// --- replies ---

std::string RenderStatus(const Json& reply, Colour colour) {
  const bool ready = Flag(reply, "ready");
  std::string text = StrCat("dotward ", Text(reply, "version"), ", pid ", Fixed(Number(reply, "pid")), ": ",
                            Paint(ready ? "ready" : "stopping", ready ? Mood::kGood : Mood::kDoubtful, colour), "\n");
  StrAppend(&text, "up         ", Span(Number(reply, "uptime_seconds")), "\n");
  StrAppend(&text, "workers    ", Fixed(Number(reply, "workers")), "\n");
  const std::string file = Text(reply, "config_file");
  text += Wrap("config     ", file.empty() ? "built-in defaults" : file);
  std::string listening;
  for (const Json& endpoint : List(reply, "listening")) {
    StrAppend(&listening, listening.empty() ? "" : " ", Bare(endpoint));
  }
  return text + Wrap("listening  ", listening);
}

enum class Zeros : uint8_t { kShow, kLeaveOut };

// The numbers of one group of the statistics, and of the groups in it.
void AppendNumbers(const Json& group, const std::string& prefix, Zeros zeros, std::string* text) {
  constexpr size_t kNameColumns = 40;
  for (const auto& [key, value] : group.items()) {
    const std::string name = prefix + Clean(key);
    if (value.is_object()) {
      AppendNumbers(value, name + " ", zeros, text);
    } else if (value.is_number() && (zeros == Zeros::kShow || value.get<double>() != 0)) {
      const bool whole = value.is_number_integer();
      const std::string number = whole ? Grouped(value.get<double>()) : Fixed(value.get<double>(), 6);
      StrAppend(text, "  ", Pad(Shorten(name, kNameColumns), kNameColumns), "  ", PadLeft(number, 20), "\n");
    }
  }
}

// The bound of a histogram that so large a part is within.
std::string Within(const Json& bounds, double part) {
  std::string last;
  for (const auto& [bound, count] : bounds.items()) {
    last = Latency(std::strtod(bound.c_str(), nullptr));
    if (count.is_number() && count.get<double>() >= part) return StrCat("<", last);
  }
  return StrCat(">", last);
}

// One row for each source of answers that had any, instead of the buckets.
std::string DurationsTable(const Json& durations, Colour colour) {
  Table table({{.title = "  FROM", .least = 10},
               {.title = "REPLIES", .align = Align::kRight},
               {.title = "MEAN", .align = Align::kRight},
               {.title = "P50", .align = Align::kRight},
               {.title = "P95", .align = Align::kRight},
               {.title = "P99", .align = Align::kRight}});
  bool any = false;
  for (const auto& [source, histogram] : durations.items()) {
    const double count = Number(histogram, "count");
    if (count == 0) continue;
    const Json& bounds = Object(histogram, "up_to_seconds");
    table.Add({"  " + Clean(source), Grouped(count), Latency(Number(histogram, "sum_seconds") / count),
               Within(bounds, count * 0.5), Within(bounds, count * 0.95), Within(bounds, count * 0.99)});
    any = true;
  }
  return any ? table.ToText(colour) : "";
}

// What is always looked for is shown whole; of the rest what there was.
std::string RenderStats(const Json& reply, Colour colour) {
  std::string text = StrCat("dotward ", Text(reply, "version"), ", up ", Span(Number(reply, "uptime_seconds")), "\n");
  for (const auto& [key, value] : reply.items()) {
    if (!value.is_object()) continue;
    std::string numbers;
    if (key == "durations") {
      numbers = DurationsTable(value, colour);
    } else {
      AppendNumbers(value, "", key == "cache" || key == "queries" ? Zeros::kShow : Zeros::kLeaveOut, &numbers);
    }
    if (!numbers.empty()) StrAppend(&text, "\n", Paint(Clean(key), Mood::kStrong, colour), "\n", numbers);
  }
  return text + "\nOf the other groups, what is zero is left out; --json has everything.\n";
}

// Without the port where it is the usual one.
std::string ShortAddress(const std::string& address, const std::string& protocol) {
  const std::string usual = protocol == "tls" ? ":853" : ":53";
  if (!address.ends_with(usual)) return address;
  std::string host = address.substr(0, address.size() - usual.size());
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return host;
}

std::string RenderUpstreams(const Json& reply, Colour colour) {
  Table table({{.title = "NAME", .least = 8},
               {.title = "ADDRESS", .least = 12},
               {.title = "STATE"},
               {.title = "CONN", .align = Align::kRight},
               {.title = "WAIT", .align = Align::kRight},
               {.title = "QUERIES", .align = Align::kRight},
               {.title = "FAILED", .align = Align::kRight},
               {.title = "P50", .align = Align::kRight},
               {.title = "P95", .align = Align::kRight},
               {.title = "TLS"},
               {.title = "RESUMED", .align = Align::kRight},
               {.title = "IDLE", .align = Align::kRight}});
  std::string errors;
  for (const Json& server : List(reply, "upstreams")) {
    const std::string protocol = Text(server, "protocol");
    const std::string state = Text(server, "state");
    const std::string tls = Text(server, "tls_version");
    const double resumed = Number(server, "handshakes_resumed");
    const double idle = Number(server, "idle_limit_seconds");
    const std::string address = ShortAddress(Text(server, "address"), protocol);
    table.Add(
        {Text(server, "name"), address, state, Short(Number(server, "connections")), Short(Number(server, "in_flight")),
         Short(Number(server, "queries")), Short(Number(server, "failed")),
         Latency(Number(server, "latency_p50_microseconds") / 1e6),
         Latency(Number(server, "latency_p95_microseconds") / 1e6),
         protocol == "tls" ? (tls.empty() ? "-" : tls) : protocol,
         protocol == "tls" ? StrCat(Short(resumed), "/", Short(resumed + Number(server, "handshakes_full"))) : "-",
         idle > 0 ? StrCat(Fixed(idle), "s") : "-"},
        MoodOf(state), 2);
    const std::string error = Text(server, "last_error");
    if (state == "failing" && !error.empty()) errors += Wrap("  ", error);
  }
  return table.ToText(colour) + (errors.empty() ? "" : "\nlast errors\n" + errors);
}

// "2", and what was done besides: "3 h1 a2" for one hedge among three servers and two questions that were sent again.
std::string Asked(const Json& query) {
  const auto extra = [&query](std::string_view key, std::string_view sign) {
    const double count = Number(query, key);
    return count > 0 ? StrCat(" ", sign, Fixed(count)) : std::string();
  };
  return StrCat(Fixed(Number(query, "servers_asked")), extra("hedges", "h"), extra("sent_again", "a"));
}

std::string RenderSlow(const Json& reply, Colour colour) {
  Table table({{.title = "TIME"},
               {.title = "TOOK", .align = Align::kRight},
               {.title = "CONN", .align = Align::kRight},
               {.title = "ANSWER", .align = Align::kRight},
               {.title = "ASKED", .least = 5},
               {.title = "RCODE", .least = 8},
               {.title = "TYPE", .least = 5},
               {.title = "NAME", .least = 15},
               {.title = "CLIENT", .least = 9},
               {.title = "FROM", .least = 15}});
  for (const Json& query : List(reply, "queries")) {
    const std::string rcode = Text(query, "rcode");
    const std::string time = Text(query, "time");
    table.Add({time.size() > 19 ? time.substr(11, 8) : time, Latency(Number(query, "seconds")),
               Latency(Number(query, "connection_seconds")), Latency(Number(query, "answer_seconds")), Asked(query),
               rcode, Text(query, "type"), Text(query, "name"), Text(query, "client"), Text(query, "upstream")},
              rcode == "SERVFAIL" ? Mood::kBad : Mood::kPlain, 5);
    if (const std::string reason = Text(query, "reason"); !reason.empty()) table.Note(StrCat("EDE ", reason));
  }
  const double seen = Number(reply, "seen");
  return table.ToText(colour) + StrCat(Fixed(seen),
                                       " since the start took over half a second or failed; these are the last ",
                                       List(reply, "queries").size(), "\n");
}

std::string RecordLine(const Json& record) {
  return StrCat(Text(record, "name"), " ", Fixed(Number(record, "ttl")), " ", Text(record, "class"), " ",
                Text(record, "type"), " ", Text(record, "data"));
}

std::string Errors(const Json& reply, const std::string& lead) {
  std::string text;
  for (const Json& error : List(reply, "extended_errors")) {
    const std::string what = Text(error, "text");
    text += Wrap(StrCat(lead, "EDE ", Fixed(Number(error, "code")), what.empty() ? "" : ": "), what);
  }
  return text;
}

// Why something is bogus, where it is.
std::string Reason(const Json& reply, const std::string& lead) {
  const std::string reason = Text(reply, "reason");
  return reason.empty() ? "" : Wrap(StrCat(lead, "EDE ", Fixed(Number(reply, "reason_code")), ": "), reason);
}

// What an entry is, without its name and type.
std::string Describe(const Json& entry) {
  const double ttl = Number(entry, "ttl_seconds");
  std::string text = Flag(entry, "expired") ? "expired" : StrCat(Span(ttl), " left");
  StrAppend(&text, " of ", Span(Number(entry, "lifetime_seconds")), ", ", Span(Number(entry, "age_seconds")), " old, ",
            Text(entry, "rcode"));
  if (Text(entry, "kind") != Text(entry, "rcode")) StrAppend(&text, " ", Text(entry, "kind"));
  if (const std::string verdict = Text(entry, "verdict"); !verdict.empty()) StrAppend(&text, ", ", verdict);
  const std::string upstream = Text(entry, "upstream");
  if (!upstream.empty()) StrAppend(&text, ", from ", upstream);
  if (const std::string server = Text(entry, "server"); !server.empty()) StrAppend(&text, " ", server);
  std::string flags;
  for (const auto& [key, name] : {std::pair("dnssec_ok", "DO"), std::pair("checking_disabled", "CD"),
                                  std::pair("authentic_data", "AD"), std::pair("every_type", "every type")}) {
    if (Flag(entry, key)) StrAppend(&flags, flags.empty() ? "" : " ", name);
  }
  if (!flags.empty()) StrAppend(&text, ", ", flags);
  return text;
}

std::string RenderEntry(const Json& entry, Colour colour) {
  const std::string who = StrCat(Text(entry, "name"), " ", Text(entry, "type"));
  std::string text = StrCat(Paint(Shorten(who, kColumns), Mood::kStrong, colour), "\n", Wrap("  ", Describe(entry)));
  for (const Json& record : List(entry, "records")) StrAppend(&text, "    ", RecordLine(record), "\n");
  return text + Reason(entry, "    ") + Errors(entry, "    ");
}

// One line an entry: its name gives way.
std::string RenderEntryLine(const Json& entry) {
  constexpr size_t kNameLeast = 20;
  constexpr size_t kGaps = 4;
  const std::string type = Shorten(Text(entry, "type"), 12);
  const std::string rest = Shorten(Describe(entry), kColumns - kNameLeast - kGaps - Width(type));
  const size_t room = kColumns - kGaps - Width(type) - Width(rest);
  return StrCat(Shorten(Text(entry, "name"), room), " ", type, "  ", rest, "\n");
}

std::string Plural(double count, std::string_view one, std::string_view many) {
  return StrCat(Grouped(count), " ", count == 1 ? one : many);
}

std::string RenderWhyPolicy(const Json& policy) {
  std::string text = Wrap("policy     ", Text(policy, "verdict") == "proceed"
                                             ? "proceeds to the cache and the upstreams"
                                             : StrCat(Text(policy, "verdict"), " ", Text(policy, "rcode")));
  for (const Json& record : List(policy, "records")) StrAppend(&text, "           ", RecordLine(record), "\n");
  return text + Errors(policy, "           ");
}

std::string RenderWhyRoute(const Json& reply, Colour colour) {
  const auto route = reply.find("route");
  if (route == reply.end() || !route->is_object()) return "route      none has this name\n";
  std::string text = Wrap("route      ", StrCat("zone ", Text(*route, "zone"), ", policy ", Text(*route, "policy"),
                                                Flag(*route, "hedge") ? ", hedged" : ""));
  const std::string error = Text(*route, "error");
  if (!error.empty()) text += Wrap("           ", error);
  for (const Json& upstream : List(*route, "upstreams")) {
    for (const Json& server : List(upstream, "servers")) {
      const std::string state = Text(server, "state");
      StrAppend(&text, "           ", Pad(Shorten(Text(upstream, "name"), 20), 20), "  ",
                Pad(Shorten(ShortAddress(Text(server, "address"), Text(server, "protocol")), 28), 28), "  ",
                Pad(Text(server, "protocol"), 3), "  ", Paint(state, MoodOf(state), colour),
                Number(server, "latency_p50_seconds") > 0
                    ? StrCat(", p50 ", Latency(Number(server, "latency_p50_seconds")))
                    : "",
                "\n");
      if (state == "failing") text += Wrap("             ", Text(server, "last_error"));
    }
  }
  return text;
}

std::string RenderWhyFailure(const Json& reply) {
  const auto failure = reply.find("failure");
  if (failure == reply.end() || !failure->is_object()) return "";
  const double wait = Number(*failure, "asked_again_seconds");
  std::string text =
      Wrap("failure    ",
           StrCat(Text(*failure, "rcode"), ", failed ", Plural(Number(*failure, "in_a_row"), "time", "times in a row"),
                  ", asked again ", wait > 0 ? StrCat("in ", Span(std::ceil(wait))) : "at once"));
  return text + Errors(*failure, "           ");
}

// The end of the chain, an RRset after the other.
std::string RenderWhyAnswer(const Json& chain) {
  const Json& answer = Object(chain, "answer");
  const std::string verdict = Text(answer, "verdict");
  if (verdict.empty()) return Wrap("answer     ", "not known: it was not asked for lately");
  const bool without = verdict == "secure" && !Flag(answer, "has_signatures");
  std::string text = Wrap("answer     ", StrCat(verdict, without ? ", kept without its signatures" : ""));
  text += Reason(answer, "           ");
  for (const Json& rrset : List(answer, "rrsets")) {
    std::string line = StrCat(Text(rrset, "name"), " ", Text(rrset, "type"), " ", Text(rrset, "verdict"));
    std::string_view lead = ": signed by";
    for (const Json& signature : List(rrset, "signatures")) {
      StrAppend(&line, lead, " key ", Fixed(Number(signature, "key_tag")), " ", Text(signature, "algorithm"), " of ",
                Text(signature, "signer"), " from ", Text(signature, "signed_from"), " until ",
                Text(signature, "signed_until"));
      lead = "; and by";
    }
    text += Wrap("           ", line);
  }
  return text;
}

// The chain of trust, a line a zone.
std::string RenderWhyChain(const Json& reply) {
  const auto chain = reply.find("chain_of_trust");
  if (chain == reply.end() || !chain->is_object()) return "";
  if (const std::string zone = Text(*chain, "negative_trust_anchor"); !zone.empty()) {
    return Wrap("trust      ", StrCat("not validated: ", zone, " has a negative trust anchor")) +
           RenderWhyAnswer(*chain);
  }
  const auto anchor = chain->find("trust_anchor");
  if (anchor == chain->end() || !anchor->is_object()) {
    return Wrap("trust      ", "no trust anchor is above the name") + RenderWhyAnswer(*chain);
  }
  std::string tags;
  for (const Json& tag : List(*anchor, "key_tags")) {
    if (tag.is_number()) StrAppend(&tags, tags.empty() ? "" : ", ", Fixed(tag.get<double>()));
  }
  std::string text = Wrap("trust      ", StrCat("anchor ", Text(*anchor, "zone"), " keys ", tags));
  for (const Json& zone : List(*chain, "zones")) {
    std::string line = StrCat(Text(zone, "zone"), " ", Text(zone, "verdict"));
    if (const std::string algorithm = Text(zone, "algorithm"); !algorithm.empty()) {
      StrAppend(&line, " by key ", Fixed(Number(zone, "key_tag")), " ", algorithm, ", signed until ",
                Text(zone, "signed_until"));
    }
    if (const std::string reason = Text(zone, "reason"); !reason.empty()) StrAppend(&line, ": ", reason);
    text += Wrap("           ", line);
  }
  if (List(*chain, "zones").empty()) text += Wrap("           ", "nothing else is known of the way down yet");
  return text + RenderWhyAnswer(*chain);
}

std::string RenderWhy(const Json& reply, Colour colour) {
  const std::string outcome = Text(reply, "outcome");
  const std::string who = Shorten(StrCat(Text(reply, "name"), " ", Text(reply, "type")), kColumns - 30);
  std::string text = StrCat(who, ": ", Paint(outcome, MoodOf(outcome), colour), "\n");
  if (reply.contains("policy")) text += RenderWhyPolicy(reply["policy"]);
  if (List(reply, "cache").empty()) text += "cache      nothing\n";
  for (const Json& entry : List(reply, "cache")) {
    const std::string name = Text(entry, "name");
    text += Wrap("cache      ", StrCat(name == Text(reply, "name") ? "" : StrCat(name, ": "), Describe(entry)));
    for (const Json& record : List(entry, "records")) StrAppend(&text, "           ", RecordLine(record), "\n");
    text += Errors(entry, "           ");
  }
  const auto stale_after = reply.find("stale_after_seconds");
  if (stale_after != reply.end() && stale_after->is_number()) {
    text += Wrap("stale      ", StrCat("what has expired is given where nothing better comes within ",
                                       Latency(stale_after->get<double>())));
  }
  return text + RenderWhyFailure(reply) + RenderWhyChain(reply) + RenderWhyRoute(reply, colour);
}

std::string RenderReload(const Json& reply, Colour colour) {
  std::string text;
  for (const std::string_view list : {"errors", "warnings"}) {
    for (const Json& error : List(reply, list)) StrAppend(&text, Text(error, "text"), "\n");
  }
  for (const Json& key : List(reply, "needs_restart")) text += Wrap("needs a restart: ", Bare(key));
  const bool accepted = Flag(reply, "accepted");
  return text +
         (accepted ? Paint("reloaded", Mood::kGood, colour)
                   : Paint("refused: what served before serves on", Mood::kBad, colour)) +
         "\n";
}

// As dig has it, with what dig cannot know.
std::string RenderQuery(const Json& reply) {
  std::string flags;
  for (const Json& flag : List(reply, "flags")) StrAppend(&flags, " ", Bare(flag));
  std::string text = StrCat(";; status: ", Text(reply, "rcode"), ", flags:", flags, "\n");
  text += Errors(reply, ";; ");
  StrAppend(&text, ";; QUESTION\n;", Text(reply, "name"), " IN ", Text(reply, "type"), "\n");
  std::string section;
  for (const Json& record : List(reply, "records")) {
    if (Text(record, "section") != section) {
      section = Text(record, "section");
      std::string title = section;
      std::transform(title.begin(), title.end(), title.begin(), [](char c) { return static_cast<char>(c & ~0x20); });
      StrAppend(&text, ";; ", title, "\n");
    }
    StrAppend(&text, RecordLine(record), "\n");
  }
  return text + Wrap(";; ", StrCat("from ", Text(reply, "upstream"),
                                   Flag(reply, "authenticated") ? " over TLS, its identity checked" : ", in the clear",
                                   ", in ", Latency(Number(reply, "seconds")), ", ", Fixed(Number(reply, "octets")),
                                   " octets"));
}

}  // namespace

std::string ControlTables::ToText(std::string_view line) {
  const Json reply = Json::parse(line.begin(), line.end(), nullptr, false);
  if (!reply.is_object()) return {};
  switch (request_.command) {
    case ControlCommand::kStatus:
      return RenderStatus(reply, colour_);
    case ControlCommand::kStats:
      return RenderStats(reply, colour_);
    case ControlCommand::kUpstreams:
      return RenderUpstreams(reply, colour_);
    case ControlCommand::kSlow:
      return RenderSlow(reply, colour_);
    case ControlCommand::kCacheLookup:
      if (!reply.contains("end")) return ++entries_, RenderEntry(reply, colour_);
      return entries_ == 0 ? "the cache has nothing of this\n" : "";
    case ControlCommand::kCacheDump:
      if (!reply.contains("end")) return RenderEntryLine(reply);
      return Plural(Number(reply, "entries"), "entry", "entries") + "\n";
    case ControlCommand::kCacheFlush:
      return Plural(Number(reply, "flushed"), "entry removed", "entries removed") + "\n";
    case ControlCommand::kWhy:
      return RenderWhy(reply, colour_);
    case ControlCommand::kReload:
      return RenderReload(reply, colour_);
    case ControlCommand::kQuery:
      return RenderQuery(reply);
    case ControlCommand::kHealth:
      break;
  }
  return {};
}

}  // namespace dotward
