#include "admin/control_server.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <thread>

#include "admin/control_client.h"
#include "base/strings.h"
#include "fake_service_control.h"
#include "testing/manual_clock.h"
#include "testing/temporary_folder.h"

namespace dotward {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// With the path of a socket in it.
struct SocketFolder : TemporaryFolder {
  std::string Path(std::string_view name = "control.sock") const { return *this / name; }
};

// A client that does what a good one would not.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const UnixAddress address = *UnixAddress::Of(path);
    connected_ = connect(socket_.get(), address.data(), address.size) == 0;
  }
  bool connected() const { return connected_; }
  bool Send(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t sent = send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      octets.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Everything up to the end of the stream; nullopt where that does not come in time.
  std::optional<std::string> ReadAll(milliseconds patience = seconds(10)) {
    std::string text;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now()).count();
      pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) != 1) return std::nullopt;
      char buffer[4096];
      const ssize_t octets = recv(socket_.get(), buffer, sizeof(buffer), 0);
      if (octets <= 0) return text;
      text.append(buffer, static_cast<size_t>(octets));
    }
  }

 private:
  Descriptor socket_;
  bool connected_ = false;
};

bool Within(seconds patience, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

class ControlServerTest : public testing::Test {
 protected:
  void Start(const ControlPatience& patience = {}) {
    absl::StatusOr<ControlSocket> socket = ControlSocket::Open(path_);
    ASSERT_TRUE(socket.ok()) << socket.status();
    server_.emplace(*std::move(socket), service_, clock_, patience);
    server_->Start();
  }
  std::string Ask(std::string_view line) {
    RawClient client(path_);
    EXPECT_TRUE(client.Send(StrCat(line, "\n")));
    return client.ReadAll().value_or("no end");
  }
  static std::string Request(std::string_view command, std::string_view rest = "") {
    return StrCat(R"({"schema":1,"command":")", command, "\"", rest, "}");
  }

  const SocketFolder folder_;
  const std::string path_ = folder_.Path();
  ManualClock clock_;
  FakeServiceControl service_;
  std::optional<ControlServer> server_;
};

// --- what is answered ---

TEST_F(ControlServerTest, AnswersOneLineThatIsOneLineOfJson) {
  Start();
  const std::string reply = Ask(Request("status"));
  EXPECT_EQ(reply, R"({"schema":1,"version":"9.9","pid":4711,"ready":true,"uptime_seconds":0,"workers":3,)"
                   R"("config_file":null,"listening":[]})"
                   "\n");
  service_.is_ready = false;
  EXPECT_EQ(nlohmann::json::parse(Ask(Request("health")))["ready"], false);
}

