// SPDX-License-Identifier: BSD-3-Clause
//
// keep/answer_file.hpp - the answers to one peer, and a note on how far the newest one came.
// Thread: one owner at a time.
// Why:    an answer is sent by sendfile(2) out of this file, whose offset then moves: the call that
//         sends is the call that says so. The offset belongs to the open file, and the note to its
//         memory; both outlive the process.
//         What was sent is not copied: it stays in its place until the peer has read it. So answers
//         go round the file. A peer that leaves 60 KiB of them unread spoils its own.
//         One file serves one connection: a peer can hold on to pages that it was sent.
// Source: sendfile(2), "file offset of in_fd"; memfd_create(2); unix(7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::keep {

class AnswerFile {
 public:
  /// An answer lies in one page, which a socket takes or refuses as a whole.
  static constexpr std::size_t kLongest = 4096;

  /// What has become of a message, as far as the note tells.
  enum class State {
    kOpen,      // nothing was sent
    kAnswered,  // the answer was sent, or none was due
    kDoubtful,  // a part of it was sent
    kBeside,    // it may have been sent, together with a descriptor
  };

  /// A new one. @errors kHost with the reason.
  [[nodiscard]] static Result<AnswerFile> make();
  /// One that another process made.
  /// @errors kInvalidArgument: it is no such file. kHost with the reason.
  [[nodiscard]] static Result<AnswerFile> adopt(UniqueFd fd);

  AnswerFile(AnswerFile&& other) noexcept;
  AnswerFile& operator=(AnswerFile&&) = delete;
  ~AnswerFile();

  /// To be kept beside the connection.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  [[nodiscard]] State state() const noexcept;
  /// From here on this is what has become of the message.
  void set(State state) noexcept;

  /// Writes an answer and sends it.
  /// @pre     1 to kLongest bytes; state() is kOpen. SIGPIPE is ignored.
  /// @return  0, and the state is kAnswered; or errno, and nothing was sent; or EPROTO: a part was,
  ///          and the state is kDoubtful.
  [[nodiscard]] int send(int socket, std::span<const std::byte> answer) noexcept;

  /// How often the message at hand was looked at; goes with the file.
  [[nodiscard]] std::uint32_t attempts() const noexcept;
  void set_attempts(std::uint32_t attempts) noexcept;

 private:
  struct Note;

  AnswerFile(UniqueFd fd, std::byte* memory) noexcept;
  [[nodiscard]] Note& note() const noexcept;
  [[nodiscard]] bool move_to_room_for(std::size_t bytes) noexcept;
  [[nodiscard]] int send_placed(int socket, std::size_t bytes) noexcept;

  UniqueFd fd_;
  std::byte* memory_;
  std::size_t place_;  // of the next answer: the file's offset
};

}  // namespace vballoon::keep
