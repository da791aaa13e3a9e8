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

std::vector<ConfigError> ErrorList::Take() {
  std::vector<ConfigError> errors;
  for (auto& [position, entry] : errors_) {
    const ConfigText& source = SourceOf(position);
    const int column = position.line == 0 ? 0 : CharacterColumn(source.text, position);
    errors.push_back({source.file, position.line, column, std::move(entry.path), std::move(entry.message)});
  }
  if (dropped_) {
    errors.back() = {sources_.front().file, 0, 0, "",
                     StrCat("there are more errors; these are the first ", errors.size() - 1)};
  }
  errors_.clear();
  return errors;
}

std::string ErrorList::Refer(Position position, Position reader) const {
  const std::string line = position.line == 0 ? "" : StrCat("line ", position.line);
  if (position.source == reader.source) return line;
  return StrCat(SourceOf(position).file, line.empty() ? "" : ", ", line);
}

std::string ConfigError::ToString() const {
  std::string text = file;
  if (line > 0) StrAppend(&text, ":", line, ":", column);
  if (!path.empty()) StrAppend(&text, ": ", path);
  if (severity == Severity::kWarning) text += ": warning";
  return StrCat(text, ": ", message);
}

}  // namespace dotward
