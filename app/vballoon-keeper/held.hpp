// SPDX-License-Identifier: BSD-3-Clause
//
// vballoon-keeper/held.hpp - descriptors, by name, for the next daemon.
// Source: sd_notify(3), FDSTORE=1; sd_listen_fds(3).
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "keep/notice.hpp"

namespace vballoon::keeper {

class Held {
 public:
  /// @param max  fewer where the limit of open files is low: each takes two numbers.
  explicit Held(std::size_t max);

  void obey(const keep::Notice& notice, const std::vector<UniqueFd>& arrived);

  /// Those whose hang-up is waited for; then they are dropped.
  [[nodiscard]] std::vector<int> polled() const;
  void drop(int fd);

  /// In the process that will be the daemon: they become 3 and those above, and its environment
  /// says so.
  void hand_over() const;

 private:
  struct Entry {
    std::string name;
    UniqueFd fd;  // above all numbers by which the daemon gets them
    bool polled;
  };
  [[nodiscard]] std::string why_not(const std::string& name) const;

  std::size_t max_;
  std::vector<Entry> entries_;
};

}  // namespace vballoon::keeper
