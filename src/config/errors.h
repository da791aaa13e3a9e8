#ifndef DOTWARD_CONFIG_ERRORS_H_
#define DOTWARD_CONFIG_ERRORS_H_

#include <map>
#include <string>
#include <vector>

#include "config/text.h"
#include "dotward/config.h"

namespace dotward {

// Collects what is wrong with a configuration, found in any order, and gives it in the order of its texts. Keeps the
// first Limits::kConfigErrorsMax places alone, however many are added.
class ErrorList {
 public:
  // `sources` are the texts that positions are about; they must outlive it.
  explicit ErrorList(const std::vector<ConfigText>& sources) : sources_(sources) {}

  void Add(Position position, std::string path, std::string message);
  bool empty() const { return errors_.empty(); }
  // The errors. Where some had to be dropped, the last says so.
  std::vector<ConfigError> Take();

  // How a message at `reader` refers to `position`: "line 5", or "FILE, line 5" where that is another text.
  std::string Refer(Position position, Position reader) const;

 private:
  const ConfigText& SourceOf(Position position) const { return sources_[static_cast<size_t>(position.source)]; }

  const std::vector<ConfigText>& sources_;
  struct Entry {
    std::string path;
    std::string message;
  };
  std::multimap<Position, Entry> errors_;
  bool dropped_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_CONFIG_ERRORS_H_
