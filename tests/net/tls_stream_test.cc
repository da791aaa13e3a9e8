#include "net/tls_stream.h"

#include <gmock/gmock.h>
#include <gnutls/gnutls.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstring>
#include <ctime>
#include <future>
#include <numeric>

#include "base/limits.h"
#include "base/strings.h"
#include "net/certificate.h"
#include "net/socket_address.h"
#include "net/stream_framing.h"
#include "net/tls_verify.h"
#include "testing/loopback/blocking_peer.h"
#include "testing/loopback/loopback_dot_server.h"
#include "testing/messages.h"
#include "testing/run_task.h"

namespace dotward {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using StreamOr = absl::StatusOr<std::unique_ptr<TlsStream>>;
using Script = LoopbackDotServer::Script;
using ServerOptions = LoopbackDotServer::Options;
using Counters = LoopbackDotServer::Counters;

constexpr char kTls12[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
constexpr char kTls13[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

std::string VersionName(const ::testing::TestParamInfo<TlsVersions>& parameter) {
  return parameter.param == TlsVersions::kTls12Only ? "Tls12" : "Tls13";
}
std::string PriorityName(const ::testing::TestParamInfo<const char*>& parameter) {
  return parameter.param == kTls12 ? "Tls12" : "Tls13";
}

Deadline Soon() { return Deadline::After(std::chrono::steady_clock::now(), seconds(20)); }
std::string TextOf(const absl::Status& status) { return std::string(MessageOf(status)); }

std::shared_ptr<const TlsClientCredentials> Trust(const std::string& ca_file) {
  auto credentials = TlsClientCredentials::Create(ca_file);
  EXPECT_TRUE(credentials.ok()) << credentials.status();
  return *std::move(credentials);
}

ServerOptions WithCertificate(CertificateSpec certificate) {
  ServerOptions options;
  options.certificate = std::move(certificate);
  return options;
}
ServerOptions WithVersions(TlsVersions versions) {
  ServerOptions options;
  options.versions = versions;
  return options;
}
ServerOptions WithAccept(LoopbackAccept accept) {
  ServerOptions options;
  options.accept = accept;
  return options;
}

// Runs streams on one loop, a step at a time.
class TlsStreamTest : public ::testing::Test {
 protected:
  TlsClientOptions ClientOf(const LoopbackDotServer& server) {
    return {Trust(server.ca_file()), LoopbackDotServer::auth_name(), server.endpoint(), {}, nullptr};
  }
  StreamOr Connect(TlsClientOptions options) {
    return RunTask(loop_, TlsStream::Connect(loop_, std::move(options), Soon()));
  }
  std::unique_ptr<TlsStream> MustConnect(TlsClientOptions options) {
    StreamOr stream = Connect(std::move(options));
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : nullptr;
  }
  std::unique_ptr<TlsStream> MustConnect(const LoopbackDotServer& server) { return MustConnect(ClientOf(server)); }

  absl::Status Write(TlsStream& stream, const Octets& octets) { return RunTask(loop_, stream.Write(octets)); }
  // One read; empty at the end of the stream.
  absl::StatusOr<Octets> Read(TlsStream& stream) {
    Octets buffer(16'384);
    const absl::StatusOr<size_t> read = RunTask(loop_, stream.Read(buffer));
    if (!read.ok()) return read.status();
    buffer.resize(*read);
    return buffer;
  }
  // Reads until a whole frame is there.
  Octets ReadMessageFrom(TlsStream& stream) {
    FrameReader frames;
    while (true) {
      if (const auto message = frames.Next()) return {message->begin(), message->end()};
      const absl::StatusOr<size_t> read = RunTask(loop_, stream.Read(frames.Space()));
      EXPECT_TRUE(read.ok()) << read.status();
      if (!read.ok() || *read == 0) return {};
      frames.Commit(*read);
    }
  }
  // Asks and gets an answer, by which time the tickets of TLS 1.3 have come as well.
  void ExchangeOn(TlsStream& stream, uint16_t id) {
    const Octets query = MessageBuilder::Query(id, "www.example.", rr_type::kA).Build();
    ASSERT_TRUE(Write(stream, Framed(query)).ok());
    EXPECT_EQ(ReadMessageFrom(stream), PositiveAnswerTo(query));
  }
  // Connects, which must fail, and gives the reason.
  absl::Status Refusal(TlsClientOptions options) {
    const StreamOr stream = Connect(std::move(options));
    EXPECT_FALSE(stream.ok());
    return stream.status();
  }

  asio::io_context loop_{1};
};

// ---------------------------------------------------------------- handshake

TEST_F(TlsStreamTest, U11_HandshakeMakesTls13WithAlpnDot) {
  const LoopbackDotServer server;
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->protocol_version(), "TLS1.3");
  EXPECT_EQ(stream->alpn(), "dot");
  EXPECT_FALSE(stream->resumed());
  EXPECT_EQ(stream->peer(), server.endpoint());
  ExchangeOn(*stream, 1);
}

TEST_F(TlsStreamTest, U11_HandshakeMakesTls12WhereTheServerHasNoMore) {
  const LoopbackDotServer server(nullptr, WithVersions(TlsVersions::kTls12Only));
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->protocol_version(), "TLS1.2");
  EXPECT_EQ(stream->alpn(), "dot");
  ExchangeOn(*stream, 1);
}

TEST_F(TlsStreamTest, U11_OlderVersionsAreRefused) {
  const TestAuthority authority;
  int code = 0;
  BlockingPeer peer([&](int socket) {
    code = ServeBlockingTls(socket, {"NORMAL:-VERS-ALL:+VERS-TLS1.1", authority.Issue(), false},
                            [](gnutls_session_t) { ADD_FAILURE() << "TLS 1.1 was accepted"; });
  });
  EXPECT_EQ(Refusal({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr}).code(),
            absl::StatusCode::kUnavailable);
  peer.Join();
  EXPECT_LT(code, 0);
}

TEST_F(TlsStreamTest, Ipv6LoopbackWorks) {
  ServerOptions options;
  options.address = *IpAddress::Parse("::1");
  const LoopbackDotServer server(nullptr, options);
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  ExchangeOn(*stream, 1);
}

TEST_F(TlsStreamTest, U11_ServerWithoutAlpnIsFine) {
  const TestAuthority authority;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {"NORMAL", authority.Issue(), false},
                     [](gnutls_session_t session) { gnutls_bye(session, GNUTLS_SHUT_RDWR); });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->alpn(), "");
  stream->Close();
}

