#ifndef DOTWARD_DNS_ANSWER_ORIGIN_H_
#define DOTWARD_DNS_ANSWER_ORIGIN_H_

#include <concepts>
#include <cstdint>
#include <string_view>

namespace dotward {

// Who gave an answer: an upstream, by its name in the configuration, and the server of it that was asked. A value of
// two octets, since every cached answer has one: the texts are kept once in the process, for as long as it runs.
// Upstreams and their addresses are few; where there have been more than a table of 4,096 holds, those that come later
// are told without their server, and at the end without their name. Thread-safe; reading takes no lock.
class AnswerOrigin {
 public:
  constexpr AnswerOrigin() = default;  // nobody: an answer of our own
  // `server` is text such as "9.9.9.9:853"; at most 255 octets of each are kept.
  template <std::convertible_to<std::string_view> Text>
  AnswerOrigin(const Text& upstream, std::string_view server = {})  // NOLINT: a name alone is an origin
      : number_(NumberOf(upstream, server)) {}

  std::string_view upstream() const;
  std::string_view server() const;
  friend bool operator==(AnswerOrigin, AnswerOrigin) = default;

 private:
  static uint16_t NumberOf(std::string_view upstream, std::string_view server);

  uint16_t number_ = 0;
};

}  // namespace dotward

#endif  // DOTWARD_DNS_ANSWER_ORIGIN_H_
