// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/rte_vhost_include.hpp - librte_vhost's headers, made fit for C++.
#pragma once

// rte_vhost.h leaves these out under C++ and needs no more than their names.
struct vring_desc;
struct vring_avail;
struct vring_used;
struct vring_packed_desc;
struct vring_packed_desc_event;

#include <rte_version.h>
#include <rte_vhost.h>
