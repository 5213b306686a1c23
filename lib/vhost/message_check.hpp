// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/message_check.hpp - checks a VMM's message before librte_vhost acts on it.
// Thread: the vhost event thread.
// Why:    librte_vhost believes that every payload has the length of the request's own. It executes
//         messages of network, crypto and storage devices, and of features that were not offered.
//         And it asks the file system of a memory region, which may be one that never answers.
// Source: vhost-user protocol, "Message Specification" and "Front-end message types".
#pragma once

#include "base/result.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

/// @errors kInvalidArgument with what is wrong with the message; the log adds "that is refused".
[[nodiscard]] Result<void> check_message(const Message& message);

/// Checks that librte_vhost will be able to map the regions of a SET_MEM_TABLE; otherwise it would
/// lose the descriptors.
/// @pre check_message() passed, and the address space that the regions take is bounded.
[[nodiscard]] Result<void> check_mappings(const Message& message);

/// Whether the request is about the device, and not only about the protocol. A VMM that waits for
/// the device may not make such a request.
[[nodiscard]] bool concerns_device(Request request) noexcept;

}  // namespace vballoon::vhost
