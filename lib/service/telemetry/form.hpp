// SPDX-License-Identifier: BSD-3-Clause
//
// service/telemetry/form.hpp - JSON in the form that DPDK's telemetry can send.
// Pure.
// Why:    telemetry has dictionaries, arrays of one kind, whole numbers and short texts. What is
//         beyond its limits it cuts or leaves out, and says nothing.
// Source: rte_telemetry.h and lib/telemetry/telemetry.c, telemetry_json.h (22.11 to 26.07).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "rpc/error.hpp"

namespace vballoon::service {

/// Bytes of an answer. MAX_OUTPUT_LEN, which no header has, is 16,384 with the command.
inline constexpr std::size_t kMostBytes = 16'000;
/// Items of an array: RTE_TEL_MAX_ARRAY_ENTRIES.
inline constexpr std::size_t kMostItems = 512;
/// Entries of a dictionary: RTE_TEL_MAX_DICT_ENTRIES.
inline constexpr std::size_t kMostEntries = 256;
/// Bytes of a text: RTE_TEL_MAX_STRING_LEN, less its end.
inline constexpr std::size_t kMostText = 127;

/// @param value  an object, or an array of objects; its keys have letters, digits and '_' only.
/// @return an object of whole numbers, texts of ASCII, arrays of either and such objects.
///         true and false are 1 and 0. What nobody knows (null) is absent, and so is an empty
///         object. Objects in an array become an object of columns, an array for each key. A text
///         that is too long ends in "...". What does not fit into an answer becomes error_form().
[[nodiscard]] rpc::Json telemetry_form(const rpc::Json& value);

/// @return {"error": ...}
[[nodiscard]] rpc::Json error_form(std::string_view message);

}  // namespace vballoon::service
