// The inner loops, on plain memory. kernels.cc is compiled once for every instruction set, each time into a table of its
// own; chooseKernels() takes the best that this processor has.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace inception::kernels {

// Rows of `channels` values, one row for each place of each image: the memory of a channels-last tensor.
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

// Batch normalisation's numbers, an array of one for each channel.
struct Channels {
  const float* mean;
  // Forward: x · scale + offset.
  const float* scale;
  const float* offset;
  // Backward: g · scale + (x − mean) · slope + shift.
  const float* slope;
  const float* shift;
};

// bfloat16 comes as its 16 bits.
template <typename T>
struct Table {
  // sum += Σ (x − shift), square += Σ (x − shift)², for each channel.
  void (*moments)(Strided<const T> x, Rows rows, const float* shift, float* sum, float* square);
  // y = max(0, x · scale + offset)
  void (*scaleRelu)(Strided<const T> x, Strided<T> y, Rows rows, const float* scale, const float* offset);
  // With g = gradient where that is above 0, else 0: sum += Σ g, product += Σ g · (x − mean).
  void (*gradientMoments)(Strided<const T> gradient, Strided<const T> x, Rows rows, const Channels& perChannel, float* sum, float* product);
  // dx = g · scale + (x − mean) · slope + shift
  void (*gradientInput)(Strided<const T> gradient, Strided<const T> x, Strided<T> dx, Rows rows, const Channels& perChannel);
  // y = x + scale · y, or what is above 0 of it
  void (*scaledAdd)(const T* x, T* y, int64_t count, float scale, bool relu);
  // sum = gradient + more where y is above 0, else 0; scaled = scale · sum. `more` and `y` may be null; results may take
  // the place of the gradients.
  void (*scaledAddBackward)(const T* gradient, const T* more, const T* y, T* sum, T* scaled, int64_t count, float scale);
  // Pooling: one row of channels out of `count` others. y = Σ x · factor
  void (*weightedSum)(const T* const* x, const float* factors, int64_t count, int64_t channels, T* y);
  // y is the largest x, the first of equals, or a NaN; `where` becomes the place of it.
  void (*largest)(const T* const* x, const uint8_t* places, int64_t count, int64_t channels, T* y, uint8_t* where);
  // dx = Σ dy where its `where` is the place that it belongs to.
  void (*sumWhere)(const T* const* dy, const uint8_t* const* where, const uint8_t* places, int64_t count, int64_t channels, T* dx);
};

struct RmsProp {
  float decay;
  float epsilon;
  float momentum;
  float learningRate;
  float weightDecay;
  // Fraction of the new weights in the averages.
  float averageFraction;
  // The gradient is multiplied by this, for clipping.
  float gradientScale;
};

// Gives the sum of the gradient's squares, before its scaling. `averages` may be null.
using UpdateRmsProp = double (*)(float* weights, float* meanSquare, float* momentum, float* averages, const float* gradient, int64_t count, const RmsProp& settings);

// What every other optimiser's update takes besides its own numbers.
struct Update {
  float learningRate;
  float weightDecay;
  // Fraction of the new weights in the averages.
  float averageFraction;
  // The gradient is multiplied by this, for clipping.
  float gradientScale;
};

struct Sgd {
  float momentum;
  bool nesterov;
};

struct AdamW {
  float beta1, beta2;
  // 1 − β, which float32 would round.
  float rest1, rest2;
  float epsilon;
  // 1 − β^t of both moments in step t.
  float correction1, correction2;
};

// Give the sum of the gradient's squares, before its scaling. `averages` may be null.
using UpdateSgd = double (*)(float* weights, float* momentum, float* averages, const float* gradient, int64_t count, const Update& update, const Sgd& sgd);
using UpdateAdamW = double (*)(float* weights, float* firstMoment, float* secondMoment, float* averages, const float* gradient, int64_t count, const Update& update, const AdamW& adamw);

struct Kernels {
  const char* instructionSet;
  Table<float> float32;
  Table<uint16_t> bfloat16;
  UpdateRmsProp updateRmsProp;
  UpdateSgd updateSgd;
  UpdateAdamW updateAdamW;
};

// The best that this processor has, or the one that was asked for.
const Kernels& chooseKernels();

// Names of those that this processor has, best last.
std::vector<std::string> kernelNames();

// From now on, in the whole process. Throws std::invalid_argument for a name that is not among kernelNames().
void useKernels(const std::string& name);

}  // namespace inception::kernels
