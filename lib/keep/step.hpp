// SPDX-License-Identifier: BSD-3-Clause
//
// keep/step.hpp - the instants at which a process that keeps something may end.
// Thread: any. In production nobody watches, and a step costs one load.
// Why:    what is kept has to be right after an end at any instruction. Between two steps at most
//         one thing changes that outlives the process, so a test that ends it at every step has
//         seen every state.
#pragma once

#include <atomic>

namespace vballoon::keep {

enum class Step {
  kBagSent,         // the new record lies behind the old one
  kBagReceived,     // the old one is gone
  kRepeating,       // a message is about to be looked at again
  kLooked,          // a message was looked at
  kCut,             // what came behind the message counts as not looked at
  kAnswerMoved,     // the next answer has its place
  kAnswerWritten,   // and is there
  kAnswerExpected,  // the note says where the answer will end
  kAnswered,        // it was sent
  kLending,         // the note says that a descriptor goes with the answer
  kLent,            // it was sent, by whoever sends it
  kLentJudged,      // the note says whether it was
  kFinished,        // the note says that nothing is left to answer
  kTakenOut,        // the message, or a piece of it, left the socket
  kForgotten,       // the note is empty
};

using StepWatch = void (*)(Step) noexcept;

/// For tests: called at each step, on the thread that makes it.
inline std::atomic<StepWatch> step_watch{nullptr};

inline void step(Step made) noexcept {
  const StepWatch watch = step_watch.load(std::memory_order_relaxed);
  if (watch != nullptr) watch(made);
}

}  // namespace vballoon::keep