// A ServerHello of TLS 1.2 that chooses by ALPN what was never offered.
TEST_F(TlsStreamTest, U11_ServerThatChoosesAnotherProtocolIsRefused) {
  Octets hello =
      Join({Hex("0303"), Octets(32, 0x11), Hex("00 c02f 00"), Hex("0005"), Hex("0010 0005 0003 02"), OctetsOf("h2")});
  hello[2 + 32 + 1 + 2 + 1 + 1] = 9;  // the length of all extensions
  const Octets handshake = Join({Hex("02 0000"), Octets{static_cast<uint8_t>(hello.size())}, hello});
  const Octets record = Join({Hex("16 0303 00"), Octets{static_cast<uint8_t>(handshake.size())}, handshake});
  const TestAuthority authority;
  BlockingPeer peer([&](int socket) {
    EXPECT_GT(send(socket, record.data(), record.size(), MSG_NOSIGNAL), 0);
    ReadAll(socket);
  });
  const absl::Status refusal = Refusal({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr("handshake"), HasSubstr("\"h2\"")));
}

// ---------------------------------------------------------------- resumption

class ResumptionTest : public TlsStreamTest, public ::testing::WithParamInterface<TlsVersions> {};

TEST_P(ResumptionTest, U11_SecondConnectionResumesTheFirst) {
  LoopbackDotServer server(nullptr, WithVersions(GetParam()));
  TlsClientOptions options = ClientOf(server);
  const auto credentials = options.credentials;
  const auto first = MustConnect(std::move(options));
  ASSERT_NE(first, nullptr);
  ExchangeOn(*first, 1);
  first->Close();
  TlsSessionTicket ticket = first->TakeSessionTicket();
  EXPECT_FALSE(ticket.empty());
  EXPECT_TRUE(first->TakeSessionTicket().empty()) << "each ticket is given once";

  const auto second = MustConnect({credentials, "dns.test", server.endpoint(), std::move(ticket), nullptr});
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(second->resumed());
  EXPECT_EQ(second->alpn(), "dot");
  ExchangeOn(*second, 2);
  EXPECT_FALSE(second->TakeSessionTicket().empty()) << "a resumed session can be resumed again";
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.handshakes == 2; }));
  EXPECT_EQ(server.counters().resumed_handshakes, 1U);
}

TEST_P(ResumptionTest, U2_TicketOfAnotherIdentityIsNotUsed) {
  CertificateSpec certificate;
  certificate.dns_names = {"dns.test", "other.test"};
  ServerOptions server_options = WithVersions(GetParam());
  server_options.certificate = certificate;
  LoopbackDotServer server(nullptr, server_options);
  TlsClientOptions options = ClientOf(server);
  const auto credentials = options.credentials;
  const auto first = MustConnect(std::move(options));
  ASSERT_NE(first, nullptr);
  ExchangeOn(*first, 1);

  const auto other_name =
      MustConnect({credentials, "other.test", server.endpoint(), first->TakeSessionTicket(), nullptr});
  ASSERT_NE(other_name, nullptr);
  EXPECT_FALSE(other_name->resumed());
  ExchangeOn(*other_name, 2);

  const auto other_credentials =
      MustConnect({Trust(server.ca_file()), "other.test", server.endpoint(), other_name->TakeSessionTicket(), nullptr});
  ASSERT_NE(other_credentials, nullptr);
  EXPECT_FALSE(other_credentials->resumed());
  EXPECT_EQ(server.counters().resumed_handshakes, 0U);
}

TEST_P(ResumptionTest, U2_TicketThatTheServerForgotMeansAFullHandshake) {
  LoopbackDotServer server(nullptr, WithVersions(GetParam()));
  TlsClientOptions options = ClientOf(server);
  const auto credentials = options.credentials;
  const auto first = MustConnect(std::move(options));
  ASSERT_NE(first, nullptr);
  ExchangeOn(*first, 1);
  server.SetCertificate({});
  const auto second = MustConnect({credentials, "dns.test", server.endpoint(), first->TakeSessionTicket(), nullptr});
  ASSERT_NE(second, nullptr);
  EXPECT_FALSE(second->resumed());
}

// GnuTLS's clock, moved for one test.
class LibraryClock {
 public:
  explicit LibraryClock(hours ahead) {
    ahead_seconds = std::chrono::seconds(ahead).count();
    gnutls_global_set_time_function(Now);
  }
  ~LibraryClock() { gnutls_global_set_time_function(std::time); }

 private:
  static inline std::atomic<std::time_t> ahead_seconds{0};
  static std::time_t Now(std::time_t* out) {
    const std::time_t now = std::time(nullptr) + ahead_seconds;
    if (out != nullptr) *out = now;
    return now;
  }
};

