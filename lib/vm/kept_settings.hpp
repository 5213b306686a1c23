// SPDX-License-Identifier: BSD-3-Clause
//
// vm/kept_settings.hpp - a VM's settings as text, for the next daemon.
// Pure. The text has a line KEY=VALUE for name, socket, mode and each setting with which the VM was
// added, and a line now.KEY=VALUE for each that was changed since.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "vm/settings.hpp"

namespace vballoon::vm {

struct KeptSettings {
  /// The configuration has the VM. False: a client added it, and nobody else knows of it.
  bool configured = false;
  Settings added;  ///< with which it was added
  Settings now;    ///< the same, but for what was changed since
  friend bool operator==(const KeptSettings&, const KeptSettings&) = default;
};

[[nodiscard]] std::string lines_of(const KeptSettings& kept);

/// A key that is not known is left out: the daemon that wrote it may be a later one.
/// @errors kInvalidArgument for a line that is none, a value that its key does not take, or a VM
///         without name or socket.
[[nodiscard]] Result<KeptSettings> read_kept_settings(std::string_view lines);

}  // namespace vballoon::vm
