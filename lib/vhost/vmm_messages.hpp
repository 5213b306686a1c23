// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/vmm_messages.hpp - what a message of the VMM that is connected means to its device, before
//                          librte_vhost acts on it and after.
// Thread: the vhost event thread, under the device's lock.
// Source: section 8 of the design; vhost-user protocol, "Front-end message types".
#pragma once

#include "vhost/device_parts.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

class VmmMessages {
 public:
  /// @param device  outlives this.
  explicit VmmMessages(DeviceParts& device) noexcept : device_(device) {}

  /// @return what librte_vhost shall do with it. @pre check_message() took it
  [[nodiscard]] rte_vhost_msg_result before(Message message);
  /// Not after one that failed.
  void after(Message message);
  /// Descriptors came with it that could not be taken, which is not the VMM's fault.
  /// @param served  else it waits for its turn.
  [[nodiscard]] rte_vhost_msg_result without_descriptors(Message message, bool served);

 private:
  [[nodiscard]] rte_vhost_msg_result claim_memory(Message message);
  void prepare(Message message);
  void prepare_for(wire::Features features);
  void load_features();
  void load_memory();
  [[nodiscard]] rte_vhost_msg_result get_config(Message message) const;
  [[nodiscard]] rte_vhost_msg_result set_config(Message message);
  [[nodiscard]] rte_vhost_msg_result set_log(Message message);
  [[nodiscard]] rte_vhost_msg_result get_inflight(Message message);
  [[nodiscard]] rte_vhost_msg_result set_inflight(Message message);
  void adopt_channel(Message message);

  DeviceParts& device_;
};

}  // namespace vballoon::vhost
