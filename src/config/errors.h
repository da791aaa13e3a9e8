#ifndef DOTWARD_CONFIG_ERRORS_H_
#define DOTWARD_CONFIG_ERRORS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/text.h"
#include "dotward/config.h"

namespace dotward {

// Collects what is wrong with a file, found in any order, and gives it in the order of the file. Keeps the first
// Limits::kConfigErrorsMax places alone, however many are added.
class ErrorList {
 public:
  void Add(Position position, std::string path, std::string message);
  bool empty() const { return errors_.empty(); }
  // The errors of `text`, which `file` names. Where some had to be dropped, the last says so.
  std::vector<ConfigError> Take(std::string_view text, const std::string& file);

 private:
  struct Entry {
    std::string path;
    std::string message;
  };
  std::multimap<Position, Entry> errors_;
  bool dropped_ = false;
};

}  // namespace dotward

#endif  // DOTWARD_CONFIG_ERRORS_H_
