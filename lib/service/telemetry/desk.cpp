// SPDX-License-Identifier: BSD-3-Clause
#include "service/telemetry/desk.hpp"

#include <asio/post.hpp>
#include <utility>

namespace vballoon::service {
namespace {

Answer refused(const char* why) {
  return rpc::refuse(rpc::kUnavailable, why);
}

constexpr const char* kEnds = "the daemon ends";

}  // namespace

void Desk::open(asio::io_context& loop, const Answers& answers) {
  const std::scoped_lock lock(mutex_);
  answers_ = &answers;
  loop_ = &loop;
  called_ = false;
}

void Desk::close() {
  const std::scoped_lock lock(mutex_);
  loop_ = nullptr;
  answers_ = nullptr;
  for (const auto& sheet : waiting_) sheet->answer = refused(kEnds);
  waiting_.clear();
  answered_.notify_all();
}

Answer Desk::ask(Question question, std::chrono::milliseconds patience) {
  const auto sheet = std::make_shared<Sheet>();
  sheet->question = std::move(question);
  std::unique_lock lock(mutex_);
  if (loop_ == nullptr) return refused(kEnds);
  waiting_.push_back(sheet);
  // Under the lock: close() comes before the loop's end.
  if (!std::exchange(called_, true)) asio::post(*loop_, [this] { serve(); });
  if (answered_.wait_for(lock, patience, [&] { return sheet->answer.has_value(); })) {
    return std::move(*sheet->answer);
  }
  std::erase(waiting_, sheet);
  return refused("the daemon is busy and did not answer in time");
}

/// Answers without the lock: an answer takes the locks of devices.
void Desk::serve() {
  std::vector<std::shared_ptr<Sheet>> taken;
  {
    const std::scoped_lock lock(mutex_);
    called_ = false;
    taken.swap(waiting_);
  }
  for (const auto& sheet : taken) {
    Answer answer = sheet->question(*answers_);
    const std::scoped_lock lock(mutex_);
    sheet->answer = std::move(answer);
    answered_.notify_all();
  }
}

}  // namespace vballoon::service
