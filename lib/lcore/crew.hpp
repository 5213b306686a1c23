// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/crew.hpp - the threads that have the posts, and what becomes of one that stands still.
// Thread: look() is the guard's; serve() an lcore's; the others are for the control thread, and
//         serve_alone() for whoever attaches a device. None of them ever waits for a VM.
//
// A thread that does not come back from one VM's memory (see base/tenure.hpp), or that is asleep
// there whenever one looks, is taken off its post: a spare one goes on there, on the same cpus, and
// it keeps that VM for itself, where the control thread runs. So a VM holds up an lcore for two
// looks of the guard, and then only itself. It stays alone until nobody has stood still in its
// memory for Conduct::kSlowMs. Its batches then go back by themselves; its rings when the device is
// attached anew.
//
// Spare threads are started beforehand. Nothing is allocated or mapped while a post changes hands:
// a thread that stands still in a page fault may hold the lock of the address space.
#pragma once

#include <sched.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "lcore/poller.hpp"
#include "lcore/post.hpp"
#include "lcore/reclaim_lcore.hpp"

namespace vballoon::lcore {

class Crew {
 public:
  /// Spare threads run where the caller does.
  /// @param engine  of the reclaim lcores, which outlives it; null: there are none.
  explicit Crew(reclaim::Engine* engine);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// An lcore: does the work of this post, and whatever else there is for the thread afterwards,
  /// until stop().
  void serve(Post& post);

  /// Takes the posts of threads that have stood still since the last look.
  void look() noexcept;

  /// Starts threads where spare ones have been used up. Now and then; and once before the first
  /// look.
  void recruit();

  /// A slow device gets a thread of its own. @pre it is attached nowhere.
  /// @return false where the host gives none: it still is attached nowhere.
  [[nodiscard]] bool serve_alone(datapath::DataPath& path);

  /// Ends all threads. @pre the posts were stopped, and no device is attached any more.
  void stop();

 private:
  /// One thread. Never freed before the crew: a letter to its poller may still be under way.
  struct Hand {
    explicit Hand(reclaim::Engine* engine) : lane(engine) {}

    Tenure tenure;
    Poller rings;  // of a VM that it has for itself
    LanePost lane;
    std::thread thread;  // of a spare one; an lcore's is EAL's
    std::condition_variable wake;
    // By the crew's mutex:
    bool hired = false;    // there is a thread
    bool spare = false;    // that has nothing to do
    Post* post = nullptr;  // what it does, or is about to
    Post* then = nullptr;  // what it is to do next
    bool shared = false;   // that is an lcore's post
    pid_t id = 0;
    UniqueFd stat;                   // its state, as the kernel has it
    cpu_set_t cpus{};                // of the lcore
    const void* seen_at = nullptr;   // by the last look
    const void* slept_in = nullptr;  // when it was last seen asleep
    unsigned score = 0;              // how often it was, there
    std::uint64_t seen_progress = 0;
    bool told = false;  // this visit is counted
    enum class Lane { kOpen, kTurnedAway, kClosed } lane_is = Lane::kOpen;
    std::shared_ptr<reclaim::Conduct> conduct;  // of the VM that it has for itself
  };
  static constexpr unsigned kSpares = 3;
  /// A look that finds a thread asleep in the same VM's memory as the last time, after other
  /// visits, and one that finds it elsewhere: many short waits are as bad as one long one.
  static constexpr unsigned kAsleep = 2;
  static constexpr unsigned kEnough = 3 * kAsleep;

  Hand& hire(bool spare);
  [[nodiscard]] bool start(Hand& hand);
  void work(Hand& me);
  void enroll(Hand& me);
  [[nodiscard]] Post* next(Hand& me);
  [[nodiscard]] Hand* take_spare() noexcept;
  void assign(Hand& hand, Post& post, bool shared) noexcept;
  bool look_at(Hand& hand) noexcept;
  [[nodiscard]] static bool sleeps_often(Hand& hand, const void* at, bool asleep) noexcept;
  void stands_still(Hand& hand) noexcept;
  void take_post_of(Hand& hand) noexcept;
  void close_lane(Hand& hand, bool all_moved) noexcept;

  reclaim::Engine* const engine_;
  cpu_set_t cpus_{};  // of spare threads, and of those that have a VM for themselves
  std::mutex mutex_;
  std::vector<std::unique_ptr<Hand>> hands_;
  std::condition_variable over_;    // a thread is in here:
  std::vector<std::thread> ended_;  // to be joined
  unsigned spares_ = 0;             // with those that are about to be
  bool stopping_ = false;
};

}  // namespace vballoon::lcore
