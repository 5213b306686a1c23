// SPDX-License-Identifier: BSD-3-Clause
#include "keep/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "base/log.hpp"
#include "base/printable.hpp"
#include "keep/environment.hpp"

namespace vballoon::keep {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr std::size_t kLongestName = 32;

/// As many as there are descriptors; of names that do not tell which is which, none.
std::vector<std::string> names_for(std::string_view text, std::size_t count) {
  std::vector<std::string> names;
  while (names.size() <= count) {
    const std::size_t colon = text.find(':');
    names.emplace_back(text.substr(0, colon));
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  if (names.size() != count) names.assign(count, "");
  return names;
}

bool close_on_exec(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFD);
  return flags >= 0 && ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0;
}

}  // namespace

bool is_store_name(std::string_view name) noexcept {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

Inherited Inherited::take() {
  Inherited all;
  const auto pid = to_number(take_environment("LISTEN_PID"));
  const auto count = to_number(take_environment("LISTEN_FDS"));
  const std::string text = take_environment("LISTEN_FDNAMES");
  if (pid != static_cast<std::uint64_t>(::getpid()) || !count || *count == 0) return all;
  // More than can be open is no number of descriptors.
  if (*count > static_cast<std::uint64_t>(::sysconf(_SC_OPEN_MAX))) return all;
  const auto names = names_for(text, *count);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const int fd = kFirst + static_cast<int>(i);
    if (close_on_exec(fd)) all.left_.emplace(names[i], fd);
  }
  return all;
}

std::optional<UniqueFd> Inherited::take(std::string_view name) {
  const auto found = left_.find(name);
  if (found == left_.end() || left_.count(name) != 1) return std::nullopt;
  UniqueFd fd = std::move(found->second);
  left_.erase(found);
  return fd;
}

std::vector<std::string> Inherited::names() const {
  std::vector<std::string> all;
  for (const auto& [name, fd] : left_) all.push_back(name);
  return all;
}

Result<void> Store::add(std::string_view name, int fd) const {
  const std::string text = fmt::format("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name);
  const int error = manager_.send_with(text, {&fd, 1});
  if (error == 0) return {};
  return fail(Code::kHost, fmt::format("the service manager does not take {} to keep it: {}", name,
                                       std::strerror(error)));
}

void Store::remove(std::string_view name) const noexcept {
  if (!keeps()) return;
  // One that is not heard is there for the next process, which finds out that nobody wants it.
  (void)manager_.send_with(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name), {});
}

/// The manager reads in order, and closes what comes with this when it gets there.
bool Store::settle(std::chrono::milliseconds patience) const {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const int sent = writer.get();
  if (manager_.send_with("BARRIER=1", {&sent, 1}) != 0) return false;
  writer.reset();
  pollfd hung_up{reader.get(), 0, 0};
  return ::poll(&hung_up, 1, static_cast<int>(patience.count())) == 1;
}

void Store::discard(Inherited&& rest) const {
  const Inherited closed = std::move(rest);
  std::set<std::string, std::less<>> gone;
  for (const std::string& name : closed.names()) gone.insert(name);
  for (const std::string& name : gone) {
    log::warn("the service manager kept '{}' {} times: {}; it is closed", printable(name),
              closed.left_.count(name),
              is_store_name(name) ? "nothing is known of it" : "that is no name of ours");
    if (!name.empty()) remove(name);
  }
}

}  // namespace vballoon::keep
