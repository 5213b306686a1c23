// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/post.hpp - the work of a seat: one thread at a time does it, and another can continue it.
// Thread: the thread that has the post calls run(); each other function names its own.
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

/// How a thread that lost its post continues: with the VM in whose memory it stood still.
/// part_with() sets the last two members.
struct Parting {
  Poller& rings;                              ///< unused so far: for the rings of that VM
  LanePost& lane;                             ///< unused so far: for the batches of that VM
  Post* goes_on_with = nullptr;               ///< `rings` or `lane`
  std::shared_ptr<reclaim::Conduct> conduct;  ///< the VM's
};

class Post {
 public:
  virtual ~Post() = default;

  /// Works until the post's work is over or the tenure ends. After the end of its tenure the thread
  /// touches nothing of the post any more.
  virtual void run(Tenure& tenure) noexcept = 0;

  /// Any thread. @return a number that changes with each pass or batch.
  [[nodiscard]] virtual std::uint64_t progress() const noexcept = 0;

  /// The guard calls this while the thread that has the post stands still. The VM leaves the post
  /// and gets a post of its own.
  /// @param whose  what that thread named in Tenure::enter().
  virtual void part_with(const void* whose, Parting* parting) noexcept = 0;
};

}  // namespace vballoon::lcore
