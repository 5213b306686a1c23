// SPDX-License-Identifier: BSD-3-Clause
#include "held.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/printable.hpp"
#include "keep/store.hpp"

namespace vballoon::keeper {
namespace {

constexpr int kFirst = 3;                     // SD_LISTEN_FDS_START
constexpr std::size_t kMaxText = 120 * 1024;  // one string of an environment has 128 KiB
constexpr std::size_t kOwn = 64;              // descriptors of the keeper's

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return std::max(limit.rlim_cur, kOwn + 2);
}

}  // namespace

Held::Held(std::size_t max) : max_(std::min(max, (raise_descriptor_limit() - kOwn) / 2)) {}

void Held::obey(const keep::Notice& notice, const std::vector<UniqueFd>& arrived) {
  if (notice.remove) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.name == notice.name; });
  }
  if (!notice.store) return;
  for (const UniqueFd& fd : arrived) {
    const int first = kFirst + static_cast<int>(max_);
    UniqueFd above(::fcntl(fd.get(), F_DUPFD_CLOEXEC, first));
    const std::string why = above.valid() ? why_not(notice.name) : "no descriptor is free";
    if (why.empty()) {
      entries_.push_back({notice.name, std::move(above), notice.polled});
    } else {
      fmt::print(stderr, "vballoon-keeper: '{}' is not kept: {}\n", printable(notice.name), why);
    }
  }
}

std::string Held::why_not(const std::string& name) const {
  std::size_t text = name.size();
  for (const Entry& entry : entries_) text += entry.name.size() + 1;
  if (!keep::is_store_name(name)) return "that is no name";
  if (text > kMaxText) return "the names of all would be longer than an environment can be";
  if (entries_.size() < max_) return "";
  return fmt::format("{} others are, which is the limit (--max, and half of ulimit -n)", max_);
}

std::vector<int> Held::polled() const {
  std::vector<int> fds;
  for (const Entry& entry : entries_) {
    if (entry.polled) fds.push_back(entry.fd.get());
  }
  return fds;
}

void Held::drop(int fd) {
  std::erase_if(entries_, [fd](const Entry& entry) { return entry.fd.get() == fd; });
}

void Held::hand_over() const {
  std::string names;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    ::dup2(entries_[i].fd.get(), kFirst + static_cast<int>(i));
    names.append(i == 0 ? "" : ":").append(entries_[i].name);
  }
  if (entries_.empty()) return;
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", std::to_string(entries_.size()).c_str(), 1);
  ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
}

}  // namespace vballoon::keeper
