// How a bucket of gradients is divided among the processes of a group.
#pragma once
#include <algorithm>
#include <cstdint>

namespace inception {

// The range that each process owns: equal, of whole cache lines; the last may be shorter, or empty.
struct BucketRanges {
  int64_t count, length;
  BucketRanges(int64_t count, int size) : count(count), length(((count + size - 1) / size + 15) / 16 * 16) {}
  int64_t begin(int rank) const { return std::min(count, rank * length); }
  int64_t size(int rank) const { return begin(rank + 1) - begin(rank); }
};

}  // namespace inception
