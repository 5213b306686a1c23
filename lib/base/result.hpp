// SPDX-License-Identifier: BSD-3-Clause
//
// base/result.hpp - errors of the host or the operator: the thing, the value and the way out.
// A guest's fault is never a Status but a named verdict and a counter; a fault of ours is a
// VB_CHECK. tl::expected stands in for std::expected, which clang 14 (fuzzers, clang-tidy) cannot
// compile out of this standard library.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace vballoon {

enum class Code {
  kInvalidArgument,  // the caller's value is wrong; another value would do
  kNotFound,         // the named thing does not exist
  kAlreadyExists,    // the name or the path is taken
  kUnavailable,  // not now: a guest is not connected, a driver lacks a feature, no answer in time
  kHost,         // the operating system or a library said no
};

/// One sentence for a person: what, which value, and what to do about it.
struct Status {
  Code code = Code::kHost;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Status>;

[[nodiscard]] inline tl::unexpected<Status> fail(Code code, std::string message) {
  return tl::unexpected<Status>(Status{code, std::move(message)});
}

}  // namespace vballoon
