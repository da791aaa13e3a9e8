#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "dotward/config.h"

// Any text is either refused with at least one error, or read; what was read is printed as a text that reads as the
// same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(data, data + size);
  const dotward::ConfigResult result = dotward::ParseConfig(text, "fuzz");
  if (result.ok() != result.errors.empty()) std::abort();
  if (!result.ok()) return 0;
  const std::string printed = dotward::PrintConfig(*result.config);
  const dotward::ConfigResult again = dotward::ParseConfig(printed, "printed");
  if (!again.ok() || dotward::PrintConfig(*again.config) != printed) std::abort();
  return 0;
}
