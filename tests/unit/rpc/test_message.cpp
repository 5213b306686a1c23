// SPDX-License-Identifier: BSD-3-Clause
//
// Source: JSON-RPC 2.0, 4 (request), 5 (response), 5.1 (error object).
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "rpc/message.hpp"

namespace vballoon::rpc {
namespace {

Rejected rejected(std::string_view line) {
  auto request = parse_request(line);
  EXPECT_FALSE(request) << line;
  return request ? Rejected{} : request.error();
}

TEST(Request, CarriesIdMethodAndParameters) {
  const auto request =
      parse_request(R"({"jsonrpc":"2.0","id":7,"method":"device.show","params":{"name":"vm1"}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, 7);
  EXPECT_FALSE(request->notification);
  EXPECT_EQ(request->method, "device.show");
  EXPECT_EQ(request->params.at("name"), "vm1");
}

TEST(Request, WithoutIdIsANotification) {
  const auto request = parse_request(R"({"jsonrpc":"2.0","method":"x"})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->notification);
  EXPECT_TRUE(request->params.is_object());
}

TEST(Request, WithNullIdIsNoNotification) {
  const auto request = parse_request(R"({"jsonrpc":"2.0","id":null,"method":"x"})");
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->notification);
}

TEST(Request, IsRefusedWhenItIsNoJson) {
  for (const char* line : {"{", "hello", "", "{\"a\":1}x", "\xff\xfe"}) {
    EXPECT_EQ(rejected(line).error.code, kParseError) << line;
  }
}

TEST(Request, IsRefusedWhenItIsNoRequest) {
  for (const char* line :
       {"[]", "3", "{}", R"({"id":1,"method":"x"})", R"({"jsonrpc":"1.0","id":1,"method":"x"})",
        R"({"jsonrpc":"2.0","id":1})", R"({"jsonrpc":"2.0","id":1,"method":5})",
        R"({"jsonrpc":"2.0","id":{},"method":"x"})", R"([{"jsonrpc":"2.0","method":"x"}])"}) {
    EXPECT_EQ(rejected(line).error.code, kInvalidRequest) << line;
  }
}

TEST(Request, RefusedKeepsItsIdWhereItHasOne) {
  EXPECT_EQ(rejected(R"({"jsonrpc":"2.0","id":9,"method":5})").id, 9);
  EXPECT_TRUE(rejected(R"({"jsonrpc":"2.0","id":[],"method":"x"})").id.is_null());
  const auto with_id = [](std::size_t bytes) {
    return R"({"jsonrpc":"2.0","method":"x","id":")" + std::string(bytes, 'i') + "\"}";
  };
  EXPECT_TRUE(parse_request(with_id(256)));
  EXPECT_TRUE(rejected(with_id(257)).id.is_null())
      << "it would be kept as long as its request waits";
}

TEST(Request, TakesParametersByNameOnly) {
  const auto error = rejected(R"({"jsonrpc":"2.0","id":1,"method":"x","params":[1]})").error;
  EXPECT_EQ(error.code, kInvalidParams);
}

TEST(Request, NestedBeyondReasonIsRefusedWithoutBeingBuilt) {
  std::string line = R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":)";
  line += std::string(100'000, '[') + std::string(100'000, ']') + "}}";
  EXPECT_EQ(rejected(line).error.code, kInvalidRequest);
}

TEST(Request, WithTooManyValuesIsRefused) {
  std::string line = R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1)";
  for (int i = 0; i < 2000; ++i) line += ",1";
  EXPECT_EQ(rejected(line + "]}}").error.code, kInvalidRequest);
}

TEST(Request, OfSeveralMembersOfOneNameTheLastCounts) {
  const auto request = parse_request(
      R"({"params":[1],"id":1,"jsonrpc":"1.0","method":"x","id":2,"jsonrpc":"2.0",)"
      R"("params":{"a":1},"method":"y","params":{"b":{"c":1,"c":[2]},"b":{"d":3},"e":4}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, 2);
  EXPECT_EQ(request->method, "y");
  EXPECT_EQ(dump(request->params), R"({"b":{"d":3},"e":4})");
}

TEST(Request, MayHaveMembersThatNobodyAsksFor) {
  const auto request = parse_request(
      R"({"params":{"a":[{"b":1}]},"x":{"id":5,"params":7},"jsonrpc":"2.0","y":[],"method":"m"})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->notification);
  EXPECT_EQ(dump(request->params), R"({"a":[{"b":1}]})");
}

/// A line is read as nlohmann reads it into an object.
TEST(Request, IsWhatTheWholeLineIsParsedAs) {
  const std::string whole = R"({"jsonrpc":"2.0","id":1,"method":"m",)"
                            R"("params":{"a":[1,-2,0.5,null,true,"x"],"b":{"c":{}}}})";
  const std::string bytes = R"({}[]":,019.-eE\u n)";
  std::minstd_rand chance(1);
  unsigned requests = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string line = whole;
    for (unsigned i = 0; i <= chance() % 2; ++i) {
      line[chance() % line.size()] = bytes[chance() % bytes.size()];
    }
    const Json object = Json::parse(line, nullptr, false);
    const auto request = parse_request(line);
    if (object.is_discarded()) {
      ASSERT_FALSE(request) << line;
      ASSERT_EQ(request.error().error.code, kParseError) << line;
    } else if (request) {
      ++requests;
      ASSERT_EQ(request->notification, !object.contains("id")) << line;
      ASSERT_EQ(request->id, object.value("id", Json())) << line;
      ASSERT_EQ(request->method, object.at("method")) << line;
      ASSERT_EQ(request->params, object.value("params", Json::object())) << line;
    } else {
      ASSERT_NE(request.error().error.code, kParseError) << line;
    }
  }
  EXPECT_GT(requests, 1000U);
}

/// A request whose parameter is so many ones, each a value; 14 more are around them.
std::string with_ones(unsigned count) {
  std::string line = R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1)";
  for (unsigned i = 1; i < count; ++i) line += ",1";
  return line + "]}}";
}

/// A request whose parameter is a one within so many arrays, two objects around them.
std::string with_arrays(unsigned count) {
  return R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":)" + std::string(count, '[') + "1" +
         std::string(count, ']') + "}}";
}

/// The same request in a longer line.
std::string padded(std::string line) {
  line.resize(std::max<std::size_t>(line.size(), 1025), ' ');
  return line;
}

TEST(Request, TakesAsManyValuesAsAreAllowedAndNotOneMore) {
  EXPECT_TRUE(parse_request(with_ones(1024 - 14)));
  EXPECT_EQ(rejected(with_ones(1024 - 14 + 1)).error.code, kInvalidRequest);
}

TEST(Request, IsNestedAsDeepAsIsAllowedAndNotOnceMore) {
  for (const auto& form :
       {with_arrays, +[](unsigned count) { return padded(with_arrays(count)); }}) {
    EXPECT_TRUE(parse_request(form(6)));
    EXPECT_EQ(rejected(form(7)).error.code, kInvalidRequest);
  }
}

TEST(Request, ThatIsShortIsParsedAsALongOneIs) {
  for (unsigned ones = 480; ones <= 495; ++ones) {  // about 1,024 bytes
    const std::string line = with_ones(ones);
    const auto request = parse_request(line);
    ASSERT_TRUE(request) << line.size();
    EXPECT_EQ(request->params.at("a").size(), ones) << line.size();
  }
  for (const std::string line : {"{", "{\"a\":1}x", "[[[[[[[[", "\"", "{\"a\":[1,]}"}) {
    EXPECT_EQ(rejected(line).error.code, kParseError) << line;
    EXPECT_EQ(rejected(padded(line)).error.code, kParseError) << line;
  }
}

TEST(Request, MayHaveAnyNumberOfBracketsInATextOrSideBySide) {
  EXPECT_TRUE(parse_request(
      R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"[[[[[[[[[[{{{{{{{{{{"}})"));
  EXPECT_TRUE(parse_request(
      R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[[],[],[],[],[],[],[],[]]}})"));
}

