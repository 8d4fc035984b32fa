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

// bfloat16 comes as its 16 bits.
template <typename T>
struct Table {
  // sum += Σ (x − shift), square += Σ (x − shift)², for each channel.
  void (*moments)(const T* x, Rows rows, const float* shift, float* sum, float* square);
  // y = max(0, x · scale + offset)
  void (*scaleRelu)(const T* x, T* y, Rows rows, const float* scale, const float* offset);
  // With g = gradient where y > 0, else 0: sum += Σ g, product += Σ g · (x − mean). `stride` is the gradient's row's.
  void (*gradientMoments)(const T* gradient, int64_t stride, const T* x, const T* y, Rows rows, const float* mean, float* sum, float* product);
  // dx = g · scale + (x − mean) · slope + offset
  void (*gradientInput)(const T* gradient, int64_t stride, const T* x, const T* y, T* dx, Rows rows, const float* mean, const float* scale, const float* slope, const float* offset);
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

using UpdateRmsProp = void (*)(float* weights, float* meanSquare, float* momentum, float* averages, const float* gradient, int64_t count, const RmsProp& how);

struct Kernels {
  const char* instructionSet;
  Table<float> float32;
  Table<uint16_t> bfloat16;
  UpdateRmsProp updateRmsProp;
};

const Kernels& chooseKernels();

}  // namespace inception::kernels
