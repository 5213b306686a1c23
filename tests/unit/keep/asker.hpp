// SPDX-License-Identifier: BSD-3-Clause
//
// keep/asker.hpp - a peer that asks, and a server that answers and may end at any instant.
// A message is a header, its payload, and perhaps a descriptor; its answer proves which message it
// is an answer to.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "keep/bag.hpp"

namespace vballoon::keep {

/// A process with a sanitizer takes its time to fork.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSlowToFork = true;
#else
inline constexpr bool kSlowToFork = false;
#endif

struct Question {
  std::uint32_t number = 0;  ///< from 1, without gaps
  std::uint32_t answer_bytes = 0;
  std::uint16_t payload_bytes = 0;
  std::uint8_t brings_descriptor = 0;
  std::uint8_t wants_descriptor = 0;  ///< with its answer
};
inline constexpr std::size_t kMaxPayload = 200;

/// What the answer to this one says, or its payload.
[[nodiscard]] std::vector<std::byte> text_of(std::uint32_t number, std::size_t bytes);

/// All kinds in turn: with and without payload and answer, and descriptors with either.
[[nodiscard]] Question question(std::uint32_t number);

/// Header and payload in one message, or in two.
/// @return whether it could be sent.
bool ask(int socket, const Question& question, bool in_pieces = false);

/// Reads the answers to these, which wait or will come.
/// @param came  what came with the newest of them that wanted a descriptor. A peer that lets go of
///              one before the next message is answered cannot be told from one that never got it.
/// @return whether each was the next one, whole.
[[nodiscard]] bool read_answers(int socket, std::uint32_t first, std::uint32_t last,
                                UniqueFd* came);

/// Nothing more can be read there.
[[nodiscard]] bool is_quiet(int socket);

/// What outlives the server.
class Asked {
 public:
  /// A connection whose server has not seen anything. @errors throws.
  Asked();

  [[nodiscard]] int client() const { return client_.get(); }
  [[nodiscard]] Bag& bag() { return bag_; }

 private:
  UniqueFd client_;
  Bag bag_;
};

enum class Served {
  kAll,    // nothing more is there
  kEnd,    // the peer is gone
  kWrong,  // a message was lost, came twice, or without its descriptor
};

/// Takes up what the server before left in the bag, and serves.
/// @param flags  of recvmsg(2): MSG_DONTWAIT to come back when nothing is there.
Served serve(const Bag& bag, int flags);

}  // namespace vballoon::keep
