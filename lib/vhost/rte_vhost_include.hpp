// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/rte_vhost_include.hpp - includes librte_vhost's headers so that they compile as C++.
#pragma once

// rte_vhost.h does not declare these in C++, and needs only their names.
struct vring_desc;
struct vring_avail;
struct vring_used;
struct vring_packed_desc;
struct vring_packed_desc_event;

#include <rte_version.h>
#include <rte_vhost.h>
