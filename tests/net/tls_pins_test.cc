// Servers that are known by pins of their keys (RFC 7858 §4.2), beside or instead of name and CA.

#include <gmock/gmock.h>
#include <gnutls/gnutls.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <vector>

#include "base/strings.h"
#include "net/tls_stream.h"
#include "testing/loopback/blocking_peer.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using StreamOr = absl::StatusOr<std::unique_ptr<TlsStream>>;
using Counters = LoopbackDotServer::Counters;

std::string TextOf(const absl::Status& status) { return std::string(MessageOf(status)); }

std::shared_ptr<const TlsClientCredentials> Credentials(TlsClientCredentials::Options options) {
  auto credentials = TlsClientCredentials::Create(std::move(options));
  EXPECT_TRUE(credentials.ok()) << credentials.status();
  return *std::move(credentials);
}

// Every bit but one is that of `pin`.
SpkiPin Almost(SpkiPin pin) {
  pin.back() ^= 1;
  return pin;
}

class TlsPinsTest : public ::testing::TestWithParam<TlsVersions> {
 protected:
  StreamOr Connect(const Endpoint& peer, std::shared_ptr<const TlsClientCredentials> credentials,
                   std::string auth_name = "dns.test", TlsSessionTicket ticket = {}) {
    TlsClientOptions options{std::move(credentials), std::move(auth_name), peer, std::move(ticket)};
    const Deadline deadline = Deadline::After(std::chrono::steady_clock::now(), seconds(20));
    return RunTask(loop_, TlsStream::Connect(loop_, std::move(options), deadline));
  }
  LoopbackDotServer::Options Serving(CertificateSpec certificate) {
    LoopbackDotServer::Options options;
    options.certificate = std::move(certificate);
    options.versions = GetParam();
    return options;
  }
  LoopbackDotServer::Options Serving(const TestKey& key) {
    CertificateSpec spec;
    spec.key = key.pem;
    return Serving(spec);
  }
  // One exchange, by which time a ticket has come.
  void ExchangeOn(TlsStream& stream) {
    const Octets query = MessageBuilder::Query(1, "www.example.", rr_type::kA).Build();
    const Octets framed = Framed(query);
    ASSERT_TRUE(RunTask(loop_, stream.Write(framed)).ok());
    Octets buffer(4096);
    const auto read = RunTask(loop_, stream.Read(buffer));
    ASSERT_TRUE(read.ok() && *read > 0);
  }
  // Connects to a server that presents `certificate` as it is.
  absl::Status ConnectTo(const TestCertificate& certificate, std::shared_ptr<const TlsClientCredentials> credentials) {
    const char* const priority =
        GetParam() == TlsVersions::kTls12Only ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL:-VERS-ALL:+VERS-TLS1.3";
    BlockingPeer peer([&](int socket) {
      ServeBlockingTls(socket, {priority, certificate}, [&](gnutls_session_t) { ReadAll(socket); });
    });
    return Connect(peer.endpoint(), std::move(credentials)).status();
  }

  asio::io_context loop_{1};
};

void ExpectNothingWasSent(const LoopbackDotServer& server) {
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.closed_connections == 1; }));
  EXPECT_EQ(server.counters().handshakes, 0U);
  EXPECT_EQ(server.counters().application_octets, 0U);
  EXPECT_EQ(server.counters().octets_after_failure, 0U);
}

TEST_P(TlsPinsTest, U1_PinnedKeyOfAnyKindIsAccepted) {
  for (const TestKeyKind kind : {TestKeyKind::kEcdsa, TestKeyKind::kRsa, TestKeyKind::kEd25519}) {
    const TestKey key = MakeTestKey(kind);
    const LoopbackDotServer server(nullptr, Serving(key));
    const auto stream = Connect(server.endpoint(), Credentials({.ca_file = server.ca_file(), .pins = {key.pin}}));
    EXPECT_TRUE(stream.ok()) << stream.status();
    const auto alone = Connect(server.endpoint(), Credentials({.pins = {key.pin}, .pin_only = true}));
    EXPECT_TRUE(alone.ok()) << alone.status();
  }
}

