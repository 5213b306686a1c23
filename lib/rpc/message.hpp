// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/message.hpp - requests and replies: JSON-RPC 2.0 objects, one a line.
// Pure values.
// Source: JSON-RPC 2.0, 4 and 5. Two things are narrower here: parameters go by name, and a batch
//         is refused, since several lines in one write do the same.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "rpc/error.hpp"

namespace vballoon::rpc {

struct Request {
  Json id;                    ///< a number, a string or null; echoed in the reply
  bool notification = false;  ///< no id at all: nobody wants a reply
  std::string method;
  Json params = Json::object();
};

/// A line that is no request. The reply carries the id if there was one to be found, else null.
struct Rejected {
  Json id;
  Error error;
};

/// @errors kParseError; kInvalidRequest, also for more than 1,024 values or a nesting beyond 8: no
///         request of ours needs them, and a parser's work must be bounded.
[[nodiscard]] tl::expected<Request, Rejected> parse_request(std::string_view line);

/// What a call gives, as it goes into the reply: JSON, one line of ASCII.
struct Body {
  Body(const Json& value);  // NOLINT(google-explicit-constructor): each value is one
  explicit Body(std::string written) noexcept : text(std::move(written)) {}
  std::string text;
};

/// The lines below end in "\n". Bytes that are no UTF-8 (a path may hold any) become U+FFFD.
[[nodiscard]] std::string format_request(const Request& request);
[[nodiscard]] std::string format_result(const Json& id, const Body& result);
[[nodiscard]] std::string format_error(const Json& id, const Error& error);

struct Reply {
  Json id;
  Outcome<Json> outcome;
};

/// @errors kParseError when the line is no reply of JSON-RPC 2.0.
[[nodiscard]] Outcome<Reply> parse_reply(std::string_view line);

/// One line of JSON for a person or a program, all of it ASCII: a terminal may show it as it is.
/// Never throws for bytes that are no UTF-8.
[[nodiscard]] std::string dump(const Json& value, int indent = -1);

}  // namespace vballoon::rpc
