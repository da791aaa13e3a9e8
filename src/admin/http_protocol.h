#ifndef DOTWARD_ADMIN_HTTP_PROTOCOL_H_
#define DOTWARD_ADMIN_HTTP_PROTOCOL_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/ip_address.h"

namespace dotward {

// What a path leads to.
struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  // Of a page that runs scripts; all others may load and run nothing.
  std::string content_security_policy = "default-src 'none'";
};

// HTTP/1.x as octets in, octets out, by cpp-httplib, whose reading of requests and writing of replies is used and
// nothing else: its own threads, queue and sockets have no bounds. It reads requests without a body, GET and HEAD, for
// hosts that are ours, once a connection. Not thread-safe.
class HttpProtocol {
 public:
  // Gives what is at a path (decoded, without the query behind "?"). Called inside Answer.
  using Site = std::function<HttpReply(const std::string& path)>;

  // `bound` is the address that the endpoint listens on: see IsOwnHost.
  HttpProtocol(const IpAddress& bound, Site site);
  ~HttpProtocol();
  HttpProtocol(const HttpProtocol&) = delete;
  HttpProtocol& operator=(const HttpProtocol&) = delete;

  // How much of `octets` is the head of a request, its empty line included; 0 while that has not come.
  static size_t HeadOctets(std::string_view octets);

  // The whole reply to the head of a request: any octets, which the caller has bounded. The connection ends behind it.
  std::string Answer(std::string_view head);

  // The reply to a head that is longer than the caller reads.
  static std::string AnswerTooLong();

 private:
  class Library;
  const std::unique_ptr<Library> library_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_HTTP_PROTOCOL_H_