TEST_P(ResumptionTest, U2_ResumedSessionIsCheckedAsOfNow) {
  CertificateSpec certificate;
  certificate.valid_until = hours(1);
  ServerOptions server_options = WithVersions(GetParam());
  server_options.certificate = certificate;
  LoopbackDotServer server(nullptr, server_options);
  TlsClientOptions options = ClientOf(server);
  const auto credentials = options.credentials;
  const auto first = MustConnect(std::move(options));
  ASSERT_NE(first, nullptr);
  ExchangeOn(*first, 1);
  const uint64_t before = server.counters().application_octets;
  const LibraryClock later(hours(2));
  const absl::Status refusal =
      Refusal({credentials, "dns.test", server.endpoint(), first->TakeSessionTicket(), nullptr});
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), HasSubstr("expired"));
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.closed_connections == 1; }));
  EXPECT_EQ(server.counters().application_octets, before);
}

INSTANTIATE_TEST_SUITE_P(BothVersions, ResumptionTest,
                         ::testing::Values(TlsVersions::kTls13Only, TlsVersions::kTls12Only), VersionName);

// ---------------------------------------------------------------- identity

// What must hold after each refusal for reasons of identity: not one octet of ours has left, in TLS or in the clear.
void ExpectNothingWasSent(const LoopbackDotServer& server) {
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.closed_connections == 1; }));
  const Counters counters = server.counters();
  EXPECT_EQ(counters.handshakes, 0U);
  EXPECT_EQ(counters.application_octets, 0U);
  EXPECT_EQ(counters.octets_after_failure, 0U);
  EXPECT_EQ(counters.queries, 0U);
}

class IdentityTest : public TlsStreamTest, public ::testing::WithParamInterface<TlsVersions> {
 protected:
  ServerOptions Serving(CertificateSpec certificate) {
    ServerOptions options = WithVersions(GetParam());
    options.certificate = std::move(certificate);
    return options;
  }
};

TEST_P(IdentityTest, U1_WrongNameIsRefused) {
  CertificateSpec certificate;
  certificate.dns_names = {"dns.example", "*.dns.example"};
  const LoopbackDotServer server(nullptr, Serving(certificate));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr(server.endpoint().ToString() + ": certificate: "),
                                     HasSubstr("is for dns.example, *.dns.example, wanted dns.test"),
                                     HasSubstr("auth_name"), Not(HasSubstr("issuer"))));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_UnknownCaIsRefused) {
  const TestAuthority another;
  const LoopbackDotServer server(nullptr, Serving({}));
  TlsClientOptions options = ClientOf(server);
  options.credentials = Trust(another.ca_file());
  const absl::Status refusal = Refusal(std::move(options));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr("certificate: its issuer CN=a test authority"), HasSubstr(" is not in "),
                                     HasSubstr(another.ca_file()), HasSubstr("ca_file"), Not(HasSubstr("wanted"))));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_ExpiredCertificateIsRefused) {
  const LoopbackDotServer server(nullptr, Serving(ExpiredCertificate()));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr("certificate: it expired at 2"), HasSubstr("clock says 2"),
                                     Not(HasSubstr("wanted")), Not(HasSubstr("is not in"))));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_CertificateThatIsNotYetValidIsRefused) {
  const LoopbackDotServer server(nullptr, Serving(NotYetValidCertificate()));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr("certificate: it is not valid before 2"), HasSubstr("set the clock")));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, IntermediateCaIsFollowed) {
  CertificateSpec certificate;
  certificate.intermediates = 2;
  const LoopbackDotServer server(nullptr, Serving(certificate));
  EXPECT_NE(MustConnect(server), nullptr);
}

TEST_P(IdentityTest, U1_EveryFaultIsNamed) {
  CertificateSpec certificate = ExpiredCertificate();
  certificate.dns_names = {"dns.example"};
  const LoopbackDotServer server(nullptr, Serving(certificate));
  EXPECT_THAT(TextOf(Refusal(ClientOf(server))), AllOf(HasSubstr("wanted dns.test"), HasSubstr("it expired at")));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_CommonNameIsNotAName) {
  CertificateSpec certificate;
  certificate.dns_names = {};
  certificate.common_name = "dns.test";
  const LoopbackDotServer server(nullptr, Serving(certificate));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), HasSubstr("is for no name at all"));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_CertificateForAnotherPurposeIsRefused) {
  CertificateSpec certificate;
  certificate.purpose = "1.3.6.1.5.5.7.3.4";  // id-kp-emailProtection
  const LoopbackDotServer server(nullptr, Serving(certificate));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), HasSubstr("purpose"));
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_NamesOfAStrangerArePrintable) {
  CertificateSpec certificate;
  certificate.common_name = "\x1b[2J\n\xff";
  certificate.dns_names = {std::string(3000, 'a'), std::string(300, 'b'), "c d"};
  for (int i = 0; i < 40; ++i) certificate.dns_names.push_back(StrCat("n", i, ".example"));
  const LoopbackDotServer server(nullptr, Serving(certificate));
  const std::string text = TextOf(Refusal(ClientOf(server)));
  EXPECT_THAT(text, AllOf(HasSubstr("bbb..., c d, n0.example"), HasSubstr(" more, wanted")));
  EXPECT_LT(text.size(), 1200U);
  for (const char c : text) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  ExpectNothingWasSent(server);
}

