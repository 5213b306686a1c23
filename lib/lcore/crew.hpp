// SPDX-License-Identifier: BSD-3-Clause
//
// lcore/crew.hpp - the threads that have the posts, and what happens when one stands still.
// Thread: the guard calls look(), an lcore serve(), the thread that attaches a device
//         serve_alone(), the control thread the rest. None of these functions waits for a VM.
//
// A thread may not come back from one VM's memory (base/tenure.hpp), or sleep there at look after
// look. It then loses its post: a spare thread continues the post on the same cpus, and the first
// thread keeps only that VM, on the cpus of the control thread. So a VM holds up an lcore for two
// looks of the guard, and from then on only itself. The VM keeps threads of its own until none has
// stood still in its memory for Conduct::kSlowMs. Then its batches go back to the reclaim lcore by
// themselves. Its rings go back when the device is attached anew.
//
// Spare threads are started beforehand. Nothing is allocated or mapped while a post changes
// threads: a thread that stands still in a page fault may hold the lock of the address space.
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
  /// Spare threads run on the caller's cpus.
  /// @param engine  the reclaim lcores' engine, which outlives the crew; null: there are none.
  explicit Crew(reclaim::Engine* engine);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Runs on an lcore until stop(): does the work of this post, and after it any other work that
  /// the crew has for the thread.
  void serve(Post& post);

  /// In whose memory the thread that has this post is now; null: in nobody's. Thread: any.
  [[nodiscard]] const void* whose(const Post& post);

  /// Takes the posts from threads that have stood still since the last look.
  void look() noexcept;

  /// Replaces spare threads that have been used. The control thread calls it now and then, and once
  /// before the first look.
  void recruit();

  /// Gives a slow VM's device a thread of its own. @pre the device is not attached.
  /// @return false where the host starts no thread; the device is still not attached.
  [[nodiscard]] bool serve_alone(datapath::DataPath& path);

  /// Ends all threads. @pre the posts are stopped, and no device is attached any more.
  void stop();

 private:
  /// One thread. It is freed with the crew: a letter to its poller may still be on its way.
  struct Hand {
    explicit Hand(reclaim::Engine* engine) : lane(engine) {}

    Tenure tenure;
    Poller rings;        // for the rings of a VM that this thread alone serves
    LanePost lane;       // for the batches of such a VM
    std::thread thread;  // empty for an lcore: EAL has its thread
    std::condition_variable wake;
    // The crew's mutex guards the rest:
    bool hired = false;    // a thread exists
    bool spare = false;    // the thread has no post
    Post* post = nullptr;  // the present post, or the next one
    Post* then = nullptr;  // the next post
    bool shared = false;   // `post` is an lcore's
    pid_t id = 0;
    UniqueFd stat;                   // /proc/thread-self/stat of the thread
    cpu_set_t cpus{};                // the lcore's
    const void* seen_at = nullptr;   // the VM that the thread was in at the last look
    const void* slept_in = nullptr;  // the VM in which it was last seen asleep
    unsigned score = 0;              // rises with each look that finds the thread asleep there
    std::uint64_t seen_progress = 0;
    bool told = false;  // this visit is counted in Conduct::slow_calls
    enum class Lane { kOpen, kTurnedAway, kClosed } lane_is = Lane::kOpen;
    std::shared_ptr<reclaim::Conduct> conduct;  // of the VM that this thread alone serves
  };
  static constexpr unsigned kSpares = 3;
  /// Many short waits are as bad as a long one. So a look that finds the thread asleep in the VM in
  /// which it was asleep before adds kAsleep to the score. A look that finds it asleep in another
  /// VM sets the score to kAsleep, and a look that finds it awake takes one off. At kEnough the
  /// thread counts as standing still.
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
  cpu_set_t cpus_{};  // of spare threads, and of threads that serve a VM alone
  std::mutex mutex_;
  std::vector<std::unique_ptr<Hand>> hands_;
  std::condition_variable over_;    // notified when a thread comes into ended_
  std::vector<std::thread> ended_;  // to be joined
  unsigned spares_ = 0;             // spare threads, those being started included
  bool stopping_ = false;
};

}  // namespace vballoon::lcore
