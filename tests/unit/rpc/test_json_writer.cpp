// SPDX-License-Identifier: BSD-3-Clause
//
// What is written at once against what nlohmann's objects are dumped as.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "rpc/json_writer.hpp"
#include "rpc/message.hpp"

namespace vballoon::rpc {
namespace {

TEST(JsonWriter, WritesWhatAnObjectIsDumpedAs) {
  const Json object{{"name", "vm1"},
                    {"on", true},
                    {"off", false},
                    {"most", std::numeric_limits<std::uint64_t>::max()},
                    {"none", nullptr},
                    {"known", 7U},
                    {"share", 0.125},
                    {"empty", Json::object()},
                    {"list", {1U, "two", Json::array(), {{"three", 3U}}}},
                    {"last", ""}};
  JsonWriter out;
  out.begin_object();
  out.field("name", "vm1");
  out.field("on", true);
  out.field("off", false);
  out.field("most", std::numeric_limits<std::uint64_t>::max());
  out.field("none", std::optional<std::uint64_t>());
  out.field("known", std::optional(7U));
  out.field("share", Json(0.125));
  out.key("empty");
  out.begin_object();
  out.end_object();
  out.key("list");
  out.begin_array();
  out.value(1U);
  out.value("two");
  out.begin_array();
  out.end_array();
  out.begin_object();
  out.field("three", 3U);
  out.end_object();
  out.end_array();
  out.field("last", std::string());
  out.end_object();
  EXPECT_EQ(out.take(), dump(object));
}

TEST(JsonWriter, EscapesEachByteAsDumpDoes) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "b";
    JsonWriter out;
    out.begin_array();
    out.value(text);
    out.value("next");
    out.end_array();
    ASSERT_EQ(out.take(), dump(Json{text, "next"})) << byte;
  }
}

TEST(JsonWriter, TextThatEndsLikeABracketTakesItsCommaAllTheSame) {
  JsonWriter out;
  out.begin_array();
  for (const char* text : {"{", "[", ":", "\"", "\u00e9["}) out.value(text);
  out.end_array();
  EXPECT_EQ(Json::parse(out.take()), (Json{"{", "[", ":", "\"", "\u00e9["}));
}

}  // namespace
}  // namespace vballoon::rpc
