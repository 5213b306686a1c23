// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/roster.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace vballoon::vhost {
namespace {

/// An error lists at most so many names.
constexpr std::size_t kNamesTold = 20;

}  // namespace

Member* Roster::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Member* Roster::at_socket(const std::string& path, const std::string& canonical) const {
  if (const auto found = by_path_.find(canonical); found != by_path_.end()) return found->second;
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return nullptr;
  const auto found = by_file_.find({file.st_dev, file.st_ino});
  return found == by_file_.end() ? nullptr : found->second;
}

tl::unexpected<Status> Roster::unknown(std::string_view name) const {
  std::string known;
  for (std::size_t i = 0; i < std::min(members_.size(), kNamesTold); ++i) {
    known += (known.empty() ? "" : ", ") + members_[i]->spec().name;
  }
  if (members_.size() > kNamesTold)
    known += fmt::format(" and {} more", members_.size() - kNamesTold);
  return fail(Code::kNotFound, fmt::format("no device is named '{}'; there {}", name,
                                           known.empty() ? "are none" : "is: " + known));
}

Member& Roster::add(std::unique_ptr<Member> member) {
  members_.push_back(std::move(member));
  index(*members_.back());
  return *members_.back();
}

void Roster::drop_leaving() {
  std::erase_if(members_, [](const auto& member) { return member->leaves; });
  by_name_.clear();
  by_path_.clear();
  by_file_.clear();
  vms_.clear();
  clients_ = 0;
  for (const auto& member : members_) index(*member);
}

void Roster::clear() {
  for (const auto& member : members_) member->leaves = true;
  drop_leaving();
}

void Roster::index(Member& member) {
  vms_.push_back(member.device.get());
  by_name_[member.spec().name] = &member;
  by_path_[member.canonical] = &member;
  if (member.listener) {
    const SocketFile& file = member.listener->file();
    by_file_[{file.device(), file.inode()}] = &member;
  }
  if (member.spec().client) ++clients_;
}

std::string canonical_path(const std::string& path) {
  std::error_code failed;
  std::string canonical = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : canonical;
}

}  // namespace vballoon::vhost
