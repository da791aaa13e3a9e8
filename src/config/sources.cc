#include "config/sources.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr std::string_view kDropInFolder = "dotward.d";
constexpr std::string_view kDropInExtension = ".yaml";

std::string CannotBeRead(std::string_view why) { return StrCat("cannot be read: ", why); }

// Appends at most `octets_max` octets and one more, so that ParseConfig sees that there is too much. Returns what went
// wrong, or "".
std::string ReadFile(const std::string& file, size_t octets_max, std::string* text) {
  const auto fail = [] { return CannotBeRead(std::strerror(errno)); };
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return fail();
  std::string problem;
  std::array<char, 65536> buffer;
  while (text->size() <= octets_max) {
    const ssize_t octets = read(descriptor, buffer.data(), std::min(buffer.size(), octets_max + 1 - text->size()));
    if (octets < 0 && errno == EINTR) continue;
    if (octets < 0) problem = fail();
    if (octets <= 0) break;
    text->append(buffer.data(), static_cast<size_t>(octets));
  }
  close(descriptor);
  return problem;
}

// The drop-in files beside `file`, sorted. A folder that is not there has none.
std::vector<std::string> FindDropIns(const std::string& file, std::vector<ConfigError>* errors) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path() / kDropInFolder;
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    // An editor's or a package manager's leavings end otherwise, or begin with a dot.
    if (!name.starts_with('.') && name.ends_with(kDropInExtension)) names.push_back(entry->path());
    if (names.size() <= Limits::kConfigDropInsMax) continue;
    errors->push_back({folder, 0, 0, "", StrCat("has more than ", Limits::kConfigDropInsMax, " drop-in files")});
    return {};
  }
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory) {
    errors->push_back({folder, 0, 0, "", CannotBeRead(error.message())});
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Sources ReadSources(const std::string& file, MainFile main_file) {
  Sources sources;
  std::vector<std::string> files;
  if (main_file == MainFile::kRequired) files.push_back(file);
  for (std::string& drop_in : FindDropIns(file, &sources.errors)) files.push_back(std::move(drop_in));
  size_t octets = 0;
  for (const std::string& name : files) {
    if (octets > Limits::kConfigOctetsMax) break;  // which is an error already
    ConfigText& text = sources.texts.emplace_back(ConfigText{name, ""});
    const std::string problem = ReadFile(name, Limits::kConfigOctetsMax - octets, &text.text);
    if (!problem.empty()) sources.errors.push_back({name, 0, 0, "", problem});
    octets += text.text.size();
  }
  return sources;
}

}  // namespace dotward