TEST_P(TlsPinsTest, U1_KeyThatIsNotPinnedIsRefusedAndShown) {
  const TestKey key = MakeTestKey();
  for (const bool pin_only : {false, true}) {
    const LoopbackDotServer server(nullptr, Serving(key));
    const auto stream = Connect(
        server.endpoint(), Credentials({.ca_file = server.ca_file(), .pins = {Almost(key.pin)}, .pin_only = pin_only}));
    EXPECT_EQ(stream.status().code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(TextOf(stream.status()),
                AllOf(HasSubstr(server.endpoint().ToString() + ": certificate: its key is not the pinned one"),
                      HasSubstr("key " + FormatSpkiPin(key.pin)), HasSubstr("for dns.test"), HasSubstr("issued by CN="),
                      HasSubstr(", valid 2"), HasSubstr("put it into pins"), Not(HasSubstr("wanted"))));
    ExpectNothingWasSent(server);
  }
}

TEST_P(TlsPinsTest, OneOfSeveralPinsIsEnough) {
  const TestKey key = MakeTestKey();
  const LoopbackDotServer server(nullptr, Serving(key));
  for (const std::vector<SpkiPin>& pins : {std::vector{Almost(key.pin), key.pin}, {key.pin, Almost(key.pin)}}) {
    EXPECT_TRUE(Connect(server.endpoint(), Credentials({.ca_file = server.ca_file(), .pins = pins})).ok());
  }
  const LoopbackDotServer other(nullptr, Serving(MakeTestKey()));
  const auto stream =
      Connect(other.endpoint(), Credentials({.ca_file = other.ca_file(), .pins = {key.pin, Almost(key.pin)}}));
  EXPECT_THAT(TextOf(stream.status()), HasSubstr("its key is none of the 2 pinned"));
}

TEST_P(TlsPinsTest, U1_PinDoesNotReplaceNameOrCa) {
  const TestKey key = MakeTestKey();
  const TestAuthority another;
  const LoopbackDotServer server(nullptr, Serving(key));
  const auto unknown = Connect(server.endpoint(), Credentials({.ca_file = another.ca_file(), .pins = {key.pin}}));
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(unknown.status()), AllOf(HasSubstr("is not in"), Not(HasSubstr("pinned"))));
  const auto wrong =
      Connect(server.endpoint(), Credentials({.ca_file = server.ca_file(), .pins = {key.pin}}), "dns.example");
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(wrong.status()), AllOf(HasSubstr("wanted dns.example"), Not(HasSubstr("pinned"))));
}

TEST_P(TlsPinsTest, U1_EveryFailedCheckIsNamedBesideThePin) {
  const TestAuthority another;
  CertificateSpec spec = ExpiredCertificate();
  spec.dns_names = {"dns.example"};
  const LoopbackDotServer server(nullptr, Serving(spec));
  const auto stream = Connect(server.endpoint(), Credentials({.ca_file = another.ca_file(), .pins = {SpkiPin{}}}));
  EXPECT_THAT(TextOf(stream.status()), AllOf(HasSubstr("wanted dns.test"), HasSubstr("is not in"),
                                             HasSubstr("not the pinned one"), HasSubstr("key sha256/")));
}

TEST_P(TlsPinsTest, PinAloneAsksForNothingElse) {
  const TestKey key = MakeTestKey();
  CertificateSpec spec = ExpiredCertificate();
  spec.dns_names = {"another.example"};
  spec.key = key.pem;
  const LoopbackDotServer server(nullptr, Serving(spec));
  const auto stream =
      Connect(server.endpoint(), Credentials({.ca_file = "/nonexistent", .pins = {key.pin}, .pin_only = true}), "");
  ASSERT_TRUE(stream.ok()) << stream.status();
  ExchangeOn(**stream);
}

TEST_P(TlsPinsTest, NameIsSentWhereThereIsOne) {
  const TestKey key = MakeTestKey();
  CertificateSpec spec;
  spec.key = key.pem;
  const TestCertificate certificate = TestAuthority().Issue(spec);
  const auto credentials = Credentials({.pins = {key.pin}, .pin_only = true});
  for (const std::string name : {"dns.test", "", "127.0.0.1"}) {
    std::string sent;
    BlockingPeer peer([&](int socket) {
      ServeBlockingTls(socket, {"NORMAL", certificate}, [&](gnutls_session_t session) {
        char text[256] = {};
        size_t size = sizeof text;
        unsigned type = 0;
        if (gnutls_server_name_get(session, text, &size, &type, 0) == 0) sent = text;
      });
    });
    EXPECT_TRUE(Connect(peer.endpoint(), credentials, name).ok());
    peer.Join();
    EXPECT_EQ(sent, name == "dns.test" ? name : "");
  }
}