TEST_P(IdentityTest, U1_WildcardCoversOneLabel) {
  CertificateSpec certificate;
  certificate.dns_names = {"*.dns.test"};
  const LoopbackDotServer server(nullptr, Serving(certificate));
  TlsClientOptions options = ClientOf(server);
  options.auth_name = "one.dns.test";
  EXPECT_NE(MustConnect(std::move(options)), nullptr);
  for (const char* const name : {"two.one.dns.test", "dns.test"}) {
    TlsClientOptions other = ClientOf(server);
    other.auth_name = name;
    EXPECT_EQ(Refusal(std::move(other)).code(), absl::StatusCode::kUnauthenticated) << name;
  }
}

TEST_P(IdentityTest, U1_AddressIsMatchedByIpAddressNamesOnly) {
  CertificateSpec certificate;
  certificate.dns_names = {"127.0.0.2"};
  certificate.addresses = {"127.0.0.1", "::1"};
  const LoopbackDotServer server(nullptr, Serving(certificate));
  for (const char* const name : {"127.0.0.1", "::1", "0:0::1"}) {
    TlsClientOptions options = ClientOf(server);
    options.auth_name = name;
    EXPECT_NE(MustConnect(std::move(options)), nullptr) << name;
  }
  for (const char* const name : {"127.0.0.2", "::2"}) {
    TlsClientOptions options = ClientOf(server);
    options.auth_name = name;
    EXPECT_EQ(Refusal(std::move(options)).code(), absl::StatusCode::kUnauthenticated) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(BothVersions, IdentityTest,
                         ::testing::Values(TlsVersions::kTls13Only, TlsVersions::kTls12Only), VersionName);

TEST_F(TlsStreamTest, NameWithAFinalDotIsTheSameName) {
  const LoopbackDotServer server;
  TlsClientOptions options = ClientOf(server);
  options.auth_name = "dns.test.";
  EXPECT_NE(MustConnect(std::move(options)), nullptr);
}

TEST_F(TlsStreamTest, U1_WithoutANameNothingIsConnected) {
  const LoopbackDotServer server;
  TlsClientOptions options = ClientOf(server);
  options.auth_name = "";
  EXPECT_EQ(Refusal(std::move(options)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server.counters().connections, 0U);
}

TEST_F(TlsStreamTest, X13_HugeCertificateIsRefused) {
  CertificateSpec certificate;
  certificate.padding_octets = Limits::kTlsHandshakeOctetsMax;
  const LoopbackDotServer server(nullptr, WithCertificate(certificate));
  EXPECT_EQ(Refusal(ClientOf(server)).code(), absl::StatusCode::kUnavailable);
  ExpectNothingWasSent(server);
}

TEST_F(TlsStreamTest, X13_LongChainIsRefused) {
  const TestAuthority authority;
  CertificateSpec spec;
  spec.intermediates = Limits::kTlsChainCertificatesMax;
  const TestCertificate certificate = authority.Issue(spec);
  int code = 0;
  BlockingPeer peer([&](int socket) {
    code = ServeBlockingTls(socket, {kTls12, certificate, false}, [](gnutls_session_t) {});
  });
  const absl::Status refusal = Refusal({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated) << refusal;
  EXPECT_THAT(TextOf(refusal), HasSubstr("11 certificates"));
  peer.Join();
  EXPECT_LT(code, 0);
}

TEST_F(TlsStreamTest, X13_HugeKeyIsRefusedUntouched) {
  CertificateSpec certificate;
  certificate.issuer_key_bits = Limits::kTlsKeyBitsMax + 8;
  const LoopbackDotServer server(nullptr, WithCertificate(certificate));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(TextOf(refusal), HasSubstr("a key of 8200 bits"));
  ExpectNothingWasSent(server);
}

// ---------------------------------------------------------------- connecting that fails

TEST_F(TlsStreamTest, RefusedConnectionSaysSo) {
  LoopbackDotServer server;
  TlsClientOptions options = ClientOf(server);
  server.StopListening();
  const absl::Status refusal = Refusal(std::move(options));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr(": connect: Connection refused"), HasSubstr("nothing listens")));
}

TEST_F(TlsStreamTest, U10_PeerThatClosesMidHandshakeIsUnavailable) {
  for (const LoopbackAccept accept : {LoopbackAccept::kCloseMidway, LoopbackAccept::kCloseAtOnce}) {
    const LoopbackDotServer server(nullptr, WithAccept(accept));
    const absl::Status refusal = Refusal(ClientOf(server));
    EXPECT_EQ(refusal.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(TextOf(refusal), HasSubstr(": handshake: "));
  }
}

TEST_F(TlsStreamTest, U10_WhatIsNotTlsIsUnavailable) {
  const LoopbackDotServer server(nullptr, WithAccept(LoopbackAccept::kGarbage));
  const absl::Status refusal = Refusal(ClientOf(server));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(refusal), AllOf(HasSubstr(": handshake: "), HasSubstr("does this port speak DNS-over-TLS?")));
}

TEST_F(TlsStreamTest, StalledHandshakeEndsAtTheDeadline) {
  const LoopbackDotServer server(nullptr, WithAccept(LoopbackAccept::kStall));
  const Deadline deadline = Deadline::After(std::chrono::steady_clock::now(), milliseconds(60));
  const StreamOr stream = RunTask(loop_, TlsStream::Connect(loop_, ClientOf(server), deadline));
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(TextOf(stream.status()), HasSubstr(": handshake: "));
  EXPECT_TRUE(deadline.ExpiredAt(std::chrono::steady_clock::now()));
}

TEST_F(TlsStreamTest, TcpHandshakeHasAPatienceOfItsOwn) {
  const SilentListener silent;
  const TestAuthority authority;
  TlsClientOptions options{Trust(authority.ca_file()), "dns.test", silent.endpoint(), {}, nullptr, milliseconds(60)};
  const absl::Status refusal = Refusal(std::move(options));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(TextOf(refusal), HasSubstr(silent.endpoint().ToString() + ": connect: TCP got no answer in "));
}

TEST_F(TlsStreamTest, PatienceForTcpDoesNotEndTheTlsHandshake) {
  const TestAuthority authority;
  const seconds patience(1);
  BlockingPeer peer([&](int socket) {
    // Longer than the patience, which is over with the TCP handshake.
    EXPECT_EQ(poll(nullptr, 0, 1200), 0);
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t) {});
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr, patience});
  ASSERT_NE(stream, nullptr);
  EXPECT_GT(stream->handshake_time(), patience);
}

