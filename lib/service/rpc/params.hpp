// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/params.hpp - takes a request's parameters by name, and refuses unknown ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/error.hpp"

namespace vballoon::service {

/// Take each parameter once, then call finish(). The first error is kept.
class Params {
 public:
  /// @param method  the method's name in errors.
  Params(const rpc::Json& object, std::string_view method) : object_(object), method_(method) {
    known_.reserve(kUsualParameters);
  }

  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] std::uint64_t number(std::string_view key, std::uint64_t most);
  [[nodiscard]] bool flag(std::string_view key);
  [[nodiscard]] std::optional<bool> optional_flag(std::string_view key);
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key);
  [[nodiscard]] std::optional<std::uint64_t> optional_number(std::string_view key,
                                                             std::uint64_t most,
                                                             std::uint64_t least = 0);
  [[nodiscard]] bool has(std::string_view key) const { return object_.contains(std::string(key)); }
  /// Makes it an error that the request has this parameter.
  void refuse(std::string_view key, std::string_view why);

  /// @errors kInvalidParams for a parameter that is missing, of the wrong type, out of range,
  ///         refused or unknown.
  [[nodiscard]] rpc::Outcome<void> finish() const;

 private:
  static constexpr std::size_t kUsualParameters = 8;

  const rpc::Json* find(std::string_view key);
  void fail(std::string message);

  const rpc::Json& object_;
  std::string_view method_;
  std::vector<std::string_view> known_;
  std::optional<std::string> error_;
};

}  // namespace vballoon::service
