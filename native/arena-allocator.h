// Memory of freed tensors is kept and used again, in one arena whose size is what the tensors of a step need together.
#pragma once

namespace inception {

// Makes it libtorch's allocator for the CPU. Call once, before any tensor exists.
void installArenaAllocator();

// Gives the memory of freed tensors back to the system: the next program needs another amount.
void trimArena();

}  // namespace inception
