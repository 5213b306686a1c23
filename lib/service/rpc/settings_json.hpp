// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/settings_json.hpp - a VM's settings as parameters and as a result.
// Keys, kinds and ranges are those of vm::kSettings.
#pragma once

#include "rpc/json_writer.hpp"
#include "service/rpc/params.hpp"
#include "vm/settings.hpp"

namespace vballoon::service {

/// Takes the settings that stand there into *settings; the first wrong one becomes the error of
/// params.finish().
/// @return their rows.
vm::Rows read_settings(Params& params, vm::Settings* settings);

void write_settings(const vm::Settings& settings, rpc::JsonWriter* out);

}  // namespace vballoon::service