TEST_P(TlsPinsTest, U1_WithoutPinsAndWithoutANameNothingIsConnected) {
  const LoopbackDotServer server(nullptr, Serving(CertificateSpec()));
  const auto stream = Connect(server.endpoint(), Credentials({.ca_file = server.ca_file(), .pins = {SpkiPin{}}}), "");
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server.counters().connections, 0U);
}

// ---------------------------------------------------------------- CAs that are pinned

TEST_P(TlsPinsTest, PinMayBeThatOfACaOnThePath) {
  const TestAuthority authority;
  CertificateSpec spec;
  spec.intermediates = 2;
  const TestCertificate certificate = authority.Issue(spec);
  const std::vector<SpkiPin> pins = PinsOf(certificate.chain);
  ASSERT_EQ(pins.size(), 3U);
  for (const SpkiPin& pin : pins) {
    EXPECT_TRUE(ConnectTo(certificate, Credentials({.ca_file = authority.ca_file(), .pins = {pin}})).ok());
  }
  // The trusted root as well, where it is presented.
  const TestCertificate whole{certificate.chain + authority.certificate(), certificate.key};
  const std::vector<SpkiPin> root = PinsOf(authority.certificate());
  EXPECT_TRUE(ConnectTo(whole, Credentials({.ca_file = authority.ca_file(), .pins = root})).ok());
}

TEST_P(TlsPinsTest, U1_StrangerThatIsMerelyPresentedAlongDoesNotCount) {
  const TestAuthority authority;
  const TestAuthority stranger;
  const TestCertificate certificate = authority.Issue();
  CertificateSpec below_stranger;
  below_stranger.intermediates = 1;
  for (const std::string& appended : {stranger.certificate(), stranger.Issue().chain,
                                      stranger.Issue(below_stranger).chain, authority.Issue().chain}) {
    const TestCertificate presented{certificate.chain + appended, certificate.key};
    const auto status = ConnectTo(presented, Credentials({.ca_file = authority.ca_file(), .pins = PinsOf(appended)}));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(TextOf(status), HasSubstr("pinned"));
    EXPECT_TRUE(
        ConnectTo(presented, Credentials({.ca_file = authority.ca_file(), .pins = PinsOf(certificate.chain)})).ok());
  }
}

