// SPDX-License-Identifier: BSD-3-Clause
//
// service/config/config_text.hpp - the effective configuration as TOML, and each key's origin.
#pragma once

#include <string>
#include <vector>

#include "service/config/config.hpp"

namespace vballoon::service {

/// One key that is not a device's.
struct KeyText {
  std::string table;
  std::string key;
  std::string value;  ///< as TOML; empty: the key is not set, and has no default

  [[nodiscard]] std::string name() const { return table + "." + key; }
  bool operator==(const KeyText&) const = default;
};

/// @return all of them, in the same order for every configuration.
[[nodiscard]] std::vector<KeyText> key_texts(const Config& config);

/// @return the text of a file that leads to this configuration. A comment behind each key tells the
///         origin of its value: a file and line, an option, or the defaults.
[[nodiscard]] std::string config_text(const Config& config);

}  // namespace vballoon::service
