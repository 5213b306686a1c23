// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/error.hpp - what a call can fail with, as numbers for programs and a sentence for people.
// Pure values.
// Source: JSON-RPC 2.0, 5.1: -32768 to -32000 are the standard's, of which -32099 to -32000 are
//         left to servers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>

#include "base/result.hpp"

namespace vballoon::rpc {

/// Objects keep the order they were written in: a person reads them too.
using Json = nlohmann::ordered_json;

enum ErrorCode : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,

  kNotFound = -32001,
  kAlreadyExists = -32002,
  kUnavailable = -32003,
  kHost = -32004,
  kForbidden = -32005,
  kOverloaded = -32006,
  kMayOnlyAsk = -32007,

  // Never sent: what the client itself finds out.
  kUnreachable = -32050,
  kNoAnswer = -32051,
};

struct Error {
  int code = kInternalError;
  std::string message;
};

template <typename T>
using Outcome = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> refuse(int code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// The message passes through as it is.
[[nodiscard]] Error to_error(const Status& status);

/// {"code": ..., "message": ...}
[[nodiscard]] Json to_json(const Error& error);

}  // namespace vballoon::rpc
