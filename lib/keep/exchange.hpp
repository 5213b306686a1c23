// SPDX-License-Identifier: BSD-3-Clause
//
// keep/exchange.hpp - each message of a peer is answered once, whichever process does it.
// Thread: one owner at a time.
// Why:    a peer that asked waits for its answer, and must not get two. A process may end after any
//         system call. So a message leaves the socket last: it is looked at, acted on, answered,
//         taken out. The socket itself tells that a message was looked at and not taken out
//         (SO_PEEK_OFF); the file of answers tells whether it was answered (answer_file.hpp).
//         Until a message is answered another process may do all of it again.
// Source: socket(7), SO_PEEK_OFF: the offset belongs to the socket; receiving lowers it.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "keep/answer_file.hpp"

namespace vballoon::keep {

/// What the process before left behind.
enum class Settled {
  kNothing,   // no message was at hand
  kAgain,     // one was, and is not answered: look() gives it again
  kTakenOut,  // one was answered, and has now left the socket
  kDoubtful,  // nobody can tell whether one was answered: the connection is to be ended
};

class Exchange {
 public:
  /// Over a new connection: a UNIX stream socket. It stays the caller's, and outlives this.
  /// @pre    nothing was read of it. From here on nobody else looks into it (MSG_PEEK).
  /// @errors of AnswerFile::make(); kHost where the kernel has no SO_PEEK_OFF there.
  [[nodiscard]] static Result<Exchange> begin(int socket);
  /// Over one that another process had an exchange on, with the file of its answers.
  /// @param witness  of the newest file that was to be sent with an answer (lent.hpp); -1: nobody
  ///                 kept one.
  /// @errors of AnswerFile::adopt(); kHost.
  [[nodiscard]] static Result<Exchange> go_on(int socket, UniqueFd answers, Settled* settled,
                                              int witness = -1);

  /// recvmsg(2) of what comes next, which stays in the socket. It may be more than one message, or
  /// less. Descriptors may be of the message behind: its number of bytes tells.
  /// @pre  no message is at hand.
  [[nodiscard]] ssize_t look(msghdr* message, int flags) noexcept;
  /// recvmsg(2) of what comes behind that.
  [[nodiscard]] ssize_t look_on(msghdr* message, int flags) noexcept;
  /// Nothing was looked at: look() gives it again. For one who could not take its descriptors.
  void unlook() noexcept;
  /// Of all that was looked at, so many bytes are the message at hand; the others are to be looked
  /// at again.
  /// @pre     so many were looked at.
  /// @return  0, or errno.
  [[nodiscard]] int cut(std::size_t bytes) noexcept;

  /// How often the message at hand was looked at, by whichever process: one that was often is the
  /// reason why they end.
  [[nodiscard]] std::uint32_t attempts() const noexcept { return answers_.attempts(); }

  /// The answer to the message at hand; a message has one at most.
  /// @pre  cut(); 1 to AnswerFile::kLongest bytes. SIGPIPE is ignored.
  /// @return  0, or errno: nothing was sent, or with EPROTO a part, and the connection has to end.
  [[nodiscard]] int answer(std::span<const std::byte> bytes) noexcept;
  /// The answer is about to be sent by sendmsg(2), with an open file that is locked. Until finish()
  /// only its witness can tell whether it was.
  void answer_beside() noexcept;

  /// The message at hand is done with, and leaves the socket.
  /// @pre     cut(); what became of it is recorded.
  /// @return  0, or errno.
  [[nodiscard]] int finish() noexcept;

  /// To be kept beside the connection.
  [[nodiscard]] int answers() const noexcept { return answers_.fd(); }

 private:
  Exchange(int socket, AnswerFile answers) noexcept
      : socket_(socket), answers_(std::move(answers)) {}
  [[nodiscard]] Settled settle(std::size_t looked_at, int witness) noexcept;
  void judge_lent(int witness) noexcept;
  [[nodiscard]] int take_out() noexcept;

  int socket_;
  AnswerFile answers_;
  std::size_t seen_ = 0;  // bytes looked at and not taken out
  bool again_ = false;
};

}  // namespace vballoon::keep
