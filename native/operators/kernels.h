// The inner loops, on plain memory. kernels.cc is compiled once for every instruction set, each time into a table of its
// own; chooseKernels() takes the best that this processor has.
#pragma once
#include <cstdint>

namespace inception::kernels {

// Rows of `channels` values, one row for each place of each picture: the memory of a channels-last tensor.
struct Rows {
  int64_t count;
  int64_t channels;
};

// Rows that do not lie one after the other, as in a slice of the channels of a wider tensor.
template <typename T>
struct Strided {
  T* data;
  int64_t stride;
};

// bfloat16 comes as its 16 bits.
template <typename T>
struct Table {
  // sum += Σ (x − shift), square += Σ (x − shift)², for each channel.
  void (*moments)(const T* x, Rows rows, const float* shift, float* sum, float* square);
  // y = max(0, x · scale + offset)
  void (*scaleRelu)(const T* x, Strided<T> y, Rows rows, const float* scale, const float* offset);
  // With g = gradient where y > 0, else 0: sum += Σ g, product += Σ g · (x − mean).
  void (*gradientMoments)(Strided<const T> gradient, const T* x, Strided<const T> y, Rows rows, const float* mean, float* sum, float* product);
  // dx = g · scale + (x − mean) · slope + offset
  void (*gradientInput)(Strided<const T> gradient, const T* x, Strided<const T> y, T* dx, Rows rows, const float* mean, const float* scale, const float* slope, const float* offset);
  // Pooling, one row of channels at a time. sum += x · factor
  void (*addScaled)(const T* x, int64_t channels, float factor, float* sum);
  // y = sum · factor
  void (*storeScaled)(const float* sum, int64_t channels, float factor, T* y);
  // Where x is larger than the best so far or no number, it is the best, and `place` is where.
  void (*keepLarger)(const T* x, int64_t channels, uint8_t place, float* best, uint8_t* where);
  // sum += x where `where` is `place`
  void (*addWhere)(const T* x, const uint8_t* where, int64_t channels, uint8_t place, float* sum);
};

struct RmsProp {
  float decay;
  float epsilon;
  float momentum;
  float learningRate;
  float weightDecay;
  // Share of the new weights in the averages.
  float averageShare;
  // The gradient is multiplied by this, for clipping.
  float gradientScale;
};

// Gives the sum of the gradient's squares, before its scaling. `averages` may be null.
using UpdateRmsProp = double (*)(float* weights, float* meanSquare, float* momentum, float* averages, const float* gradient, int64_t count, const RmsProp& how);

struct Kernels {
  const char* instructionSet;
  Table<float> float32;
  Table<uint16_t> bfloat16;
  UpdateRmsProp updateRmsProp;
};

const Kernels& chooseKernels();

}  // namespace inception::kernels
