// The inner loops, on plain memory. kernels.cc is compiled into one table per instruction set; chooseKernels() returns the best
// one that this processor supports.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace inception::kernels {

// Rows of `channels` values, one row per position of each image: the memory of a channels-last tensor.
struct Rows {
  int64_t count;
  int64_t channels;
};

// Rows that need not be adjacent, as in a slice of the channels of a wider tensor.
template <typename T>
struct Strided {
  T* data;
  int64_t stride;
};

// Batch normalisation's values, one per channel.
struct Channels {
  const float* mean;
  // Forward: x · scale + offset.
  const float* scale;
  const float* offset;
  // Backward: g · scale + (x − mean) · slope + shift.
  const float* slope;
  const float* shift;
};

// bfloat16 values are passed as their 16 bits.
template <typename T>
struct Table {
  // sum += Σ (x − shift), square += Σ (x − shift)², per channel.
  void (*moments)(Strided<const T> x, Rows rows, const float* shift, float* sum, float* square);
  // y = max(0, x · scale + offset)
  void (*scaleRelu)(Strided<const T> x, Strided<T> y, Rows rows, const float* scale, const float* offset);
  // With g = gradient where x · scale + offset is above 0, else 0: sum += Σ g, product += Σ g · (x − mean).
  void (*gradientMoments)(Strided<const T> gradient, Strided<const T> x, Rows rows, const Channels& perChannel, float* sum, float* product);
  // dx = g · scale + (x − mean) · slope + shift
  void (*gradientInput)(Strided<const T> gradient, Strided<const T> x, Strided<T> dx, Rows rows, const Channels& perChannel);
  // y = x + scale · y, then optionally the ReLU
  void (*scaledAdd)(const T* x, T* y, int64_t count, float scale, bool relu);
  // sum = gradient + second where y is above 0, else 0; scaled = scale · sum. `second` and `y` may be null; results may alias
  // the gradients.
  void (*scaledAddBackward)(const T* gradient, const T* second, const T* y, T* sum, T* scaled, int64_t count, float scale);
  // Pooling: computes one row of channels from `count` rows. y = Σ x · factor
  void (*weightedSum)(const T* const* x, const float* factors, int64_t count, int64_t channels, T* y);
  // y is the maximum x, the first of equals, or a NaN; `argmax` is its position in the window.
  void (*maximum)(const T* const* x, const uint8_t* positions, int64_t count, int64_t channels, T* y, uint8_t* argmax);
  // dx = Σ dy where `argmax` equals the position in that window.
  void (*sumWhere)(const T* const* dy, const uint8_t* const* argmax, const uint8_t* positions, int64_t count, int64_t channels, T* dx);
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

// Returns the sum of the gradient's squares before scaling. `averages` may be null.
using UpdateRmsProp = double (*)(float* weights, float* meanSquare, float* momentum, float* averages, const float* gradient, int64_t count, const RmsProp& settings);

// What the other optimisers' updates share.
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
  // 1 − β, computed in float64: in float32 the difference would be rounded.
  float rest1, rest2;
  float epsilon;
  // 1 − β^t of both moments at step t.
  float correction1, correction2;
};

// Return the sum of the gradient's squares before scaling. `averages` may be null.
using UpdateSgd = double (*)(float* weights, float* momentum, float* averages, const float* gradient, int64_t count, const Update& update, const Sgd& sgd);
using UpdateAdamW = double (*)(float* weights, float* firstMoment, float* secondMoment, float* averages, const float* gradient, int64_t count, const Update& update, const AdamW& adamw);

// Sums over processes, element by element; bfloat16 values are passed as their 16 bits.
struct Sums {
  // sum += values
  void (*add)(float* sum, const float* values, int64_t count);
  void (*addBfloat16)(float* sum, const uint16_t* values, int64_t count);
  void (*scale)(float* values, int64_t count, float factor);
  // To nearest, ties to even.
  void (*round)(const float* values, uint16_t* rounded, int64_t count);
  void (*widen)(const uint16_t* values, float* wide, int64_t count);
};

// Values in 8 bits: value = (byte − zero) · scale. Results are rounded to nearest, ties to even, and clamped to [low, 255].
struct Bytes {
  void (*quantise)(const float* x, uint8_t* y, int64_t count, float scale, int32_t zero);
  void (*dequantise)(const uint8_t* x, float* y, int64_t count, float scale, int32_t zero);
  // y = (x · factor) + offset, of two inputs their sum; `second` may be null. Results may alias the inputs.
  void (*combine)(const uint8_t* x, const uint8_t* second, uint8_t* y, int64_t count, float factor, float secondFactor, float offset, float low);
  // Pooling: computes one row of channels from `count` rows, at most 256. y = Σ x · factor + offset
  void (*average)(const uint8_t* const* x, int64_t count, int64_t channels, uint8_t* y, float factor, float offset, float low);
  void (*maximum)(const uint8_t* const* x, int64_t count, int64_t channels, uint8_t* y);
};

struct Kernels {
  const char* instructionSet;
  Table<float> float32;
  Table<uint16_t> bfloat16;
  UpdateRmsProp updateRmsProp;
  UpdateSgd updateSgd;
  UpdateAdamW updateAdamW;
  Sums sums;
  Bytes bytes;
};

// The best kernels for this processor, or those chosen by useKernels().
const Kernels& chooseKernels();

// Names of the instruction sets that this processor supports, best last.
std::vector<std::string> kernelNames();

// Selects kernels for the whole process. Throws std::invalid_argument for a name that is not among kernelNames().
void useKernels(const std::string& name);

}  // namespace inception::kernels