TEST_P(TlsPinsTest, U1_PinAloneIsForTheServersOwnKey) {
  const TestAuthority authority;
  CertificateSpec spec;
  spec.intermediates = 1;
  const TestCertificate certificate = authority.Issue(spec);
  const std::vector<SpkiPin> pins = PinsOf(certificate.chain);
  EXPECT_TRUE(ConnectTo(certificate, Credentials({.pins = {pins[0]}, .pin_only = true})).ok());
  EXPECT_EQ(ConnectTo(certificate, Credentials({.pins = {pins[1]}, .pin_only = true})).code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_P(TlsPinsTest, X13_PinAloneDoesNotOpenTheBoundsOfTheChain) {
  const TestAuthority authority;
  CertificateSpec spec;
  spec.intermediates = Limits::kTlsChainCertificatesMax;
  const TestCertificate certificate = authority.Issue(spec);
  const auto status = ConnectTo(certificate, Credentials({.pins = {PinsOf(certificate.chain)[0]}, .pin_only = true}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(status), HasSubstr("11 certificates"));
}

// ---------------------------------------------------------------- resumption

TEST_P(TlsPinsTest, U2_PinnedSessionIsResumed) {
  const TestKey key = MakeTestKey();
  for (const bool pin_only : {false, true}) {
    const LoopbackDotServer server(nullptr, Serving(key));
    const auto credentials = Credentials({.ca_file = server.ca_file(), .pins = {key.pin}, .pin_only = pin_only});
    const auto first = Connect(server.endpoint(), credentials);
    ASSERT_TRUE(first.ok()) << first.status();
    ExchangeOn(**first);
    const auto second = Connect(server.endpoint(), credentials, "dns.test", (*first)->TakeSessionTicket());
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_TRUE((*second)->resumed());
    ExchangeOn(**second);
  }
}

TEST_P(TlsPinsTest, U2_TicketDoesNotPassFromPinsToPins) {
  const TestKey key = MakeTestKey();
  const LoopbackDotServer server(nullptr, Serving(key));
  const auto first = Connect(server.endpoint(), Credentials({.ca_file = server.ca_file()}));
  ASSERT_TRUE(first.ok());
  ExchangeOn(**first);
  const auto other = Credentials({.ca_file = server.ca_file(), .pins = {Almost(key.pin)}});
  const auto second = Connect(server.endpoint(), other, "dns.test", (*first)->TakeSessionTicket());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(server.counters().resumed_handshakes, 0U);
}

INSTANTIATE_TEST_SUITE_P(BothVersions, TlsPinsTest, ::testing::Values(TlsVersions::kTls13Only, TlsVersions::kTls12Only),
                         [](const auto& parameter) {
                           return parameter.param == TlsVersions::kTls12Only ? "Tls12" : "Tls13";
                         });

TEST(TlsClientCredentialsTest, PinOnlyNeedsAPin) {
  const auto credentials = TlsClientCredentials::Create({.pin_only = true});
  EXPECT_EQ(credentials.status().code(), absl::StatusCode::kInvalidArgument);
}

// ---------------------------------------------------------------- early data

// A server that would take early data, on every connection: what the client has made of that.
struct EarlyDataServer {
  std::vector<bool> resumed, offered, taken;

  void Serve(int socket, const TestCertificate& certificate, const gnutls_datum_t& ticket_key) {
    BlockingTls tls{"NORMAL:-VERS-ALL:+VERS-TLS1.3", certificate, false, 0, nullptr};
    tls.prepare = [&](gnutls_session_t session) {
      gnutls_session_set_ptr(session, this);
      EXPECT_EQ(gnutls_session_ticket_enable_server(session, &ticket_key), 0);
      EXPECT_EQ(gnutls_record_set_max_early_data_size(session, 4096), 0);
      gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE, OnHello);
    };
    ServeBlockingTls(socket, tls, [&](gnutls_session_t session) {
      resumed.push_back(gnutls_session_is_resumed(session) != 0);
      taken.push_back((gnutls_session_get_flags(session) & GNUTLS_SFLAGS_EARLY_DATA) != 0);
      char octet = 0;
      if (gnutls_record_recv(session, &octet, 1) == 1) gnutls_record_send(session, &octet, 1);
      gnutls_record_recv(session, &octet, 1);
    });
  }
  static int OnHello(gnutls_session_t session, unsigned, unsigned, unsigned, const gnutls_datum_t* message) {
    auto* const self = static_cast<EarlyDataServer*>(gnutls_session_get_ptr(session));
    self->offered.push_back(false);
    const auto see = [](void* server, unsigned type, const unsigned char*, unsigned) {
      if (type == 42) static_cast<EarlyDataServer*>(server)->offered.back() = true;  // RFC 8446 §4.2.10
      return 0;
    };
    EXPECT_EQ(gnutls_ext_raw_parse(self, see, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO), 0);
    return 0;
  }
};

TEST(EarlyDataTest, U2_IsNeverSentThoughTheServerWouldTakeIt) {
  const TestAuthority authority;
  const TestCertificate certificate = authority.Issue();
  gnutls_datum_t ticket_key{};
  ASSERT_EQ(gnutls_session_ticket_key_generate(&ticket_key), 0);
  EarlyDataServer server;
  BlockingPeer peer([&](int socket) { server.Serve(socket, certificate, ticket_key); }, 2);
  const auto credentials = Credentials({.ca_file = authority.ca_file()});
  asio::io_context loop;
  TlsSessionTicket ticket;
  for (int i = 0; i < 2; ++i) {
    const Deadline deadline = Deadline::After(std::chrono::steady_clock::now(), seconds(20));
    TlsClientOptions options{credentials, "dns.test", peer.endpoint(), std::move(ticket)};
    const auto stream = RunTask(loop, TlsStream::Connect(loop, std::move(options), deadline));
    ASSERT_TRUE(stream.ok()) << stream.status();
    Octets octet{7};
    ASSERT_TRUE(RunTask(loop, (*stream)->Write(octet)).ok());
    ASSERT_TRUE(RunTask(loop, (*stream)->Read(octet)).ok());
    ticket = (*stream)->TakeSessionTicket();
    (*stream)->Close();
  }
  peer.Join();
  gnutls_free(ticket_key.data);
  EXPECT_EQ(server.resumed, (std::vector{false, true}));
  EXPECT_EQ(server.offered, (std::vector{false, false}));
  EXPECT_EQ(server.taken, (std::vector{false, false}));
}

}  // namespace
}  // namespace dotward
