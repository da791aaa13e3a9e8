// Property: whatever octets come, the reader of the control socket gives an error or a request; and a request that it
// gives is written as a line that it reads as the same request.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "admin/control_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<dotward::ControlRequest> request =
      dotward::ParseControlRequest(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!request.ok()) {
    if (request.status().message().empty() || request.status().message().size() > 1000) std::abort();
    return 0;
  }
  const std::string line = dotward::RenderControlRequest(*request);
  if (line.find('\n') != std::string::npos) std::abort();
  const absl::StatusOr<dotward::ControlRequest> again = dotward::ParseControlRequest(line);
  if (!again.ok() || !(*again == *request)) std::abort();
  return 0;
}
