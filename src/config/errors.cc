#include "config/errors.h"

#include <iterator>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {

void ErrorList::Add(Position position, std::string path, std::string message) {
  errors_.emplace(position, Entry{std::move(path), std::move(message)});
  if (errors_.size() > Limits::kConfigErrorsMax) {
    errors_.erase(std::prev(errors_.end()));
    dropped_ = true;
  }
}

std::vector<ConfigError> ErrorList::Take(std::string_view text, const std::string& file) {
  std::vector<ConfigError> errors;
  for (auto& [position, entry] : errors_) {
    const int column = position.line == 0 ? 0 : CharacterColumn(text, position);
    errors.push_back({file, position.line, column, std::move(entry.path), std::move(entry.message)});
  }
  if (dropped_) {
    errors.back() = {file, 0, 0, "", StrCat("there are more errors; these are the first ", errors.size() - 1)};
  }
  errors_.clear();
  return errors;
}

std::string ConfigError::ToString() const {
  std::string text = file;
  if (line > 0) StrAppend(&text, ":", line, ":", column);
  if (!path.empty()) StrAppend(&text, ": ", path);
  if (severity == Severity::kWarning) text += ": warning";
  return StrCat(text, ": ", message);
}

}  // namespace dotward
