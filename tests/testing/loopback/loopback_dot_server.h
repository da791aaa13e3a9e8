#ifndef DOTWARD_TESTING_LOOPBACK_LOOPBACK_DOT_SERVER_H_
#define DOTWARD_TESTING_LOOPBACK_LOOPBACK_DOT_SERVER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "dns/types.h"
#include "net/tls_credentials.h"
#include "testing/loopback/test_certificates.h"

namespace dotward {

// One DNS message that a client has sent.
struct LoopbackQuery {
  Octets message;         // without the length prefix
  size_t connection = 0;  // counted from 0 over the server's life, handshakes that failed included
  size_t number = 0;      // on its connection, from 0
  size_t total = 0;       // over all connections, from 0
};

// What the server does about a query. Actions are carried out in the order of the vector that the script returned;
// those that wait for an event or for the next query hold up nothing.
struct LoopbackAction {
  enum class Kind : uint8_t { kWrite, kClose, kCloseWithoutNotify, kReset };

  // A reply behind its length, in a TLS record of its own.
  static LoopbackAction Reply(const Octets& message);
  // Several replies in one TLS record.
  static LoopbackAction ReplyTogether(const std::vector<Octets>& messages);
  // Octets as they are, in a TLS record of their own: parts of frames, garbage, an empty frame ({0, 0}).
  static LoopbackAction Raw(Octets octets);
  // close_notify and FIN; a FIN alone, as a server that crashed or is careless; a RST.
  static LoopbackAction Close();
  static LoopbackAction CloseWithoutNotify();
  static LoopbackAction Reset();

  // The action, once Fire(event) has been called (before or after).
  LoopbackAction After(std::string event) &&;
  // The action, when the next query of the same connection has come, ahead of that query's own actions.
  LoopbackAction AtNextQuery() &&;

  Kind kind = Kind::kWrite;
  Octets octets{};
  std::string event{};
  bool at_next_query = false;
};

// What becomes of connections as they are accepted.
enum class LoopbackAccept : uint8_t {
  kServe,
  kStall,        // accepted, then nothing is read or written
  kGarbage,      // octets that are not TLS, then silence
  kCloseAtOnce,  // closed before a handshake
  kCloseMidway,  // FIN when the first octets of the handshake have come
};

// How the server does what the script says.
struct LoopbackManner {
  // Each reply is written so much later, at random in between: where they differ, replies overtake one another.
  std::chrono::milliseconds delay_min{0};
  std::chrono::milliseconds delay_max{0};
  double lost_share = 0;                    // of the queries: never answered, and the script does not see them
  std::chrono::milliseconds idle_close{0};  // close_notify and FIN so long after the last query or reply; 0: never
  uint64_t seed = 1;                        // what is random is the same in every run
};

enum class LoopbackSilence : uint8_t {
  kNone,
  kOpenConnections,  // those that are open now read and never answer any more; later ones answer
  kAll,              // the same of every connection: there are handshakes, and that is all
};

// A DoT server on a loopback address and a port of its own, on a thread of its own, that does what a script says. All
// members are thread-safe; the script runs on the server's thread, one call at a time. Stops and joins when destroyed.
//
// What a resolver asks for its own sake is told apart from what clients ask: `. NS`, with which it tries a connection,
// is answered with NS records, and names below `loop-check.example.com.` with NXDOMAIN. They are counted as probes and
// neither as queries nor shown to the script, unless Options say otherwise.
class LoopbackDotServer {
 public:
  // Called once for each message, empty ones included. An empty result means that nothing is sent.
  using Script = std::function<std::vector<LoopbackAction>(const LoopbackQuery&)>;

  struct Options {
    IpAddress address = IpAddress::V4({127, 0, 0, 1});
    CertificateSpec certificate = {};  // for "dns.test" unless it says otherwise
    TlsVersions versions = TlsVersions::kTls12And13;
    // The CA that signs it; null: one of its own. Servers may share one, so that one ca_file serves a client of both.
    std::shared_ptr<const TestAuthority> authority = nullptr;
    LoopbackAccept accept = LoopbackAccept::kServe;
    bool script_answers_probes = false;  // they are queries as any other
    bool keep_queries = true;            // false: queries() stays empty, for tests that look at memory
  };

  // All of these only grow.
  struct Counters {
    uint64_t connections = 0;  // accepted
    uint64_t handshakes = 0;   // completed, resumed ones included
    uint64_t resumed_handshakes = 0;
    uint64_t failed_handshakes = 0;
    uint64_t closed_connections = 0;  // by either side, failed handshakes included
    uint64_t application_octets = 0;  // that came through TLS
    // Octets that came behind a failed handshake and are no TLS records: nobody may send DNS in the clear instead.
    uint64_t octets_after_failure = 0;
    uint64_t records = 0;  // TLS records with application data: several queries may have come in one
    uint64_t queries = 0;  // frames, without probes
    uint64_t probes = 0;
    uint64_t lost = 0;     // queries that were not answered, by lost_share or silence
    uint64_t replies = 0;  // writes that were carried out whole
  };

  // Answers every query with PositiveAnswerTo(query).
  LoopbackDotServer();
  explicit LoopbackDotServer(Script script);
  LoopbackDotServer(Script script, Options options);
  ~LoopbackDotServer();
  LoopbackDotServer(const LoopbackDotServer&) = delete;
  LoopbackDotServer& operator=(const LoopbackDotServer&) = delete;

  uint16_t port() const;
  Endpoint endpoint() const;
  // The file of the CA that signed the server's certificate.
  const std::string& ca_file() const;
  static std::string auth_name() { return "dns.test"; }

  void SetScript(Script script);
  void SetAccept(LoopbackAccept accept);
  // For queries from now on; idle_close for connections from now on.
  void SetManner(const LoopbackManner& manner);
  // Replies that wait for their time are lost with it. kNone ends every silence.
  void SetSilence(LoopbackSilence silence);
  // The certificate for connections from now on; tickets that were given out before are worth nothing any more.
  void SetCertificate(const CertificateSpec& certificate);
  // Carries out the actions that wait for `event`, and lets later ones through.
  void Fire(const std::string& event);

  // Refuses connections from now on; those that are open stay. Then takes them again, on the same port.
  void StopListening();
  void StartListening();
  // How: kClose, kCloseWithoutNotify or kReset.
  void CloseAllConnections(LoopbackAction::Kind how = LoopbackAction::Kind::kClose);
  // Everything ends; counters and queries can still be read.
  void Stop();

  Counters counters() const;
  // In order of arrival.
  std::vector<LoopbackQuery> queries() const;
  // Waits until `condition` holds, which must not call the server, looking again whenever a counter has changed. False
  // after `patience`, which is a guard against tests that hang and no part of any claim.
  bool WaitUntil(const std::function<bool(const Counters&)>& condition,
                 std::chrono::milliseconds patience = std::chrono::seconds(20)) const;
  bool WaitForQueries(uint64_t count) const;
  bool WaitForConnections(uint64_t count) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dotward

#endif  // DOTWARD_TESTING_LOOPBACK_LOOPBACK_DOT_SERVER_H_