TEST_F(TlsStreamTest, KnowsItsOwnAddress) {
  const LoopbackDotServer server;
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->local().address, server.endpoint().address);
  EXPECT_NE(stream->local().port, 0);
  EXPECT_NE(stream->local().port, server.port());
}

TEST_F(TlsStreamTest, DeadlineThatHasPassedEndsAtOnce) {
  const LoopbackDotServer server(nullptr, WithAccept(LoopbackAccept::kStall));
  const Deadline deadline(std::chrono::steady_clock::now() - seconds(1));
  EXPECT_EQ(RunTask(loop_, TlsStream::Connect(loop_, ClientOf(server), deadline)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(TlsStreamTest, CancellerEndsAConnect) {
  const LoopbackDotServer server(nullptr, WithAccept(LoopbackAccept::kStall));
  TlsCanceller canceller;
  TlsClientOptions options = ClientOf(server);
  options.canceller = &canceller;
  TaskGroup group(loop_);
  Outcome<StreamOr> outcome;
  outcome.From(group, TlsStream::Connect(loop_, std::move(options), Soon()));
  while (server.counters().connections == 0) loop_.poll();
  EXPECT_FALSE(outcome.ready());
  canceller.Cancel();
  EXPECT_EQ(outcome.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(TlsStreamTest, CancelAheadOfConnectCounts) {
  const LoopbackDotServer server;
  TlsCanceller canceller;
  canceller.Cancel();
  TlsClientOptions options = ClientOf(server);
  options.canceller = &canceller;
  EXPECT_EQ(Refusal(std::move(options)).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(server.counters().connections, 0U);
}

TEST_F(TlsStreamTest, LoopThatEndsTakesUnfinishedTasksAlong) {
  const LoopbackDotServer server(nullptr, WithAccept(LoopbackAccept::kStall));
  Outcome<StreamOr> outcome;
  {
    asio::io_context loop;
    TaskGroup group(loop);
    outcome.From(group, TlsStream::Connect(loop, ClientOf(server), Soon()));
    while (server.counters().connections == 0) loop.poll();
  }
  EXPECT_FALSE(outcome.ready());  // the address sanitizer has the rest of the claim
}

// ---------------------------------------------------------------- closing

TEST_F(TlsStreamTest, CloseEndsAWaitingRead) {
  const LoopbackDotServer server;
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  Octets buffer(512);
  TaskGroup group(loop_);
  Outcome<absl::StatusOr<size_t>> read;
  read.From(group, stream->Read(buffer));
  loop_.restart();
  loop_.poll();
  ASSERT_FALSE(read.ready());
  stream->Close();
  EXPECT_FALSE(read.ready()) << "on the loop's next turn, not inside Close";
  EXPECT_EQ(read.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
  stream->Close();
  EXPECT_TRUE(stream->closed());
  EXPECT_EQ(Read(*stream).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Write(*stream, {1}).code(), absl::StatusCode::kCancelled);
}

TEST_F(TlsStreamTest, StreamMayBeDestroyedUnderAWaitingRead) {
  const LoopbackDotServer server;
  auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  Octets buffer(512);
  TaskGroup group(loop_);
  Outcome<absl::StatusOr<size_t>> read;
  read.From(group, stream->Read(buffer));
  loop_.restart();
  loop_.poll();
  stream.reset();
  EXPECT_EQ(read.Wait(loop_).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(TlsStreamTest, U10_CloseNotifyIsTheEndOfTheStream) {
  const LoopbackDotServer server([](const LoopbackQuery&) { return std::vector{LoopbackAction::Close()}; });
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  ASSERT_TRUE(Write(*stream, {0, 1, 7}).ok());
  const auto read = Read(*stream);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->empty());
}

TEST_F(TlsStreamTest, U10_FinWithoutCloseNotifyIsTheEndOfTheStream) {
  const LoopbackDotServer server([](const LoopbackQuery& query) {
    return std::vector{LoopbackAction::Reply(query.message), LoopbackAction::CloseWithoutNotify()};
  });
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  ASSERT_TRUE(Write(*stream, {0, 1, 7}).ok());
  EXPECT_EQ(ReadMessageFrom(*stream), Octets{7}) << "what came ahead of the FIN is not lost";
  const auto read = Read(*stream);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->empty());
}

TEST_F(TlsStreamTest, U10_ResetIsUnavailable) {
  const LoopbackDotServer server([](const LoopbackQuery&) { return std::vector{LoopbackAction::Reset()}; });
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  ASSERT_TRUE(Write(*stream, {0, 1, 7}).ok());
  const auto read = Read(*stream);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(read.status()), HasSubstr("reset"));
}

TEST_F(TlsStreamTest, CloseTellsThePeer) {
  const TestAuthority authority;
  ssize_t last = -1;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t session) {
      char octet = 0;
      last = gnutls_record_recv(session, &octet, 1);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  stream->Close();
  peer.Join();
  EXPECT_EQ(last, 0) << "close_notify, not a premature end";
}

// ---------------------------------------------------------------- octets

TEST_F(TlsStreamTest, U3_OneWriteIsOneRecord) {
  const LoopbackDotServer server;
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  Octets batch;
  for (uint16_t id = 0; id < 100; ++id) {
    AppendFrame(batch, MessageBuilder::Query(id, "www.example.", rr_type::kA).Build());
  }
  ASSERT_TRUE(Write(*stream, batch).ok());
  ASSERT_TRUE(server.WaitForQueries(100));
  EXPECT_EQ(server.counters().records, 1U);
}

TEST_F(TlsStreamTest, ReadLeavesTheRestOfARecordForTheNextRead) {
  const LoopbackDotServer server;
  const auto stream = MustConnect(server);
  ASSERT_NE(stream, nullptr);
  const Octets query = MessageBuilder::Query(7, "www.example.", rr_type::kA).Build();
  ASSERT_TRUE(Write(*stream, Framed(query)).ok());
  const Octets expected = Framed(PositiveAnswerTo(query));
  Octets octet(1);
  Octets all;
  while (all.size() < expected.size()) {
    const auto read = RunTask(loop_, stream->Read(octet));
    ASSERT_TRUE(read.ok() && *read == 1);
    all.push_back(octet[0]);
    EXPECT_EQ(stream->HasBufferedOctets(), all.size() < expected.size());
  }
  EXPECT_EQ(all, expected);
}

TEST_F(TlsStreamTest, U10_RecordsThatComeOctetByOctetAreRead) {
  const TestAuthority authority;
  const std::string text(5000, 'x');
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), true}, [&](gnutls_session_t session) {
      EXPECT_EQ(gnutls_record_send(session, text.data(), text.size()), static_cast<ssize_t>(text.size()));
      gnutls_bye(session, GNUTLS_SHUT_RDWR);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  const auto read = Read(*stream);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, OctetsOf(text));
  EXPECT_TRUE(Read(*stream)->empty());
  stream->Close();
}

Octets Pattern(size_t octets) {
  Octets pattern(octets);
  uint32_t state = 1;
  for (uint8_t& octet : pattern) {
    state = state * 1664525 + 1013904223;
    octet = static_cast<uint8_t>(state >> 24);
  }
  return pattern;
}
std::string TextOf(const Octets& octets) { return {octets.begin(), octets.end()}; }

// More than the sockets' buffers hold in any case.
constexpr size_t kLargeOctets = size_t{24} << 20;

TEST_F(TlsStreamTest, X12_WriterWaitsForAReaderThatDoesNotRead) {
  const TestAuthority authority;
  const Octets sent = Pattern(kLargeOctets);
  std::promise<void> start_reading;
  std::string received;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t session) {
      start_reading.get_future().wait();
      received = ReceiveOctets(session, kLargeOctets);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  TaskGroup group(loop_);
  Outcome<absl::Status> written;
  written.From(group, stream->Write(sent));
  loop_.restart();
  while (loop_.poll_one() != 0) {
  }
  EXPECT_FALSE(written.ready());
  start_reading.set_value();
  EXPECT_TRUE(written.Wait(loop_).ok());
  peer.Join();
  EXPECT_TRUE(received == TextOf(sent));
}

TEST_F(TlsStreamTest, CloseEndsAWaitingWrite) {
  const TestAuthority authority;
  const Octets sent = Pattern(kLargeOctets);
  std::promise<void> end;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t) { end.get_future().wait(); });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  TaskGroup group(loop_);
  Outcome<absl::Status> written;
  written.From(group, stream->Write(sent));
  loop_.restart();
  while (loop_.poll_one() != 0) {
  }
  ASSERT_FALSE(written.ready());
  stream->Close();
  EXPECT_EQ(written.Wait(loop_).code(), absl::StatusCode::kCancelled);
  end.set_value();
}

// Reads until `octets` have come.
Task<absl::Status> ReadInto(TlsStream* stream, Octets* target, size_t octets) {
  Octets buffer(16'384);
  while (target->size() < octets) {
    const absl::StatusOr<size_t> read = co_await stream->Read(buffer);
    if (!read.ok()) co_return read.status();
    if (*read == 0) co_return absl::DataLossError("the stream ended early");
    target->insert(target->end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*read));
  }
  co_return absl::OkStatus();
}

TEST_F(TlsStreamTest, BusyStreamLeavesTurnsToOthers) {
  constexpr size_t kRecords = 20 * Limits::kStreamReadsPerTurn;
  const TestAuthority authority;
  std::promise<void> all_sent;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t session) {
      for (size_t i = 0; i < kRecords; ++i) EXPECT_EQ(gnutls_record_send(session, "x", 1), 1);
      all_sent.set_value();
      ReadAll(socket);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  all_sent.get_future().wait();
  TaskGroup group(loop_);
  Outcome<absl::Status> read;
  Octets octets;
  read.From(group, ReadInto(stream.get(), &octets, kRecords));
  loop_.restart();
  size_t turns = 0;
  while (!read.ready()) turns += loop_.poll_one();
  EXPECT_GE(turns, kRecords / Limits::kStreamReadsPerTurn - 1);
  stream->Close();
}

class BothWaysTest : public TlsStreamTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BothWaysTest, ReaderAndWriterWorkAtTheSameTime) {
  const TestAuthority authority;
  const Octets sent = Pattern(kLargeOctets);
  const std::string text = TextOf(sent);
  std::string received;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {GetParam(), authority.Issue(), false}, [&](gnutls_session_t session) {
      // An echo, record by record: with both directions full, each side waits for the other at times.
      std::array<char, 16'384> part;
      while (received.size() < kLargeOctets) {
        const ssize_t got = gnutls_record_recv(session, part.data(), part.size());
        if (got <= 0) return;
        received.append(part.data(), static_cast<size_t>(got));
        if (gnutls_record_send(session, part.data(), static_cast<size_t>(got)) != got) return;
      }
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  TaskGroup group(loop_);
  Outcome<absl::Status> written;
  Outcome<absl::Status> read;
  Octets echoed;
  written.From(group, stream->Write(sent));
  read.From(group, ReadInto(stream.get(), &echoed, kLargeOctets));
  EXPECT_TRUE(read.Wait(loop_).ok()) << *read;
  EXPECT_TRUE(written.Wait(loop_).ok()) << *written;
  peer.Join();
  EXPECT_TRUE(echoed == sent);
}

INSTANTIATE_TEST_SUITE_P(BothVersions, BothWaysTest, ::testing::Values(kTls12, kTls13), PriorityName);

// ---------------------------------------------------------------- TLS events between the octets

TEST_F(TlsStreamTest, U10_KeyUpdatesAreFollowed) {
  const TestAuthority authority;
  std::string received;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t session) {
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(gnutls_session_key_update(session, i % 2 == 0 ? GNUTLS_KU_PEER : 0), 0);
        EXPECT_EQ(gnutls_record_send(session, "pong", 4), 4);
        received += ReceiveOctets(session, 4);
      }
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  for (int i = 0; i < 5; ++i) {
    const auto read = Read(*stream);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, OctetsOf("pong"));
    ASSERT_TRUE(Write(*stream, OctetsOf("ping")).ok());
  }
  peer.Join();
  EXPECT_EQ(received, "pingpingpingpingping");
}

