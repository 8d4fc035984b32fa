// Sums over replicas whose result does not depend on how many processes hold them: element by element, always in the same order.
#pragma once
#include <cstdint>
#include <vector>

namespace inception {

// One process's values of a range of elements.
struct Summand {
  const void* data;
  bool isBfloat16;  // otherwise float32
};

// sums = (fromZero ? +0 : sums) + summands[0] + summands[1] + …, each sum in float32. `rounded`: float32 values are rounded to
// bfloat16 before they are added. A summand may be the same memory as `sums` if the sum starts from zero.
void sumInOrder(float* sums, bool fromZero, const std::vector<Summand>& summands, bool rounded, int64_t count);

// Multiplies by float 1 / replicas. `rounded`: then rounds to bfloat16.
void divideByReplicas(float* values, int64_t count, int64_t replicas, bool rounded);

}  // namespace inception
