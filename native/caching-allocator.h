// Memory of freed tensors is kept and used again.
#pragma once

namespace inception {

// Makes it libtorch's allocator for the CPU. Call once, before any tensor exists.
void installCachingAllocator();

}  // namespace inception
