#include "admin/http_protocol.h"

#include <httplib.h>

#include <algorithm>
#include <utility>

#include "admin/http_host.h"
#include "base/strings.h"

namespace dotward {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

// A request that is there as a whole, and a reply that is written down.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string_view request) : request_(request) {}

  std::string TakeReply() { return std::move(reply_); }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* target, size_t size) override {
    const size_t octets = request_.copy(target, size);
    request_.remove_prefix(octets);
    return static_cast<ssize_t>(octets);
  }
  ssize_t write(const char* source, size_t size) override {
    reply_.append(source, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  // There is none; the library compares it with what select() can take.
  socket_t socket() const override { return 0; }

 private:
  std::string_view request_;
  std::string reply_;
};

std::string BareReply(std::string_view status) {
  return StrCat("HTTP/1.1 ", status, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

// Nothing that was asked for is worth the processor time and memory that these make the library spend: parts of a reply
// by the thousand, Brotli at its slowest.
void Simplify(httplib::Request& request) {
  request.ranges.clear();
  request.headers.erase("Accept-Encoding");
  request.headers.erase("Expect");
}

HttpReply Refusal(int status, std::string_view why) { return {.status = status, .body = StrCat(why, "\n")}; }

void Write(HttpReply reply, httplib::Response& response) {
  response.status = reply.status;
  response.set_header("Cache-Control", "no-store");
  response.set_header("Content-Security-Policy", reply.content_security_policy);
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("X-Content-Type-Options", "nosniff");
  response.set_header("X-Frame-Options", "DENY");
  response.set_header("Accept-Ranges", "none");
  if (reply.status == 405) response.set_header("Allow", "GET, HEAD");
  response.set_header("Content-Type", reply.content_type);
  response.body = std::move(reply.body);
}

}  // namespace

class HttpProtocol::Library final : private httplib::Server {
 public:
  Library(const IpAddress& bound, Site site) : bound_(bound), site_(std::move(site)) {
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      Write(Decide(request), response);
      return HandlerResponse::Handled;
    });
    // Without it the library would tell the client what was thrown.
    set_exception_handler([](const httplib::Request& /*request*/, httplib::Response& response,
                             const std::exception_ptr& /*thrown*/) { Write(Refusal(500, "failed"), response); });
  }

  std::string Answer(std::string_view head) {
    MemoryStream stream(head);
    bool closed = false;
    try {
      process_request(stream, /*close_connection=*/true, closed, Simplify);
    } catch (const std::exception&) {
      // Of the library's reading, before it can catch anything: one request must not end the process.
      return BareReply("400 Bad Request");
    }
    return stream.TakeReply();
  }

 private:
  HttpReply Decide(const httplib::Request& request) {
    const size_t hosts = request.get_header_value_count("Host");
    // RFC 9112 §3.2. Probes that speak HTTP/1.0 send none.
    if (hosts > 1 || (hosts == 0 && request.version != "HTTP/1.0")) {
      return Refusal(400, "A request has one Host header.");
    }
    if (hosts == 1 && !IsOwnHost(request.get_header_value("Host"), bound_)) {
      return Refusal(421, "This is not that host. Ask by the address that admin.http has, or as localhost.");
    }
    if (request.method != "GET" && request.method != "HEAD") return Refusal(405, "There is nothing here but to read.");
    return site_(request.path);
  }

  const IpAddress bound_;
  const Site site_;
};

HttpProtocol::HttpProtocol(const IpAddress& bound, Site site)
    : library_(std::make_unique<Library>(bound, std::move(site))) {}

HttpProtocol::~HttpProtocol() = default;

size_t HttpProtocol::HeadOctets(std::string_view octets) {
  const size_t end = octets.find(kHeadEnd);
  return end == std::string_view::npos ? 0 : end + kHeadEnd.size();
}

std::string HttpProtocol::Answer(std::string_view head) { return library_->Answer(head); }

std::string HttpProtocol::AnswerTooLong() { return BareReply("431 Request Header Fields Too Large"); }

}  // namespace dotward
