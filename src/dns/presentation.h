#ifndef DOTWARD_DNS_PRESENTATION_H_
#define DOTWARD_DNS_PRESENTATION_H_

#include <string>
#include <string_view>
#include <vector>

#include "dns/scan.h"
#include "dns/types.h"

namespace dotward {

// One record as people write it (RFC 1035 §5.1). What has no such form, or cannot be read, is written as RFC 3597 §5
// has it: \# 3 0a0b0c.
struct RecordText {
  Section section = Section::kAnswer;
  std::string name;
  uint32_t ttl = 0;  // as sent
  std::string klass;
  std::string type;
  std::string data;
};

// The records of a message that the scan has accepted, in their order, without OPT. For people: it costs several times
// what parsing does.
std::vector<RecordText> RecordTexts(const ScannedMessage& message);

// "answer", "authority", "additional".
std::string_view SectionToString(Section section);

// The flags of a header in dig's words and order: "qr aa tc rd ra ad cd", those that are set.
std::vector<std::string_view> FlagNames(uint16_t flags);

}  // namespace dotward

#endif  // DOTWARD_DNS_PRESENTATION_H_
