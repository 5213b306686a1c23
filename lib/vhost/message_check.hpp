// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/message_check.hpp - what a VMM may say, judged before librte_vhost acts on it.
// Thread: the vhost event thread.
// Why:    librte_vhost takes every payload for as long as the request's own, whatever came; carries
//         out messages of network, crypto and storage devices, and of features that nobody offered;
//         and asks the file system about memory, which may be one that never answers.
// Source: vhost-user protocol, "Message Specification" and "Front-end message types".
#pragma once

#include "base/result.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

/// @errors kInvalidArgument: what is wrong with it, to be followed by "that is refused".
[[nodiscard]] Result<void> check_message(const Message& message);

/// Of a SET_MEM_TABLE that passed: librte_vhost will be able to map it. Where it is not it loses
/// the descriptors. @pre the address space that this takes is bounded.
[[nodiscard]] Result<void> check_mappings(const Message& message);

/// It is about the device, not only about the protocol: not for a VMM that waits for its turn.
[[nodiscard]] bool concerns_device(Request request) noexcept;

}  // namespace vballoon::vhost
