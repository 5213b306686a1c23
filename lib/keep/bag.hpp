// SPDX-License-Identifier: BSD-3-Clause
//
// keep/bag.hpp - a record and its descriptors, which outlive the process.
// Thread: one owner at a time.
// Why:    a service manager keeps one descriptor at a time, under a name, when it gets to it. A
//         connection is two dozen of them that belong together and change together. So they lie as
//         one datagram in the queue of a socket pair, and the manager keeps the pair. A change is
//         two system calls of ours, and waits for nobody.
// Source: unix(7), SCM_RIGHTS: descriptors in a queue are open files. They count against the
//         RLIMIT_NOFILE of the user that sent them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::keep {

/// What lies in a bag.
struct BagContents {
  std::uint64_t sequence = 0;  ///< grows with each put()
  std::vector<std::byte> record;
  std::vector<UniqueFd> descriptors;  ///< duplicates; those in the bag stay there
};

class Bag {
 public:
  static constexpr std::size_t kMaxRecordBytes = 4096;

  /// An empty one. @errors kHost: no descriptor is free.
  [[nodiscard]] static Result<Bag> make();
  /// One that another process made, with all that is in it.
  /// @pre    they are the ends of one: the kernel cannot be asked, but their names tell.
  /// @errors kInvalidArgument: one of them is no end of any.
  [[nodiscard]] static Result<Bag> adopt(UniqueFd in, UniqueFd out);

  /// Puts this in place of what was in it: after an end at any instant the bag has the one or the
  /// other. Descriptors stay the caller's as well.
  /// @pre     at most kMaxRecordBytes and kMaxDescriptors; look() came before where it is adopted.
  /// @errors  kHost, with the limit that is reached: the bag is as it was.
  [[nodiscard]] Result<void> put(std::span<const std::byte> record, std::span<const int> fds);

  /// The newest that was put in. It stays there; whatever is older goes.
  /// @return  nothing where the bag is empty.
  /// @errors  kHost: not all descriptors could be taken, and the bag is as it was: raise the limit
  ///          and look again. kInvalidArgument: what lies there was put in by no bag.
  [[nodiscard]] Result<std::optional<BagContents>> look();

  /// Takes out whatever is in it.
  void empty() noexcept;

  /// What has to be kept, each under a name of its own.
  [[nodiscard]] int in() const noexcept { return in_.get(); }
  [[nodiscard]] int out() const noexcept { return out_.get(); }

 private:
  Bag(UniqueFd in, UniqueFd out) noexcept : in_(std::move(in)), out_(std::move(out)) {}
  [[nodiscard]] bool take_out() noexcept;
  [[nodiscard]] Result<void> leave_newest();

  UniqueFd in_;
  UniqueFd out_;
  std::uint64_t sequence_ = 0;  // of what lies in it
  bool full_ = false;
};

}  // namespace vballoon::keep