TEST(Request, SurvivesTheWayOutAndBack) {
  const Request request{3, false, "device.set", Json{{"name", "vm1"}, {"target_bytes", 4096}}};
  const std::string line = format_request(request);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto back = parse_request(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->params, request.params);
  EXPECT_EQ(back->id, request.id);
}

TEST(Reply, IsAResultOrAnError) {
  const auto result = parse_reply(format_result(1, Json{{"a", 1}}));
  ASSERT_TRUE(result && result->outcome);
  EXPECT_EQ(result->outcome->at("a"), 1);

  const auto error = parse_reply(format_error(nullptr, {kNotFound, "no such VM"}));
  ASSERT_TRUE(error && !error->outcome);
  EXPECT_TRUE(error->id.is_null());
  EXPECT_EQ(error->outcome.error().code, kNotFound);
  EXPECT_EQ(error->outcome.error().message, "no such VM");
}

TEST(Reply, ThatIsNeitherIsRefused) {
  for (const char* line : {"", "[]", "{}", R"({"error":5})", R"({"error":{"code":"x"}})"}) {
    EXPECT_FALSE(parse_reply(line)) << line;
  }
}

TEST(Reply, EchoesEachKindOfId) {
  for (const Json& id : {Json(0U), Json(-7), Json(18446744073709551615U), Json(0.5), Json(nullptr),
                         Json("a \"b\" \u00e9")}) {
    EXPECT_EQ(format_result(id, Json::object()),
              dump(Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", Json::object()}}) + "\n");
  }
}

TEST(Reply, ReplacesBytesThatAreNoUtf8) {
  const std::string line = format_result(1, Json{{"socket", "/tmp/\xff.sock"}});
  const auto reply = parse_reply(line);
  ASSERT_TRUE(reply && reply->outcome);
  EXPECT_EQ(reply->outcome->at("socket"), "/tmp/\xef\xbf\xbd.sock");
}

TEST(Error, KeepsTheMessageAndNamesTheKind) {
  EXPECT_EQ(to_error({Code::kInvalidArgument, "a"}).code, kInvalidParams);
  EXPECT_EQ(to_error({Code::kNotFound, "a"}).code, kNotFound);
  EXPECT_EQ(to_error({Code::kAlreadyExists, "a"}).code, kAlreadyExists);
  EXPECT_EQ(to_error({Code::kUnavailable, "a"}).code, kUnavailable);
  EXPECT_EQ(to_error({Code::kHost, "the disk is on fire"}).message, "the disk is on fire");
}

}  // namespace
}  // namespace vballoon::rpc
