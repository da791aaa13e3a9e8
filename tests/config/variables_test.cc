#include "config/variables.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/strings.h"

namespace dotward {
namespace {

std::optional<std::string> Environ(const std::string& name) {
  if (name == "NAME") return "value";
  if (name == "EMPTY") return "";
  if (name == "NESTED") return "${NAME}";
  if (name == "LEVEL") return "debug";
  if (name == "WORKERS") return "3";
  if (name == "LIST") return "[a, b]";
  if (name == "LONG") return std::string(Limits::kConfigTextOctetsMax, 'x');
  return std::nullopt;
}

std::vector<std::string> ErrorsOf(const std::string& text) {
  std::vector<std::string> errors;
  for (const ConfigError& error : ParseConfig({.texts = {{"f", text}}, .environment = Environ}).errors) {
    errors.push_back(error.ToString());
  }
  return errors;
}

TEST(ExpandVariablesTest, PutsVariablesAndDefaultsIn) {
  for (const auto& [text, expanded] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"plain", "plain"},
                                                        {"${NAME}", "value"},
                                                        {"a${NAME}b${NAME}", "avaluebvalue"},
                                                        {"${EMPTY}", ""},
                                                        {"${EMPTY:-default}", "default"},
                                                        {"${UNSET:-default}", "default"},
                                                        {"${UNSET:-}", ""},
                                                        {"${NAME:-default}", "value"},
                                                        {"${UNSET:-a:-b$ {c}", "a:-b$ {c"},
                                                        {"$${NAME}", "${NAME}"},
                                                        {"$$${NAME}", "$${NAME}"},
                                                        {"$", "$"},
                                                        {"$NAME $$ 5$", "$NAME $$ 5$"},
                                                        {"${NESTED}", "${NAME}"}}) {
    EXPECT_EQ(ExpandVariables(text, Environ).value_or("error"), expanded) << text;
  }
}

TEST(ExpandVariablesTest, SaysWhatIsWrong) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"${UNSET}", "the environment variable UNSET is not set; set it, or write ${UNSET:-default}"},
           {"a ${NAME", "\"${NAME\" lacks its \"}\""},
           {"${}", "\"${}\" names no variable"},
           {"${1A}", "\"${1A}\" names no variable"},
           {"${A-B}", "\"${A-B}\" names no variable"},
           {"${A:+B}", "\"${A:+B}\" names no variable"},
           {"${LONG}x", "is longer than 4096 octets"}}) {
    const absl::StatusOr<std::string> expanded = ExpandVariables(text, Environ);
    ASSERT_FALSE(expanded.ok()) << text;
    EXPECT_NE(MessageOf(expanded.status()).find(part), std::string::npos) << expanded.status();
  }
}

TEST(EscapeVariablesTest, ExpandsToTheText) {
  for (const char* text : {"", "$", "${NAME}", "$${NAME}", "$$${", "a${b${c", "${${"}) {
    EXPECT_EQ(ExpandVariables(EscapeVariables(text), Environ).value_or("error"), text) << text;
  }
}

TEST(VariablesInConfigTest, AnyValueMayComeFromTheEnvironment) {
  const ConfigResult result = ParseConfig({.texts = {{"f",
                                                      "workers: ${WORKERS}\n"
                                                      "log: { level: \"${LEVEL}\", file: '/${NAME}/$${x}' }\n"
                                                      "query: { udp_payload_size: \"${UNSET:-4096}\" }\n"}},
                                           .environment = Environ});
  for (const ConfigError& error : result.errors) ADD_FAILURE() << error.ToString();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config->workers, 3U);
  EXPECT_EQ(result.config->log.level, LogLevel::kDebug);
  EXPECT_EQ(result.config->log.file, "/value/${x}");
  EXPECT_EQ(result.config->query.udp_payload_size, 4096);
  // What is printed reads as the same, whatever the environment holds then.
  const ConfigResult again = ParseConfig(PrintConfig(*result.config), "printed");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.config->log.file, "/value/${x}");
}

TEST(VariablesInConfigTest, AnErrorNamesTheVariableAndItsPlace) {
  EXPECT_EQ(ErrorsOf("workers: 2\nlog:\n  level: ${UNSET}\naccess: { allow: [\"${GONE}\"] }\nlisten: ${LOST}\n"),
            (std::vector<std::string>{
                "f:3:10: log.level: the environment variable UNSET is not set; set it, or write ${UNSET:-default}",
                "f:4:19: access.allow[0]: the environment variable GONE is not set; set it, or write "
                "${GONE:-default}",
                "f:5:9: listen: the environment variable LOST is not set; set it, or write ${LOST:-default}"}));
}

TEST(VariablesInConfigTest, AVariableIsOneValueAndNoKey) {
  EXPECT_EQ(ErrorsOf("listen: ${LIST}\n").at(0), "f:1:9: listen: \"[a, b]\" is not a list; write [\"[a, b]\"]");
  EXPECT_EQ(ErrorsOf("${NAME}: 1\n").size(), 1U);
  EXPECT_NE(ErrorsOf("${NAME}: 1\n").at(0).find("\"${NAME}\": unknown key"), std::string::npos);
}

TEST(VariablesInConfigTest, WhatTheyHoldIsBounded) {
  std::string text = "access: { allow: [";
  for (size_t i = 0; i < Limits::kConfigOctetsMax / Limits::kConfigTextOctetsMax; ++i) text += "\"${LONG}\",";
  // The list is replaced, so that what it holds is never read.
  const ConfigResult result = ParseConfig(
      {.texts = {{"f", text + "] }\nuser: ${NAME}\n"}, {"g", "access: { allow: [] }"}}, .environment = Environ});
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].ToString(),
            "f:2:7: user: with this the values are longer than 4 MiB once their variables are put in");
}

}  // namespace
}  // namespace dotward
