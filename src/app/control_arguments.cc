#include "app/control_arguments.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "dns/types.h"

namespace dotward {
namespace {

// One subcommand, by its words; what it takes beside --socket, --config and --json.
struct Subcommand {
  std::string_view words;
  ControlCommand command;
  std::string_view usage;  // of what follows the words
  bool has_name = false;
  bool has_type = false;
  bool has_flags = false;
  bool has_scope = false;
  bool has_upstream = false;
};
constexpr std::array kSubcommands = {
    Subcommand{.words = "status", .command = ControlCommand::kStatus, .usage = ""},
    Subcommand{.words = "stats", .command = ControlCommand::kStats, .usage = ""},
    Subcommand{.words = "upstreams", .command = ControlCommand::kUpstreams, .usage = ""},
    Subcommand{.words = "slow", .command = ControlCommand::kSlow, .usage = ""},
    Subcommand{.words = "cache lookup",
               .command = ControlCommand::kCacheLookup,
               .usage = " NAME [TYPE] [--do] [--cd]",
               .has_name = true,
               .has_type = true,
               .has_flags = true},
    Subcommand{.words = "cache dump", .command = ControlCommand::kCacheDump, .usage = ""},
    Subcommand{.words = "cache flush",
               .command = ControlCommand::kCacheFlush,
               .usage = " NAME | --zone NAME | --all",
               .has_name = true,
               .has_scope = true},
    Subcommand{
        .words = "why", .command = ControlCommand::kWhy, .usage = " NAME [TYPE]", .has_name = true, .has_type = true},
    Subcommand{.words = "reload", .command = ControlCommand::kReload, .usage = ""},
    Subcommand{.words = "query",
               .command = ControlCommand::kQuery,
               .usage = " NAME [TYPE] [--upstream NAME] [--do] [--cd]",
               .has_name = true,
               .has_type = true,
               .has_flags = true,
               .has_upstream = true},
};

absl::Status UsageError(std::string_view what) {
  return absl::InvalidArgumentError(StrCat(what, "; \"dotward help\" lists what there is"));
}

bool IsOneWord(const Subcommand& subcommand) { return subcommand.words.find(' ') == std::string_view::npos; }

const Subcommand* FindSubcommand(std::string_view words) {
  const auto found =
      std::find_if(kSubcommands.begin(), kSubcommands.end(), [words](const auto& s) { return s.words == words; });
  return found == kSubcommands.end() ? nullptr : &*found;
}

// What is read from left to right.
class Reader {
 public:
  Reader(const Subcommand& subcommand, std::span<const std::string> rest) : subcommand_(subcommand), rest_(rest) {
    parsed_.command = Command::kControl;
    parsed_.control.command = subcommand.command;
  }

  absl::StatusOr<CommandLine> Read() {
    while (!rest_.empty()) {
      const std::string argument = rest_.front();
      rest_ = rest_.subspan(1);
      RETURN_IF_ERROR(argument.starts_with("--") ? Option(argument) : Operand(argument));
    }
    const bool wants_name = subcommand_.has_name && parsed_.control.flush != FlushScope::kAll;
    if (wants_name != has_name_) return Usage();
    return std::move(parsed_);
  }

 private:
  absl::Status Usage() const { return UsageError(StrCat("usage: dotward ", subcommand_.words, subcommand_.usage)); }

  absl::Status Operand(const std::string& text) {
    if (subcommand_.has_name && !has_name_) return ReadName(text);
    if (!subcommand_.has_type || parsed_.control.type) return Usage();
    parsed_.control.type = ParseType(text);
    if (parsed_.control.type) return absl::OkStatus();
    return UsageError(StrCat("\"", text, "\" is not a record type such as AAAA or TYPE65280"));
  }

  absl::Status ReadName(const std::string& text) {
    ASSIGN_OR_RETURN(parsed_.control.name, Name::Parse(text));
    has_name_ = true;
    return absl::OkStatus();
  }

  absl::Status Option(const std::string& argument) {
    const size_t equals = argument.find('=');
    const std::string option = argument.substr(0, equals);
    if (equals == std::string::npos) {
      if (option == "--json") return Set(true, &parsed_.json);
      if (option == "--do") return Set(subcommand_.has_flags, &parsed_.control.dnssec_ok);
      if (option == "--cd") return Set(subcommand_.has_flags, &parsed_.control.checking_disabled);
      if (option == "--all" && subcommand_.has_scope && !has_name_) {
        parsed_.control.flush = FlushScope::kAll;
        return absl::OkStatus();
      }
    }
    if (option == "--socket") return Value(option, argument, equals, &parsed_.socket);
    if (option == "--config") return Value(option, argument, equals, &parsed_.config_file);
    if (option == "--upstream" && subcommand_.has_upstream) {
      return Value(option, argument, equals, &parsed_.control.upstream);
    }
    if (option == "--zone" && subcommand_.has_scope && !has_name_) {
      std::string zone;
      RETURN_IF_ERROR(Value(option, argument, equals, &zone));
      parsed_.control.flush = FlushScope::kZone;
      return ReadName(zone);
    }
    if (option == "--set") {
      RETURN_IF_ERROR(Value(option, argument, equals, &parsed_.settings.emplace_back()));
      return absl::OkStatus();
    }
    return UsageError(StrCat("\"dotward ", subcommand_.words, "\" takes no \"", argument, "\""));
  }

  absl::Status Set(bool allowed, bool* target) const {
    *target = true;
    return allowed ? absl::OkStatus() : Usage();
  }

  absl::Status Value(const std::string& option, const std::string& argument, size_t equals, std::string* target) {
    if (equals != std::string::npos) {
      *target = argument.substr(equals + 1);
    } else if (!rest_.empty()) {
      *target = rest_.front();
      rest_ = rest_.subspan(1);
    }
    return target->empty() ? UsageError(StrCat(option, " needs a value")) : absl::OkStatus();
  }

  const Subcommand& subcommand_;
  std::span<const std::string> rest_;
  CommandLine parsed_;
  bool has_name_ = false;
};

}  // namespace

bool IsControlWord(std::string_view word) {
  return std::any_of(kSubcommands.begin(), kSubcommands.end(),
                     [word](const auto& s) { return s.words.substr(0, s.words.find(' ')) == word; });
}

absl::StatusOr<CommandLine> ParseControlArguments(std::span<const std::string> arguments) {
  const Subcommand* subcommand = FindSubcommand(arguments[0]);
  if (subcommand == nullptr && arguments.size() > 1) {
    subcommand = FindSubcommand(StrCat(arguments[0], " ", arguments[1]));
  }
  if (subcommand == nullptr) {
    std::string choices;
    for (const Subcommand& other : kSubcommands) {
      if (other.words.starts_with(arguments[0] + " ")) {
        StrAppend(&choices, choices.empty() ? "" : " | ", "dotward ", other.words, other.usage);
      }
    }
    return UsageError(StrCat("usage: ", choices));
  }
  return Reader(*subcommand, arguments.subspan(IsOneWord(*subcommand) ? 1 : 2)).Read();
}

}  // namespace dotward
