#include "upstream/random_ids.h"

#include <absl/base/internal/raw_logging.h>
#include <sys/random.h>

#include <cerrno>

namespace dotward {

void RandomIds::Refill() {
  ssize_t octets = 0;
  do {
    octets = getrandom(numbers_.data(), sizeof(numbers_), 0);
  } while (octets < 0 && errno == EINTR);
  // Only a kernel without the call can fail here, and then no ID would be safe to send.
  ABSL_RAW_CHECK(octets == ssize_t{sizeof(numbers_)}, "the kernel gives no random numbers");
  used_ = 0;
}

}  // namespace dotward
