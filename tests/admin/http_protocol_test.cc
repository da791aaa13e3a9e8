#include "admin/http_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/limits.h"

namespace dotward {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpProtocolTest : public testing::Test {
 protected:
  std::string Answer(const std::string& head) { return protocol_.Answer(head); }
  std::string Get(const std::string& path, const std::string& more = "") {
    return Answer("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n");
  }

  std::vector<std::string> asked_;
  HttpProtocol protocol_{IpAddress::V4({192, 0, 2, 1}), [this](const std::string& path) -> HttpReply {
                           asked_.push_back(path);
                           if (path == "/throws") throw std::runtime_error("a secret");
                           return {.status = path == "/" ? 200 : 404, .body = "the body of " + path};
                         }};
};

TEST_F(HttpProtocolTest, AHeadIsCompleteWithItsEmptyLine) {
  EXPECT_EQ(HttpProtocol::HeadOctets("GET / HTTP/1.1\r\nHost: a\r\n"), 0U);
  EXPECT_EQ(HttpProtocol::HeadOctets("GET / HTTP/1.1\r\n\r\n"), 18U);
  EXPECT_EQ(HttpProtocol::HeadOctets("GET / HTTP/1.1\r\n\r\nmore"), 18U);
  EXPECT_EQ(HttpProtocol::HeadOctets(""), 0U);
}

TEST_F(HttpProtocolTest, GetGivesWhatTheSiteHas) {
  const std::string reply = Get("/");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\nContent-Length: 13\r\n"));
  EXPECT_TRUE(reply.ends_with("\r\n\r\nthe body of /"));
  EXPECT_THAT(Get("/none?a=b#c"), StartsWith("HTTP/1.1 404 "));
  EXPECT_EQ(asked_, (std::vector<std::string>{"/", "/none"}));
}

TEST_F(HttpProtocolTest, HeadIsGetWithoutTheBody) {
  const std::string reply = Answer("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(reply, HasSubstr("\r\nContent-Length: 13\r\n"));
  EXPECT_TRUE(reply.ends_with("\r\n\r\n"));
}

TEST_F(HttpProtocolTest, EveryReplyForbidsBrowsersToDoMoreThanShowIt) {
  for (const std::string& reply : {Get("/"), Get("/none"), Answer("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                                   Answer("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), Get("/throws")}) {
    EXPECT_THAT(reply, HasSubstr("\r\nContent-Security-Policy: default-src 'none'\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nCross-Origin-Resource-Policy: same-origin\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nCache-Control: no-store\r\n"));
    EXPECT_THAT(reply, Not(HasSubstr("Access-Control-Allow")));
  }
}

TEST_F(HttpProtocolTest, NothingButGetAndHeadReachesTheSite) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PRI"}) {
    const std::string reply =
        Answer(std::string(method) + " / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n");
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 405 ")) << method;
    EXPECT_THAT(reply, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
  }
  EXPECT_THAT(Answer("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(HttpProtocolTest, X16_AForeignHostReadsNothing) {
  for (const char* host : {"rebound.example", "rebound.example:8953", "192.0.2.2", "127.0.0.1.rebound.example", ""}) {
    const std::string reply = Answer("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    // The library takes a header without a value for none.
    EXPECT_THAT(reply, StartsWith(*host == '\0' ? "HTTP/1.1 400 " : "HTTP/1.1 421 ")) << host;
  }
  EXPECT_TRUE(asked_.empty());
  EXPECT_THAT(Answer("GET / HTTP/1.1\r\nHost: 192.0.2.1:8953\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpProtocolTest, ThereIsOneHostAndOldProbesMayLeaveItOut) {
  EXPECT_THAT(Answer("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/", "Host: localhost\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(asked_.empty());
  EXPECT_THAT(Answer("GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Answer("GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(HttpProtocolTest, WhatTheSiteThrowsIsNotTold) {
  const std::string reply = Get("/throws");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(reply, Not(HasSubstr("secret")));
}

TEST_F(HttpProtocolTest, X16_RangesAndEncodingsMultiplyNothing) {
  const std::string plain = Get("/");
  EXPECT_EQ(Get("/", "Accept-Encoding: br, gzip\r\n"), plain);
  EXPECT_EQ(Get("/", "Expect: 100-continue\r\n"), plain);
  std::string ranges = "Range: bytes=0-";
  while (ranges.size() < Limits::kHttpRequestOctetsMax - 100) ranges += ",0-";
  EXPECT_EQ(Get("/", ranges + "\r\n"), plain);
}

TEST_F(HttpProtocolTest, X16_AnyOctetsGetOneReply) {
  const std::string long_word(Limits::kHttpRequestOctetsMax - 64, 'a');
  const std::string many_digits(Limits::kHttpRequestOctetsMax - 100, '9');
  std::string many_headers;
  while (many_headers.size() < Limits::kHttpRequestOctetsMax - 100) many_headers += "a:b\r\n";
  std::string many_parameters = "/?";
  while (many_parameters.size() < Limits::kHttpRequestOctetsMax - 100) many_parameters += "a=b&";
  for (const std::string& head :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string("GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"),
        std::string("GET  / HTTP/1.1\r\n\r\n"), "GET /" + long_word + " HTTP/1.1\r\n\r\n", long_word + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n" + many_headers + "\r\n",
        "GET " + many_parameters + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nRange: bytes=" + many_digits + "-\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + many_digits + "\r\n\r\n",
        std::string("GET /%00%ff%zz% HTTP/1.1\r\nHost: %6c\r\n\r\n"), std::string("GET / HTTP/1.1\0\r\n\r\n", 19)}) {
    EXPECT_THAT(Answer(head), StartsWith("HTTP/1.1 ")) << head.substr(0, 60);
  }
}

TEST_F(HttpProtocolTest, TheReplyToAHeadThatIsTooLongSaysSo) {
  EXPECT_THAT(HttpProtocol::AnswerTooLong(), StartsWith("HTTP/1.1 431 "));
}

}  // namespace
}  // namespace dotward