// The peer wants new keys while a record of ours is half sent: the answer must not get into the middle of it, and no
// octet may be sent twice.
TEST_F(TlsStreamTest, U10_KeyUpdateUnderABlockedWriteLosesNothing) {
  const TestAuthority authority;
  const Octets sent = Pattern(kLargeOctets);
  std::promise<void> update;
  std::string received;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t session) {
      update.get_future().wait();
      EXPECT_EQ(gnutls_session_key_update(session, GNUTLS_KU_PEER), 0);
      EXPECT_EQ(gnutls_record_send(session, "pong", 4), 4);
      received = ReceiveOctets(session, kLargeOctets + 4);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  TaskGroup group(loop_);
  Outcome<absl::Status> written;
  Outcome<absl::Status> read;
  Octets pong;
  written.From(group, stream->Write(sent));
  loop_.restart();
  while (loop_.poll_one() != 0) {
  }
  ASSERT_FALSE(written.ready());
  read.From(group, ReadInto(stream.get(), &pong, 4));
  update.set_value();
  ASSERT_TRUE(read.Wait(loop_).ok()) << *read;
  ASSERT_TRUE(written.Wait(loop_).ok()) << *written;
  ASSERT_TRUE(Write(*stream, OctetsOf("last")).ok());
  peer.Join();
  EXPECT_TRUE(received == TextOf(sent) + "last");
}

