// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/settings_json.hpp - a VM's settings as parameters and as a result.
// vm::kSettings has the keys, kinds and ranges.
#pragma once

#include "rpc/json_writer.hpp"
#include "service/rpc/params.hpp"
#include "vm/settings.hpp"

namespace vballoon::service {

/// Takes the settings that the request has into *settings. The first wrong one becomes the error of
/// params.finish().
/// @return the rows of these settings.
vm::Rows read_settings(Params& params, vm::Settings* settings);

void write_settings(const vm::Settings& settings, rpc::JsonWriter* out);

}  // namespace vballoon::service
