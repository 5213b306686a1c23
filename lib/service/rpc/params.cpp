// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/params.cpp - a request's parameters, by name and kind.
#include "service/rpc/params.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.hpp"

namespace vballoon::service {

std::string Params::text(std::string_view key) {
  auto value = optional_text(key);
  if (!value) fail(fmt::format("{} needs '{}', a string", method_, key));
  return value.value_or("");
}

std::uint64_t Params::number(std::string_view key, std::uint64_t most) {
  if (!has(key)) {
    fail(fmt::format("{} needs '{}', a whole number", method_, key));
  }
  return optional_number(key, most).value_or(0);
}

bool Params::flag(std::string_view key) {
  const auto value = optional_flag(key);
  if (!value) fail(fmt::format("{} needs '{}', true or false", method_, key));
  return value.value_or(false);
}

std::optional<bool> Params::optional_flag(std::string_view key) {
  const rpc::Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    fail(fmt::format("{}: '{}' must be true or false", method_, key));
    return std::nullopt;
  }
  return value->get<bool>();
}

std::optional<std::string> Params::optional_text(std::string_view key) {
  const rpc::Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    fail(fmt::format("{}: '{}' must be a string", method_, key));
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::optional<std::uint64_t> Params::optional_number(std::string_view key, std::uint64_t most,
                                                     std::uint64_t least) {
  const rpc::Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  // The JSON parser makes a number unsigned when it has no sign.
  const std::uint64_t number = value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
  if (!value->is_number_unsigned() || number < least || number > most) {
    fail(fmt::format("{}: '{}' must be a whole number from {} to {}", method_, key, least, most));
    return std::nullopt;
  }
  return number;
}

void Params::refuse(std::string_view key, std::string_view why) {
  fail(fmt::format("{}: '{}' {}", method_, key, why));
}

rpc::Outcome<void> Params::finish() const {
  if (error_) return rpc::refuse(rpc::kInvalidParams, *error_);
  for (const auto& [key, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    return rpc::refuse(rpc::kInvalidParams, fmt::format("{}: unknown parameter '{}'{}", method_,
                                                        key, suggestion(key, known_)));
  }
  return {};
}

const rpc::Json* Params::find(std::string_view key) {
  known_.push_back(key);
  const auto found = object_.find(std::string(key));
  return found == object_.end() ? nullptr : &*found;
}

void Params::fail(std::string message) {
  if (!error_) error_ = std::move(message);
}

}  // namespace vballoon::service
