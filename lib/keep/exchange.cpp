// SPDX-License-Identifier: BSD-3-Clause
#include "keep/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "keep/lent.hpp"
#include "keep/step.hpp"

namespace vballoon::keep {
namespace {

int set_peek_offset(int socket, std::size_t bytes) noexcept {
  const int offset = static_cast<int>(bytes);
  return ::setsockopt(socket, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0 ? 0 : errno;
}

/// -1 where there is none: as of a socket that nobody has had an exchange on.
int peek_offset(int socket) noexcept {
  int offset = -1;
  socklen_t bytes = sizeof(offset);
  return ::getsockopt(socket, SOL_SOCKET, SO_PEEK_OFF, &offset, &bytes) == 0 ? offset : -1;
}

tl::unexpected<Status> no_offset(int error) {
  return fail(Code::kHost, fmt::format("a connection cannot be handed on to another process: "
                                       "SO_PEEK_OFF: {}",
                                       std::strerror(error)));
}

}  // namespace

Result<Exchange> Exchange::begin(int socket) {
  auto answers = AnswerFile::make();
  if (!answers) return tl::unexpected(answers.error());
  if (const int error = set_peek_offset(socket, 0); error != 0) return no_offset(error);
  return Exchange(socket, std::move(*answers));
}

Result<Exchange> Exchange::go_on(int socket, UniqueFd answers, Settled* settled, int witness) {
  auto file = AnswerFile::adopt(std::move(answers));
  if (!file) return tl::unexpected(file.error());
  const int offset = peek_offset(socket);
  if (offset < 0) return no_offset(ENOTCONN);
  Exchange exchange(socket, std::move(*file));
  *settled = exchange.settle(static_cast<std::size_t>(offset), witness);
  return exchange;
}

/// The note of an answer with a descriptor says then whether the answer was sent.
void Exchange::judge_lent(int witness) noexcept {
  const auto out = witness >= 0 ? is_out(witness) : std::nullopt;
  if (!out) return answers_.set(AnswerFile::State::kDoubtful);
  answers_.set(*out ? AnswerFile::State::kAnswered : AnswerFile::State::kOpen);
  step(Step::kLentJudged);
}

Settled Exchange::settle(std::size_t looked_at, int witness) noexcept {
  seen_ = looked_at;
  if (looked_at != 0 && answers_.state() == AnswerFile::State::kBeside) judge_lent(witness);
  const AnswerFile::State state = answers_.state();
  if (looked_at != 0 && state == AnswerFile::State::kDoubtful) return Settled::kDoubtful;
  if (looked_at != 0 && state == AnswerFile::State::kAnswered) {
    return finish() == 0 ? Settled::kTakenOut : Settled::kDoubtful;
  }
  // What the note says is of a message that is gone, or that comes again.
  answers_.set(AnswerFile::State::kOpen);
  step(Step::kForgotten);
  again_ = looked_at != 0;
  if (!again_) answers_.set_attempts(0);
  return again_ ? Settled::kAgain : Settled::kNothing;
}

ssize_t Exchange::look(msghdr* message, int flags) noexcept {
  if (again_ && set_peek_offset(socket_, 0) != 0) return -1;
  step(Step::kRepeating);
  again_ = false;
  seen_ = 0;
  const ssize_t got = look_on(message, flags);
  if (got > 0) answers_.set_attempts(answers_.attempts() + 1);
  step(Step::kLooked);
  return got;
}

ssize_t Exchange::look_on(msghdr* message, int flags) noexcept {
  const ssize_t got = ::recvmsg(socket_, message, flags | MSG_PEEK | MSG_CMSG_CLOEXEC);
  if (got > 0) seen_ += static_cast<std::size_t>(got);
  return got;
}

void Exchange::unlook() noexcept {
  again_ = seen_ != 0;
  seen_ = 0;
  if (again_) answers_.set_attempts(answers_.attempts() - 1);
}

int Exchange::cut(std::size_t bytes) noexcept {
  VB_CHECK(bytes != 0 && bytes <= seen_);
  if (seen_ == bytes) return 0;
  seen_ = bytes;
  const int error = set_peek_offset(socket_, bytes);
  step(Step::kCut);
  return error;
}

int Exchange::answer(std::span<const std::byte> bytes) noexcept {
  return answers_.send(socket_, bytes);
}

void Exchange::answer_beside() noexcept {
  answers_.set(AnswerFile::State::kBeside);
  step(Step::kLending);
}

int Exchange::finish() noexcept {
  answers_.set(AnswerFile::State::kAnswered);
  step(Step::kFinished);
  if (const int error = take_out(); error != 0) return error;
  answers_.set_attempts(0);
  answers_.set(AnswerFile::State::kOpen);
  step(Step::kForgotten);
  return 0;
}

/// In pieces, where its descriptors came with a piece: they are let go of, for there is no room.
int Exchange::take_out() noexcept {
  std::array<std::byte, AnswerFile::kLongest> gone;
  while (seen_ != 0) {
    const ssize_t got = ::recv(socket_, gone.data(), std::min(seen_, gone.size()), MSG_DONTWAIT);
    step(Step::kTakenOut);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : ECONNRESET;
    seen_ -= static_cast<std::size_t>(got);
  }
  return 0;
}

}  // namespace vballoon::keep
