#ifndef DOTWARD_DNSSEC_DNSSEC_LIMITS_H_
#define DOTWARD_DNSSEC_DNSSEC_LIMITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dotward {

// How much work an answer can make for us, whatever it holds (CVE-2023-50387, CVE-2023-50868). A test reaches each.
struct DnssecLimits {
  // --- trust anchors ---
  static constexpr size_t kAnchorFileOctetsMax = size_t{1} << 20;
  static constexpr size_t kAnchorsMax = 256;
  static constexpr std::chrono::hours kNewKeyHoldDown{24 * 30};  // RFC 5011 §2.4.1
  static constexpr std::chrono::seconds kAnchorFirstLook{60};
  static constexpr std::chrono::hours kAnchorLookOftenest{1};  // RFC 5011 §2.3
  static constexpr std::chrono::hours kAnchorLookRarest{24 * 15};

  // --- one response ---
  // An honest answer needs one check for each of its RRsets: a chain of aliases, data, SOA, three proofs.
  static constexpr unsigned kSignatureChecksPerResponse = 16;
  // And what they take by estimate: a response must not keep the checks of others waiting for longer. Eight of
  // P-384: three aliases, a denial with NSEC3 and its SOA, and one more.
  static constexpr unsigned kCheckMicrosecondsPerResponse = 6'900;
  // Keys of one zone with the tag and algorithm of one signature. Two are an accident, of which the first was right.
  static constexpr unsigned kKeyTagCollisionsMax = 4;
  static constexpr size_t kSignaturesPerRrsetMax = 8;  // looked at; two algorithms in a rollover make four
  static constexpr size_t kSignersPerRrsetMax = 4;     // zones that are looked for because a signature names them
  // One for each label from the name to its zone, the next closer name and the wildcard: enough for an address written
  // backwards, label by label.
  static constexpr unsigned kNsec3HashesPerResponse = 48;
  static constexpr uint16_t kNsec3IterationsMax = 50;  // RFC 9276 §3.2; more makes the zone insecure
  static constexpr size_t kDenialRecordsMax = 32;      // NSEC and NSEC3 that are looked at
  static constexpr size_t kRrsetsPerResponseMax = 64;
  static constexpr size_t kRecordsPerRrsetMax = 512;  // sorting is what they cost
  static constexpr size_t kDsRecordsMax = 16;
  static constexpr size_t kDnskeysMax = 32;
  static constexpr unsigned kDigestsPerResponse = 16;  // DS records held against keys
  static constexpr size_t kRsaSha512OctetsMin = 128;   // RFC 5702 §2.2
  static constexpr size_t kRsaOctetsMin = 64;          // RFC 5702 §2.1
  static constexpr size_t kRsaOctetsMax = 512;
  static constexpr uint64_t kRsaExponentMax = (uint64_t{1} << 32U) + 1;  // the largest in use

  // --- one query of a client ---
  static constexpr unsigned kSignatureChecksPerQuery = 64;
  // Zones and labels between a trust anchor and an answer that are asked about: an IPv6 address written backwards has
  // 34 labels.
  static constexpr unsigned kChainStepsPerQuery = 40;
  static constexpr std::chrono::seconds kChainStepTime{5};

  // --- all of them ---
  // Somebody waits for each, so that the exchanges of clients bound them too; and of these, those for the names of one
  // registrable domain, of which the servers may be silent.
  static constexpr size_t kChainStepsInFlightMax = 8'192;
  static constexpr size_t kChainStepsPerSuffixMax = 512;
  static constexpr size_t kKeyCacheEntriesMax = 8192;
  static constexpr size_t kKeyCacheOctetsMax = size_t{24} << 20;
  static constexpr std::chrono::seconds kKeyCacheTtlMin{1};
  static constexpr std::chrono::hours kKeyCacheTtlMax{24};
  // Of denials that are used for other names (RFC 8198), all overhead counted: some ten thousand ranges.
  static constexpr size_t kDenialCacheOctetsMax = size_t{4} << 20;
  static constexpr std::chrono::hours kInsecureZoneTtlMax{1};  // RFC 9077 caps what denials may say
  static constexpr std::chrono::seconds kBogusZoneTime{60};    // RFC 4035 §4.7, RFC 9520: below five minutes
  // What the checks that wait for one of the threads that make them will cost in all, estimated in microseconds.
  static constexpr unsigned kChecksQueuedMicrosecondsMax = 2'000'000;
  // The checks of an ordinary answer, estimated in microseconds: a denial with keys of P-256 takes 400.
  static constexpr unsigned kCheckCheapMicrosecondsMax = 1'000;
  // A check that the forwarding loop makes by itself, estimated in microseconds: handing over costs the twentieth of
  // it. And of all of them, so much at a time, and no more than three quarters of its time: answers wait behind them.
  static constexpr unsigned kCheckInlineMicrosecondsMax = 250;
  static constexpr std::chrono::milliseconds kCheckInlineTimeMax{1};
  static constexpr int kCheckInlinePercentMax = 75;
};

}  // namespace dotward

#endif  // DOTWARD_DNSSEC_DNSSEC_LIMITS_H_
