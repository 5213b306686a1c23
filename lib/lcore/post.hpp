// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/post.hpp - work that one thread at a time does, and that another can go on with.
// Thread: run() is whoever has the post; the others say theirs.
#pragma once

#include <cstdint>
#include <memory>

#include "base/tenure.hpp"
#include "reclaim/conduct.hpp"

namespace vballoon::datapath {
class DataPath;
}

namespace vballoon::lcore {

class LanePost;
class Poller;
class Post;

/// What a thread goes on with that has lost its post: the VM in whose memory it stood still.
struct Parting {
  Poller& rings;                              ///< nobody's yet: for the rings of that VM
  LanePost& lane;                             ///< likewise: for its batches
  Post* goes_on_with = nullptr;               ///< set: one of the two
  std::shared_ptr<reclaim::Conduct> conduct;  ///< set: the VM's
};

class Post {
 public:
  virtual ~Post() = default;

  /// Works until it is over, or until the tenure ended; then nothing of the post is touched any
  /// more.
  virtual void run(Tenure& tenure) noexcept = 0;

  /// Any thread: another number after each turn of work.
  [[nodiscard]] virtual std::uint64_t progress() const noexcept = 0;

  /// The guard, while whoever has the post is held in `whose`, as it was entered: that VM leaves
  /// the post, and goes to one of its own.
  virtual void part_with(const void* whose, Parting* parting) noexcept = 0;
};

}  // namespace vballoon::lcore