TEST_F(ControlServerTest, ARequestWithoutALineBreakIsAnsweredAtTheEndOfItsStream) {
  Start();
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UnixAddress address = *UnixAddress::Of(path_);
  ASSERT_EQ(connect(socket.get(), address.data(), address.size), 0);
  const std::string request = Request("health");
  ASSERT_EQ(send(socket.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_EQ(shutdown(socket.get(), SHUT_WR), 0);
  char buffer[256];
  EXPECT_GT(recv(socket.get(), buffer, sizeof(buffer), 0), 0);
}

TEST_F(ControlServerTest, FlushReachesTheRightPartOfTheCache) {
  Start();
  EXPECT_EQ(Ask(Request("cache flush", R"(,"name":"a.example")")), "{\"schema\":1,\"flushed\":7}\n");
  Ask(Request("cache flush", R"(,"name":"example","scope":"zone")"));
  Ask(Request("cache flush", R"(,"scope":"all")"));
  EXPECT_EQ(service_.flushed, (std::vector<std::string>{"name a.example.", "zone example.", "zone ."}));
}

TEST_F(ControlServerTest, EntriesComeALineEachAndThenTheirNumber) {
  service_.entries = {MakeCacheEntry("a.example.", 20, clock_.Now()), MakeCacheEntry("b.example.", 20, clock_.Now())};
  service_.walk_turns = 3;
  Start();
  clock_.Advance(seconds(10));
  std::istringstream reply(Ask(Request("cache dump")));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(reply, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines[0]["name"], "a.example.");
  EXPECT_EQ(lines[0]["type"], "TXT");
  EXPECT_EQ(lines[0]["upstream"], "quad9");
  EXPECT_EQ(lines[0]["age_seconds"], 10);
  EXPECT_TRUE(std::regex_match(lines[0]["received_at"].get<std::string>(),
                               std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ")));
  EXPECT_EQ(lines[0]["ttl_seconds"], 290);
  EXPECT_EQ(lines[0]["records"][0]["ttl"], 290);
  EXPECT_EQ(lines[6], (nlohmann::json{{"schema", 1}, {"end", true}, {"entries", 6}}));
}

TEST_F(ControlServerTest, ALookupLeavesOutOtherTypesAndOtherFlags) {
  service_.entries = {MakeCacheEntry("a.example.", 20, clock_.Now())};
  Start();
  const auto entries = [&](std::string_view rest) {
    const std::string reply = Ask(Request("cache lookup", StrCat(R"(,"name":"a.example")", rest)));
    return std::count(reply.begin(), reply.end(), '\n') - 1;
  };
  EXPECT_EQ(entries(""), 1);
  EXPECT_EQ(entries(R"(,"type":"TXT")"), 1);
  EXPECT_EQ(entries(R"(,"type":"A")"), 0);
  EXPECT_EQ(entries(R"(,"dnssec_ok":true)"), 0);
}

TEST_F(ControlServerTest, ALookupShowsVerdictsAndAWalkDoesNotLookForThem) {
  service_.entries = {MakeCacheEntry("a.example.", 20, clock_.Now())};
  service_.trust.verdict = KnownVerdict::kInsecure;
  Start();
  const auto first = [&](const std::string& request) {
    const std::string reply = Ask(request);
    return nlohmann::json::parse(reply.substr(0, reply.find('\n')));
  };
  EXPECT_EQ(first(Request("cache lookup", R"(,"name":"a.example")"))["verdict"], "insecure");
  EXPECT_FALSE(first(Request("cache dump")).contains("verdict"));
}

TEST_F(ControlServerTest, AQuestionThatTakesLongHoldsUpNobodyElse) {
  Start();
  RawClient slow(path_);
  ASSERT_TRUE(slow.Send(Request("query", R"(,"name":"www.example.","upstream":"quad9")") + "\n"));
  ASSERT_TRUE(Within(seconds(10), [&] {
    const std::lock_guard lock(service_.mutex);
    return !service_.waiting.empty();
  }));
  EXPECT_NE(Ask(Request("status")).find("9.9"), std::string::npos);

  ControlAnswer answer;
  answer.response = PositiveAnswerTo(MessageBuilder::Query(7, "www.example.", rr_type::kA).Build());
  answer.upstream = "quad9";
  answer.took = milliseconds(12);
  service_.waiting[0](answer);
  const nlohmann::json reply = nlohmann::json::parse(slow.ReadAll().value_or(""));
  EXPECT_EQ(reply["rcode"], "NOERROR");
  EXPECT_EQ(reply["records"][0]["data"], "192.0.2.1");
  EXPECT_EQ(reply["seconds"], 0.012);
  EXPECT_EQ(service_.asked[0].upstream, "quad9");
}

TEST_F(ControlServerTest, AnAnswerForAClientThatHasGoneReachesNobodyAndDoesNoHarm) {
  Start();
  {
    RawClient gone(path_);
    ASSERT_TRUE(gone.Send(Request("query", R"(,"name":"www.example.")") + "\n"));
    ASSERT_TRUE(Within(seconds(10), [&] {
      const std::lock_guard lock(service_.mutex);
      return !service_.waiting.empty();
    }));
  }
  ControlAnswer answer;
  answer.status = absl::UnavailableError("nobody");
  service_.waiting[0](answer);
  EXPECT_NE(Ask(Request("status")).find("9.9"), std::string::npos);
}

TEST_F(ControlServerTest, StopWaitsForTheAnswerThatIsUnderWay) {
  Start();
  RawClient client(path_);
  ASSERT_TRUE(client.Send(Request("query", R"(,"name":"www.example.")") + "\n"));
  ASSERT_TRUE(Within(seconds(10), [&] {
    const std::lock_guard lock(service_.mutex);
    return !service_.waiting.empty();
  }));
  std::thread answering([&] {
    EXPECT_EQ(client.ReadAll(), "");  // Stop closes it
    ControlAnswer answer;
    answer.status = absl::UnavailableError("the server is stopping");
    service_.waiting[0](answer);
  });
  server_->Stop();
  answering.join();
}

// --- who is no good client ---

TEST_F(ControlServerTest, GarbageGetsAnErrorAndTheEnd) {
  Start();
  for (const std::string_view garbage : {"GET / HTTP/1.1\r\n", "\n", "\x16\x03\x01\xff\xfe\n", "{}\n", "[[[[\n"}) {
    RawClient client(path_);
    ASSERT_TRUE(client.Send(garbage));
    const nlohmann::json reply = nlohmann::json::parse(client.ReadAll().value_or("no end"), nullptr, false);
    ASSERT_TRUE(reply.is_object()) << garbage;
    EXPECT_EQ(reply["code"], "invalid_argument");
    EXPECT_EQ(reply["schema"], 1);
  }
}

TEST_F(ControlServerTest, ARequestHasABound) {
  Start();
  std::string longest = Request("health");
  longest.resize(Limits::kControlRequestOctetsMax - 1, ' ');
  EXPECT_EQ(nlohmann::json::parse(Ask(longest))["ready"], true);
  RawClient client(path_);
  client.Send(std::string(Limits::kControlRequestOctetsMax, 'x'));
  const std::string reply = client.ReadAll().value_or("no end");
  EXPECT_NE(reply.find("at most 65536 octets"), std::string::npos) << reply;
}

TEST_F(ControlServerTest, WhoSaysNothingIsClosedAfterAWhile) {
  Start({.request = milliseconds(50)});
  RawClient silent(path_);
  EXPECT_EQ(silent.ReadAll(), "");
  RawClient half(path_);
  ASSERT_TRUE(half.Send(R"({"schema":1,)"));
  EXPECT_EQ(half.ReadAll(), "");
}

// 64 entries of 60 KiB a turn: far more than fits into a socket that nobody reads.
TEST_F(ControlServerTest, WhoDoesNotReadCostsLittleMemoryAndIsClosedAfterAWhile) {
  for (int i = 0; i < 64; ++i) service_.entries.push_back(MakeCacheEntry("a.example.", 60'000, clock_.Now()));
  service_.walk_turns = 1000;
  Start({.write = milliseconds(200)});
  RawClient client(path_);
  ASSERT_TRUE(client.Send(Request("cache dump") + "\n"));
  // Another is served meanwhile.
  EXPECT_NE(Ask(Request("status")).find("9.9"), std::string::npos);
  // Places are few: that all can be taken at once shows that it has lost its own.
  ASSERT_TRUE(Within(seconds(20), [&] {
    std::vector<std::unique_ptr<RawClient>> all;
    for (size_t i = 0; i < Limits::kControlConnectionsMax; ++i) all.push_back(std::make_unique<RawClient>(path_));
    return all.back()->Send(Request("health") + "\n") &&
           all.back()->ReadAll().value_or("").find("ready") != std::string::npos;
  }));
  // The walk went no further than what the client's socket took.
  EXPECT_LE(service_.turns_walked, 2U);
}

TEST_F(ControlServerTest, AClientThatGoesAwayInTheMiddleOfADumpEndsTheWalk) {
  for (int i = 0; i < 64; ++i) service_.entries.push_back(MakeCacheEntry("a.example.", 1000, clock_.Now()));
  service_.walk_turns = 1'000'000;
  Start();
  {
    RawClient client(path_);
    ASSERT_TRUE(client.Send(Request("cache dump") + "\n"));
    ASSERT_TRUE(Within(seconds(10), [&] { return service_.turns_walked > 0; }));
  }
  server_->Stop();
  EXPECT_LT(service_.turns_walked, 1000U);
}

TEST_F(ControlServerTest, OneMoreThanTheBoundIsToldSoAndAPlaceThatIsFreeIsTaken) {
  Start();
  std::vector<std::unique_ptr<RawClient>> all;
  for (size_t i = 0; i < Limits::kControlConnectionsMax; ++i) all.push_back(std::make_unique<RawClient>(path_));
  const nlohmann::json refused = nlohmann::json::parse(RawClient(path_).ReadAll().value_or("no end"));
  EXPECT_EQ(refused["code"], "resource_exhausted");
  all.pop_back();
  EXPECT_TRUE(Within(seconds(10), [&] { return Ask(Request("health")).find("ready") != std::string::npos; }));
}

// --- the socket itself ---

TEST(ControlSocketTest, OwnerAndGroupAloneMayUseItWhateverTheUmask) {
  const SocketFolder folder;
  for (const mode_t mask : {mode_t{0077}, mode_t{0}}) {
    const mode_t before = umask(mask);
    const absl::StatusOr<ControlSocket> socket = ControlSocket::Open(folder.Path());
    umask(before);
    ASSERT_TRUE(socket.ok()) << socket.status();
    struct stat found {};
    ASSERT_EQ(lstat(folder.Path().c_str(), &found), 0);
    EXPECT_TRUE(S_ISSOCK(found.st_mode));
    EXPECT_EQ(found.st_mode & 07777U, 0660U);
  }
}

TEST(ControlSocketTest, MakesItsFolderAndTakesItsPathAlong) {
  const SocketFolder folder;
  const std::string path = folder.Path("new/control.sock");
  {
    const absl::StatusOr<ControlSocket> socket = ControlSocket::Open(path);
    ASSERT_TRUE(socket.ok()) << socket.status();
    struct stat found {};
    ASSERT_EQ(stat(folder.Path("new").c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0755U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ControlSocketTest, TheSocketOfADeadProcessIsReplaced) {
  const SocketFolder folder;
  {
    const Descriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const UnixAddress address = *UnixAddress::Of(folder.Path());
    ASSERT_EQ(bind(dead.get(), address.data(), address.size), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(folder.Path()));
  EXPECT_TRUE(ControlSocket::Open(folder.Path()).ok());
}

TEST(ControlSocketTest, OneThatSomebodyListensAtIsLeftAlone) {
  const SocketFolder folder;
  const absl::StatusOr<ControlSocket> first = ControlSocket::Open(folder.Path());
  ASSERT_TRUE(first.ok());
  const absl::StatusOr<ControlSocket> second = ControlSocket::Open(folder.Path());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(MessageOf(second.status()).find("another server is running"), std::string_view::npos) << second.status();
  EXPECT_TRUE(std::filesystem::exists(folder.Path()));
}

TEST(ControlSocketTest, SomethingElseAtThePathIsNeverRemoved) {
  const SocketFolder folder;
  std::ofstream(folder.Path()) << "precious";
  const absl::StatusOr<ControlSocket> opened = ControlSocket::Open(folder.Path());
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::is_regular_file(folder.Path()));
}

TEST(ControlSocketTest, APathThatAnotherHasTakenSinceIsNotRemoved) {
  const SocketFolder folder;
  std::optional<ControlSocket> old(*ControlSocket::Open(folder.Path()));
  std::filesystem::remove(folder.Path());
  const absl::StatusOr<ControlSocket> fresh = ControlSocket::Open(folder.Path());
  ASSERT_TRUE(fresh.ok());
  old.reset();
  EXPECT_TRUE(std::filesystem::exists(folder.Path()));
}

TEST(ControlSocketTest, AFolderThatCannotBeMadeAndAPathThatIsTooLongAreSaidToBe) {
  const absl::Status nowhere = ControlSocket::Open("/proc/nowhere/control.sock").status();
  EXPECT_NE(MessageOf(nowhere).find("its folder /proc/nowhere cannot be made"), std::string_view::npos) << nowhere;
  EXPECT_EQ(ControlSocket::Open("/tmp/" + std::string(200, 'x')).status().code(), absl::StatusCode::kInvalidArgument);
}

// --- what a client is told that cannot reach it ---

absl::Status AskStatus(const std::string& path) {
  return AskControl(path, {}, seconds(5), [](std::string_view) { return true; });
}

TEST(ControlClientTest, WhereThereIsNoSocketThePathIsNamed) {
  const SocketFolder folder;
  const absl::Status status = AskStatus(folder.Path());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(MessageOf(status).find(folder.Path() + ": is dotward running"), std::string_view::npos) << status;
}

TEST(ControlClientTest, AStaleSocketAndAPlainFileAreToldApart) {
  const SocketFolder folder;
  {
    const Descriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const UnixAddress address = *UnixAddress::Of(folder.Path());
    ASSERT_EQ(bind(dead.get(), address.data(), address.size), 0);
  }
  EXPECT_NE(MessageOf(AskStatus(folder.Path())).find("has ended"), std::string_view::npos);
  std::ofstream(folder.Path("file")) << "x";
  EXPECT_NE(MessageOf(AskStatus(folder.Path("file"))).find("is not a socket"), std::string_view::npos);
}

// A child that is nobody: root may do everything.
TEST(ControlClientTest, WithoutPermissionOwnerAndGroupAreNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const SocketFolder folder;
  const absl::StatusOr<ControlSocket> socket = ControlSocket::Open(folder.Path());
  ASSERT_TRUE(socket.ok());
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setgroups(0, nullptr) == 0 && setgid(65534) == 0 && setuid(65534) == 0;
    const absl::Status status = AskStatus(folder.Path());
    const bool said = status.code() == absl::StatusCode::kPermissionDenied &&
                      MessageOf(status).find("belongs to root:root; run this as root") != std::string_view::npos;
    _exit(dropped && said ? 0 : 1);
  }
  int result = -1;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

TEST_F(ControlServerTest, TheClientHandsOverLineByLineAndStopsWhenTold) {
  service_.entries = {MakeCacheEntry("a.example.", 20, clock_.Now())};
  service_.walk_turns = 100;
  Start();
  ControlRequest request;
  request.command = ControlCommand::kCacheDump;
  size_t lines = 0;
  EXPECT_TRUE(AskControl(path_, request, seconds(5), [&](std::string_view) { return ++lines < 1000; }).ok());
  EXPECT_EQ(lines, 101U);
  lines = 0;
  EXPECT_TRUE(AskControl(path_, request, seconds(5), [&](std::string_view) { return ++lines < 3; }).ok());
  EXPECT_EQ(lines, 3U);
}

}  // namespace
}  // namespace dotward
