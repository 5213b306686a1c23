// SPDX-License-Identifier: BSD-3-Clause
//
// service/telemetry/desk.hpp - where other threads put questions to the control thread and wait for
//                              the answers, no longer than they say.
// Thread: ask() any but the control thread; the rest the control thread.
// Why:    a client of DPDK's telemetry has a thread of DPDK's own, which nobody ends or waits for.
//         So the desk may be called at any time, and refuses while nobody sits at it.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "rpc/message.hpp"
#include "service/telemetry/answers.hpp"

namespace vballoon::service {

class Desk {
 public:
  /// Is called on the control thread, and need not be called at all.
  using Question = std::function<Answer(const Answers&)>;

  /// Both arguments are there until close().
  void open(asio::io_context& loop, const Answers& answers);
  /// Refuses the questions that wait, and all that come.
  void close();

  /// @param question  owns what it uses: a late one outlives its asker's patience.
  /// @errors kUnavailable where no daemon is there (any more), or it does not answer in time.
  [[nodiscard]] Answer ask(Question question, std::chrono::milliseconds patience);

 private:
  /// A question, and its answer as soon as there is one.
  struct Sheet {
    Question question;
    std::optional<Answer> answer;  // guarded by mutex_
  };

  void serve();

  std::mutex mutex_;
  std::condition_variable answered_;
  asio::io_context* loop_ = nullptr;             // null: closed
  std::vector<std::shared_ptr<Sheet>> waiting_;  // nobody has taken them up
  bool called_ = false;                          // serve() is on its way
  const Answers* answers_ = nullptr;             // the control thread's
};

}  // namespace vballoon::service
