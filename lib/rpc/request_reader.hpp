// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/request_reader.hpp - the members of a request, taken from its line while that is parsed: what
// is no member of a request is read and dropped, and nothing is built beyond the bounds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rpc/error.hpp"

namespace vballoon::rpc {

/// As they were found, of whatever kind; of several of one name the last.
struct RequestMembers {
  std::optional<Json> version;  ///< "jsonrpc"
  std::optional<Json> id;
  std::optional<Json> method;
  std::optional<Json> params;
};

/// What nlohmann's parser tells of one line. Its rules are the parser's; ours are the bounds.
class RequestReader final : public nlohmann::json_sax<Json> {
 public:
  static constexpr std::size_t kMaxDepth = 8;
  static constexpr unsigned kMaxValues = 1024;  // names, beginnings and ends count as well

  enum class Found { kNoJson, kBeyondBounds, kObject, kArray, kOther };
  /// @param members  as far as they were found.
  static Found read(std::string_view line, RequestMembers* members);

  bool null() override { return put(Json()); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_integer(std::int64_t value) override { return put(Json(value)); }
  bool number_unsigned(std::uint64_t value) override { return put(Json(value)); }
  bool number_float(double value, const std::string& /*text*/) override { return put(Json(value)); }
  bool string(std::string& value) override { return put(Json(std::move(value))); }
  bool binary(Json::binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*unknown*/) override { return open(Json::value_t::object); }
  bool start_array(std::size_t /*unknown*/) override { return open(Json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override;
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  explicit RequestReader(RequestMembers* members) : members_(members) {}
  bool within_bounds();
  [[nodiscard]] std::optional<Json>* member_named(std::string_view name);
  [[nodiscard]] Json* next();
  bool put(Json value);
  bool open(Json::value_t kind);
  bool close();

  RequestMembers* members_;
  std::optional<Json> dropped_;            // the newest member that none asks for
  std::optional<Json>* member_ = nullptr;  // of the request, that was named last
  Json whole_;                             // what is no object; of an object only that it is one
  std::string name_;                       // of what comes next in an inner object
  std::array<Json*, kMaxDepth + 1> open_{};
  std::size_t depth_ = 0;
  unsigned values_ = 0;
  bool beyond_ = false;
};

}  // namespace vballoon::rpc
