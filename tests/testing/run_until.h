#ifndef DOTWARD_TESTS_TESTING_RUN_UNTIL_H_
#define DOTWARD_TESTS_TESTING_RUN_UNTIL_H_

#include <asio/io_context.hpp>
#include <chrono>

namespace dotward {

// A guard against tests that hang, and no part of any claim.
inline constexpr std::chrono::seconds kTestPatience{30};

// Runs the loop until `done` is true; false where it did not become so.
template <typename Predicate>
[[nodiscard]] bool RunUntil(asio::io_context& loop, Predicate done) {
  const auto give_up = std::chrono::steady_clock::now() + kTestPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    if (loop.stopped()) loop.restart();
    // Others have threads of their own, so that it can become true without an event here.
    loop.run_one_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace dotward

#endif  // DOTWARD_TESTS_TESTING_RUN_UNTIL_H_