TEST_F(TlsStreamTest, U10_X13_RenegotiationIsRefusedAndTheStreamGoesOn) {
  const TestAuthority authority;
  ssize_t answer = 0;
  int alert = -1;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls12, authority.Issue(), false}, [&](gnutls_session_t session) {
      EXPECT_EQ(gnutls_rehandshake(session), 0);
      char octet = 0;
      answer = gnutls_record_recv(session, &octet, 1);
      alert = gnutls_alert_get(session);
      EXPECT_EQ(gnutls_record_send(session, "pong", 4), 4);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  const auto read = Read(*stream);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, OctetsOf("pong"));
  peer.Join();
  EXPECT_EQ(answer, GNUTLS_E_WARNING_ALERT_RECEIVED);
  EXPECT_EQ(alert, GNUTLS_A_NO_RENEGOTIATION);
}

TEST_F(TlsStreamTest, U10_X13_FloodOfRecordsWithoutDataEndsTheStream) {
  const TestAuthority authority;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls12, authority.Issue(), false}, [&](gnutls_session_t session) {
      for (size_t i = 0; i < Limits::kTlsIdleRecordsMax && gnutls_rehandshake(session) == 0; ++i) {
      }
      ReadAll(socket);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  const auto read = Read(*stream);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(read.status()), HasSubstr("without data"));
  stream->Close();
}

TEST_F(TlsStreamTest, U10_FatalAlertIsNamed) {
  const TestAuthority authority;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t session) {
      gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  const auto read = Read(*stream);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(TextOf(read.status()), AllOf(HasSubstr(": stream: "), HasSubstr("Internal error")));
}

TEST_F(TlsStreamTest, U10_ForgedRecordIsUnavailable) {
  const TestAuthority authority;
  BlockingPeer peer([&](int socket) {
    ServeBlockingTls(socket, {kTls13, authority.Issue(), false}, [&](gnutls_session_t) {
      const Octets forged = Join({Hex("17 0303 0040"), Octets(64, 0x5a)});
      EXPECT_GT(send(socket, forged.data(), forged.size(), MSG_NOSIGNAL), 0);
      ReadAll(socket);
    });
  });
  const auto stream = MustConnect({Trust(authority.ca_file()), "dns.test", peer.endpoint(), {}, nullptr});
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(Read(*stream).status().code(), absl::StatusCode::kUnavailable);
  stream->Close();
}

