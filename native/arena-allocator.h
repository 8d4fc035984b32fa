// A CPU allocator that reuses the memory of freed tensors, in one arena that grows to what one step needs.
#pragma once

namespace inception {

// Makes it libtorch's CPU allocator. Call once, before any tensor exists.
void installArenaAllocator();

// Returns the memory of freed tensors to the system: the next program may need less.
void trimArena();

}  // namespace inception
