// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/vmm_messages.hpp - handles each message of the connected VMM, before librte_vhost acts on
//                          the message and after.
// Thread: the vhost event thread, under the device's lock.
// Source: section 8 of the design; vhost-user protocol, "Front-end message types".
#pragma once

#include "vhost/device_parts.hpp"
#include "vhost/message.hpp"

namespace vballoon::vhost {

class VmmMessages {
 public:
  /// @param device  outlives this object.
  explicit VmmMessages(DeviceParts& device) noexcept : device_(device) {}

  /// @return what librte_vhost does with the message. @pre check_message() passed
  [[nodiscard]] rte_vhost_msg_result before(Message message);
  /// Called after librte_vhost acted on a message, unless that failed.
  void after(Message message);
  /// Descriptors that came with the message could not be taken, which is not the VMM's fault.
  /// @param served  the VMM is served; otherwise it waits for the device.
  [[nodiscard]] rte_vhost_msg_result without_descriptors(Message message, bool served);

 private:
  [[nodiscard]] rte_vhost_msg_result claim_memory(Message message);
  void prepare(Message message);
  void take_away(unsigned ring, bool for_good);
  void prepare_for(wire::Features features);
  void load_features();
  void load_memory();
  [[nodiscard]] rte_vhost_msg_result get_config(Message message) const;
  [[nodiscard]] rte_vhost_msg_result set_config(Message message);
  [[nodiscard]] rte_vhost_msg_result set_log(Message message);
  [[nodiscard]] rte_vhost_msg_result get_inflight(Message message);
  [[nodiscard]] Result<void> lend(int region);
  [[nodiscard]] rte_vhost_msg_result set_inflight(Message message);
  void adopt_channel(Message message);

  DeviceParts& device_;
};

}  // namespace vballoon::vhost