// ---------------------------------------------------------------- the server's side

// Connects a blocking socket to `server`.
Descriptor RawConnection(const LoopbackDotServer& server) {
  const SocketAddress address(server.endpoint());
  Descriptor descriptor(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(descriptor.get(), address.data(), address.size()), 0);
  return descriptor;
}

TEST(TlsAcceptTest, ClientThatSpeaksNoTlsIsDropped) {
  const LoopbackDotServer server;
  const Descriptor client = RawConnection(server);
  const Octets query = Framed(MessageBuilder::Query(1, "www.example.", rr_type::kA).Build());
  ASSERT_GT(send(client.get(), query.data(), query.size(), 0), 0);
  ReadAll(client.get());
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.failed_handshakes == 1; }));
  EXPECT_EQ(server.counters().queries, 0U);
}

TEST(TlsAcceptTest, A4_SilentClientEndsAtTheDeadline) {
  int pair[2] = {-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const Descriptor client(pair[0]);
  const TestCertificate certificate = TestAuthority().Issue();
  const auto credentials = TlsServerCredentials::Create(certificate.chain, certificate.key);
  ASSERT_TRUE(credentials.ok());
  asio::io_context loop;
  const Deadline deadline = Deadline::After(std::chrono::steady_clock::now(), milliseconds(50));
  const StreamOr stream = RunTask(loop, TlsStream::Accept(loop, pair[1], *credentials, deadline));
  EXPECT_EQ(stream.status().code(), absl::StatusCode::kDeadlineExceeded);
  char octet = 0;
  EXPECT_EQ(recv(client.get(), &octet, 1, 0), 0) << "the socket is closed";
}

TEST(TlsAcceptTest, S3_ClientThatHalfClosedIsStillAnswered) {
  LoopbackDotServer server;
  const Octets query = MessageBuilder::Query(5, "www.example.", rr_type::kA).Build();
  const Octets expected = Framed(PositiveAnswerTo(query));
  for (const char* const priority : {kTls12, kTls13}) {
    std::string reply;
    const int code = TalkBlockingTls(server.endpoint(), priority, [&](gnutls_session_t session) {
      const Octets framed = Framed(query);
      EXPECT_EQ(gnutls_record_send(session, framed.data(), framed.size()), static_cast<ssize_t>(framed.size()));
      EXPECT_EQ(gnutls_bye(session, GNUTLS_SHUT_WR), 0);
      reply = ReceiveOctets(session, expected.size());
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(OctetsOf(reply), expected);
  }
}

TEST(TlsAcceptTest, X13_ClientsRenegotiationIsRefused) {
  LoopbackDotServer server(nullptr, WithVersions(TlsVersions::kTls12Only));
  int second = 0;
  const int first = TalkBlockingTls(server.endpoint(), kTls12, [&](gnutls_session_t session) {
    do {
      second = gnutls_handshake(session);
    } while (second < 0 && gnutls_error_is_fatal(second) == 0 && second != GNUTLS_E_WARNING_ALERT_RECEIVED);
  });
  EXPECT_EQ(first, 0);
  EXPECT_NE(second, 0);
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.closed_connections == 1; }));
  EXPECT_EQ(server.counters().handshakes, 1U);
}

TEST(TlsAcceptTest, U11_OldClientsAreRefused) {
  const LoopbackDotServer server;
  EXPECT_NE(TalkBlockingTls(server.endpoint(), "NORMAL:-VERS-ALL:+VERS-TLS1.1", [](gnutls_session_t) {}), 0);
  EXPECT_TRUE(server.WaitUntil([](const Counters& counters) { return counters.failed_handshakes == 1; }));
}

// ---------------------------------------------------------------- parts

TEST(FindChosenAlpnTest, ReadsServerHelloAndEncryptedExtensions) {
  const Octets extensions = Join({Hex("0010 ff01 0001 00 0010 0006 0004 03"), OctetsOf("dot")});
  Octets sized = extensions;
  sized[1] = static_cast<uint8_t>(extensions.size() - 2);
  EXPECT_EQ(FindChosenAlpn(sized, true), "dot");
  EXPECT_EQ(FindChosenAlpn(Join({Hex("0303"), Octets(32), Hex("02 aaaa c02f 00"), sized}), false), "dot");
}

TEST(FindChosenAlpnTest, AnyCutOrAbsenceIsNone) {
  EXPECT_EQ(FindChosenAlpn({}, true), std::nullopt);
  EXPECT_EQ(FindChosenAlpn({}, false), std::nullopt);
  EXPECT_EQ(FindChosenAlpn(Hex("0000"), true), std::nullopt);
  EXPECT_EQ(FindChosenAlpn(Join({Hex("0303"), Octets(32), Hex("00 c02f 00")}), false), std::nullopt);
  const Octets whole = Join({Hex("0009 0010 0005 0003 02"), OctetsOf("h2")});
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto chosen = FindChosenAlpn(std::span(whole).first(length), true);
    EXPECT_NE(chosen, "h2") << length;
  }
}

TEST(PrintableTest, BoundsAndCleansText) {
  EXPECT_EQ(Printable("dns.test"), "dns.test");
  EXPECT_EQ(Printable("a\n\x7f\xff"), "a???");
  EXPECT_THAT(Printable(std::string(81, 'a')), ::testing::MatchesRegex("a+[.][.][.]"));
  EXPECT_EQ(Printable(std::string(81, 'a')).size(), 83U);
}

}  // namespace
}  // namespace dotward
