// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "rpc/json_writer.hpp"

namespace vballoon::rpc {
namespace {

constexpr int kMaxDepth = 8;
constexpr unsigned kMaxValues = 1024;

/// Each value takes a byte, and each level a bracket: of most requests nothing needs to be counted.
bool surely_within_bounds(std::string_view line) noexcept {
  const auto opens = [](char c) { return c == '{' || c == '['; };
  return line.size() <= kMaxValues && std::ranges::count_if(line, opens) <= kMaxDepth;
}

/// Parses without exceptions. What is beyond the bounds is dropped while it is read.
/// @return nothing when `line` is no JSON; *excess tells that it went beyond the bounds.
std::optional<Json> parse_bounded(std::string_view line, bool* excess) {
  unsigned values = 0;
  *excess = false;
  const auto keep = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth || ++values > kMaxValues) *excess = true;
    return !*excess;
  };
  const bool counts = !surely_within_bounds(line);
  Json value = counts ? Json::parse(line.begin(), line.end(), keep, false)
                      : Json::parse(line.begin(), line.end(), nullptr, false);
  if (value.is_discarded() && !*excess) return std::nullopt;
  return value;
}

bool is_id(const Json& id) {
  return id.is_null() || id.is_number() || id.is_string();
}

tl::unexpected<Rejected> reject(Json id, int code, std::string message) {
  return tl::unexpected<Rejected>(Rejected{std::move(id), Error{code, std::move(message)}});
}

/// @return why `object` is no request, or nothing.
std::optional<std::string> request_fault(const Json& object) {
  const auto version = object.find("jsonrpc");
  if (version == object.end() || *version != "2.0") return "\"jsonrpc\" must be \"2.0\"";
  const auto method = object.find("method");
  if (method == object.end() || !method->is_string()) return "\"method\" must be a string";
  const auto id = object.find("id");
  if (id != object.end() && !is_id(*id)) return "\"id\" must be a number, a string or null";
  return std::nullopt;
}

}  // namespace

tl::expected<Request, Rejected> parse_request(std::string_view line) {
  bool excess = false;
  auto object = parse_bounded(line, &excess);
  if (!object) return reject(nullptr, kParseError, "not JSON; one request is one line");
  if (excess) {
    return reject(
        nullptr, kInvalidRequest,
        fmt::format("more than {} values, or nested deeper than {}", kMaxValues, kMaxDepth));
  }
  if (object->is_array()) {
    return reject(nullptr, kInvalidRequest, "no batches here; send one request a line");
  }
  if (!object->is_object()) return reject(nullptr, kInvalidRequest, "a request is an object");

  const bool has_id = object->contains("id");
  Json id = has_id && is_id(object->at("id")) ? object->at("id") : Json();
  if (auto fault = request_fault(*object)) return reject(std::move(id), kInvalidRequest, *fault);
  Request request{std::move(id), !has_id, object->at("method").get<std::string>()};
  if (!object->contains("params")) return request;
  request.params = std::move(object->at("params"));
  if (!request.params.is_object()) {
    return reject(std::move(request.id), kInvalidParams, "parameters go by name, in an object");
  }
  return request;
}

std::string format_request(const Request& request) {
  Json object{{"jsonrpc", "2.0"}};
  if (!request.notification) object["id"] = request.id;
  object["method"] = request.method;
  if (!request.params.empty()) object["params"] = request.params;
  return dump(object) + "\n";
}

Body::Body(const Json& value) : text(dump(value)) {}

std::string format_result(const Json& id, const Body& result) {
  JsonWriter head;
  head.begin_object();
  head.field("jsonrpc", "2.0");
  head.field("id", id);
  head.key("result");
  std::string line = head.take();
  line.reserve(line.size() + result.text.size() + 2);
  line += result.text;
  line += "}\n";
  return line;
}

std::string format_error(const Json& id, const Error& error) {
  Json object{{"jsonrpc", "2.0"}};
  object["id"] = id;
  object["error"] = to_json(error);
  return dump(object) + "\n";
}

Outcome<Reply> parse_reply(std::string_view line) {
  Json object = Json::parse(line.begin(), line.end(), nullptr, false);
  if (!object.is_object()) return refuse(kParseError, "the reply is no JSON object");
  Json id = object.value("id", Json());
  if (object.contains("result")) return Reply{std::move(id), std::move(object["result"])};
  const Json error = object.value("error", Json());
  if (!error.is_object() || !error.value("code", Json()).is_number_integer() ||
      !error.value("message", Json()).is_string()) {
    return refuse(kParseError, "the reply has neither a result nor an error");
  }
  return Reply{std::move(id),
               refuse(error["code"].get<int>(), error["message"].get<std::string>())};
}

std::string dump(const Json& value, int indent) {
  return value.dump(indent, ' ', true, Json::error_handler_t::replace);
}

}  // namespace vballoon::rpc
