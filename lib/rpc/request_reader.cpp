// SPDX-License-Identifier: BSD-3-Clause
#include "rpc/request_reader.hpp"

#include <utility>

namespace vballoon::rpc {
namespace {

/// Most requests have no more parameters.
constexpr std::size_t kUsualMembers = 4;

}  // namespace

RequestReader::Found RequestReader::read(std::string_view line, RequestMembers* members) {
  RequestReader reader(members);
  const bool json = Json::sax_parse(line.begin(), line.end(), &reader);
  if (reader.beyond_) return Found::kBeyondBounds;
  if (!json) return Found::kNoJson;
  if (reader.whole_.is_object()) return Found::kObject;
  return reader.whole_.is_array() ? Found::kArray : Found::kOther;
}

bool RequestReader::within_bounds() {
  beyond_ = beyond_ || depth_ > kMaxDepth || ++values_ > kMaxValues;
  return !beyond_;
}

std::optional<Json>* RequestReader::member_named(std::string_view name) {
  if (name == "jsonrpc") return &members_->version;
  if (name == "id") return &members_->id;
  if (name == "method") return &members_->method;
  return name == "params" ? &members_->params : &dropped_;
}

bool RequestReader::key(std::string& name) {
  if (!within_bounds()) return false;
  if (depth_ == 1) {
    member_ = member_named(name);
  } else {
    name_ = std::move(name);
  }
  return true;
}

/// @return where the next value is to be stored.
Json* RequestReader::next() {
  if (depth_ == 0) return &whole_;
  Json* const parent = open_[depth_ - 1];
  if (parent->is_array()) return &parent->emplace_back();
  return depth_ == 1 ? &member_->emplace() : &(*parent)[std::move(name_)];
}

bool RequestReader::put(Json value) {
  if (!within_bounds()) return false;
  *next() = std::move(value);
  return true;
}

bool RequestReader::open(Json::value_t kind) {
  if (!within_bounds()) return false;
  Json* const place = next();
  *place = Json(kind);
  if (depth_ != 0 && kind == Json::value_t::object) {
    place->get_ref<Json::object_t&>().reserve(kUsualMembers);
  }
  open_[depth_++] = place;
  return true;
}

bool RequestReader::close() {
  --depth_;
  return within_bounds();
}

}  // namespace vballoon::rpc
