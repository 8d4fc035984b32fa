// The store by which the processes of a group find each other: c10d's TCPStore.
#pragma once
#if defined(INCEPTION_GLOO) || defined(INCEPTION_NCCL)
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <atomic>
#include <memory>

#include "group.h"

namespace inception {

// Connects to the store of `spec`. Its waits end with an error soon after `aborted` is set: c10d's own last for minutes.
c10::intrusive_ptr<c10d::Store> connectToStore(const GroupSpec& spec, std::shared_ptr<std::atomic<bool>> aborted);

}  // namespace inception
#endif
