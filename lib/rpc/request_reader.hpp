// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/request_reader.hpp - takes the members of a request from its line while the line is parsed.
//                          Other members are read and dropped, and nothing is built beyond the
//                          bounds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rpc/error.hpp"

namespace vballoon::rpc {

/// The members that a line has, each of any kind. Of several with one name the last counts.
struct RequestMembers {
  std::optional<Json> version;  ///< "jsonrpc"
  std::optional<Json> id;
  std::optional<Json> method;
  std::optional<Json> params;
};

/// Takes what nlohmann's parser finds in one line. The rules of JSON are the parser's; only the
/// bounds are this class's own.
class RequestReader final : public nlohmann::json_sax<Json> {
 public:
  static constexpr std::size_t kMaxDepth = 8;
  static constexpr unsigned kMaxValues = 1024;  // names, and both ends of a container, count, too

  enum class Found { kNoJson, kBeyondBounds, kObject, kArray, kOther };
  /// @param members  gets the members that were found.
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
  std::optional<Json> dropped_;            // the last member that is none of a request's
  std::optional<Json>* member_ = nullptr;  // the member that was named last
  Json whole_;                             // a line that is no object; of an object, only its kind
  std::string name_;                       // the name of the next value in an inner object
  std::array<Json*, kMaxDepth + 1> open_{};
  std::size_t depth_ = 0;
  unsigned values_ = 0;
  bool beyond_ = false;
};

}  // namespace vballoon::rpc
