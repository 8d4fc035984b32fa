#include "sum-in-order.h"

#include <algorithm>

#include "kernels.h"

namespace inception {

namespace {

// Elements at a time: a block of sums stays in the first cache while all processes' values are added to it.
constexpr int64_t sumBlock = 2048;

}  // namespace

void sumInOrder(float* sums, bool fromZero, const std::vector<Summand>& summands, bool rounded, int64_t count) {
  const auto& run = kernels::chooseKernels().sums;
  float block[sumBlock];
  uint16_t bits[sumBlock];
  for (int64_t begin = 0; begin < count; begin += sumBlock) {
    const int64_t length = std::min(sumBlock, count - begin);
    if (fromZero) {
      // +0 and not the first summand: -0 would otherwise keep its sign in one process and lose it in several rounds.
      std::fill_n(block, length, 0.f);
    } else {
      std::copy_n(sums + begin, length, block);
    }
    for (const auto& summand : summands) {
      if (summand.isBfloat16) {
        run.addBfloat16(block, static_cast<const uint16_t*>(summand.data) + begin, length);
      } else if (rounded) {
        run.round(static_cast<const float*>(summand.data) + begin, bits, length);
        run.addBfloat16(block, bits, length);
      } else {
        run.add(block, static_cast<const float*>(summand.data) + begin, length);
      }
    }
    std::copy_n(block, length, sums + begin);
  }
}

void divideByReplicas(float* values, int64_t count, int64_t replicas, bool rounded) {
  const auto& run = kernels::chooseKernels().sums;
  const float factor = 1.f / static_cast<float>(replicas);
  uint16_t bits[sumBlock];
  for (int64_t begin = 0; begin < count; begin += sumBlock) {
    const int64_t length = std::min(sumBlock, count - begin);
    run.scale(values + begin, length, factor);
    if (!rounded) continue;
    run.round(values + begin, bits, length);
    run.widen(bits, values + begin, length);
  }
}

}  // namespace inception
