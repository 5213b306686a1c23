// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/message.hpp"

#include <fmt/format.h>

#include <optional>

#include "rpc/json_writer.hpp"
#include "rpc/request_reader.hpp"

namespace vballoon::rpc {
namespace {

/// An id is kept as long as its request waits.
constexpr std::size_t kLongestId = 256;

bool is_id(const Json& id) {
  if (id.is_string()) return id.get_ref<const std::string&>().size() <= kLongestId;
  return id.is_null() || id.is_number();
}

/// @return why a line is no request, by what the reader found in it; or nothing.
std::optional<Error> request_fault(RequestReader::Found found) {
  switch (found) {
    case RequestReader::Found::kNoJson:
      return Error{kParseError, "not JSON; one request is one line"};
    case RequestReader::Found::kBeyondBounds:
      return Error{kInvalidRequest,
                   fmt::format("more than {} values, or nested deeper than {}",
                               RequestReader::kMaxValues, RequestReader::kMaxDepth)};
    case RequestReader::Found::kArray:
      return Error{kInvalidRequest, "no batches here; send one request a line"};
    case RequestReader::Found::kOther:
      return Error{kInvalidRequest, "a request is an object"};
    case RequestReader::Found::kObject:
      return std::nullopt;
  }
  return std::nullopt;
}

/// @return why these members make no request, or nothing.
std::optional<Error> request_fault(const RequestMembers& found) {
  if (!found.version || *found.version != "2.0") {
    return Error{kInvalidRequest, "\"jsonrpc\" must be \"2.0\""};
  }
  if (!found.method || !found.method->is_string()) {
    return Error{kInvalidRequest, "\"method\" must be a string"};
  }
  if (found.id && !is_id(*found.id)) {
    return Error{kInvalidRequest,
                 "\"id\" must be a number, a string of at most 256 bytes, or null"};
  }
  if (found.params && !found.params->is_object()) {
    return Error{kInvalidParams, "parameters go by name, in an object"};
  }
  return std::nullopt;
}

}  // namespace

tl::expected<Request, Rejected> parse_request(std::string_view line) {
  RequestMembers found;
  if (auto fault = request_fault(RequestReader::read(line, &found))) {
    return tl::unexpected(Rejected{nullptr, std::move(*fault)});
  }
  auto fault = request_fault(found);
  Json id = found.id && is_id(*found.id) ? std::move(*found.id) : Json();
  if (fault) return tl::unexpected(Rejected{std::move(id), std::move(*fault)});
  Request request{std::move(id), !found.id, std::move(found.method->get_ref<std::string&>())};
  if (found.params) request.params = std::move(*found.params);
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
