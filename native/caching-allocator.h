// Memory of freed tensors is kept and used again.
#pragma once

namespace inception {

// Makes it libtorch's allocator for the CPU. Call once, before any tensor exists.
void installCachingAllocator();

// Gives freed blocks back: the next program asks for other sizes.
void dropCachedBlocks();

}  // namespace inception
