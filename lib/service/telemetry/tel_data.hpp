// SPDX-License-Identifier: BSD-3-Clause
//
// service/telemetry/tel_data.hpp - an answer as DPDK's own data.
// DPDK stays behind this header.
#pragma once

#include "rpc/error.hpp"

struct rte_tel_data;

namespace vballoon::service {

/// @param object  of telemetry_form().
/// @return 0, or an error of DPDK's, which is that memory is short. What was filled in until then
///         is lost: DPDK frees what it sends.
[[nodiscard]] int fill(const rpc::Json& object, rte_tel_data* data);

}  // namespace vballoon::service
