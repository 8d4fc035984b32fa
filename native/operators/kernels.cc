// Compiled several times with other flags; KERNELS names the table of each. Loops are written so that the compiler turns
// them into vector code: channels innermost, no branches, no calls.
#include "kernels.h"

#include <cmath>
#include <cstring>

namespace inception::kernels {

namespace {

inline float load(float value) { return value; }

inline float load(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

inline void store(float* to, float value) { *to = value; }

// To the nearest, ties to even, as the hardware rounds. A NaN stays one: the training loop looks for it.
inline void store(uint16_t* to, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  *to = static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
}

template <typename T>
void moments(const T* x, Rows rows, const float* shift, float* __restrict sum, float* __restrict square) {
  for (int64_t row = 0; row < rows.count; row++, x += rows.channels) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float value = load(x[c]) - shift[c];
      sum[c] += value;
      square[c] += value * value;
    }
  }
}

template <typename T>
void scaleRelu(const T* x, Strided<T> to, Rows rows, const float* scale, const float* offset) {
  T* __restrict y = to.data;
  for (int64_t row = 0; row < rows.count; row++, x += rows.channels, y += to.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float value = load(x[c]) * scale[c] + offset[c];
      // Not max(0, value), which would turn a NaN into 0 and hide it.
      store(&y[c], value < 0 ? 0 : value);
    }
  }
}

// Loaded before it is asked whether it counts: then the choice is a mask and no branch.
template <typename T>
inline float where(T y, T gradient) {
  const float value = load(gradient);
  return load(y) > 0 ? value : 0.f;
}

template <typename T>
void gradientMoments(Strided<const T> gradient, const T* x, Strided<const T> y, Rows rows, const float* mean,
                     float* __restrict sum, float* __restrict product) {
  for (int64_t row = 0; row < rows.count; row++, gradient.data += gradient.stride, x += rows.channels, y.data += y.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float g = where(y.data[c], gradient.data[c]);
      sum[c] += g;
      product[c] += g * (load(x[c]) - mean[c]);
    }
  }
}

template <typename T>
void gradientInput(Strided<const T> gradient, const T* x, Strided<const T> y, T* __restrict dx, Rows rows,
                   const float* mean, const float* scale, const float* slope, const float* offset) {
  for (int64_t row = 0; row < rows.count;
       row++, gradient.data += gradient.stride, x += rows.channels, y.data += y.stride, dx += rows.channels) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float g = where(y.data[c], gradient.data[c]);
      store(&dx[c], g * scale[c] + (load(x[c]) - mean[c]) * slope[c] + offset[c]);
    }
  }
}

template <typename T>
void addScaled(const T* x, int64_t channels, float factor, float* __restrict sum) {
  for (int64_t c = 0; c < channels; c++) sum[c] += load(x[c]) * factor;
}

template <typename T>
void storeScaled(const float* sum, int64_t channels, float factor, T* __restrict y) {
  for (int64_t c = 0; c < channels; c++) store(&y[c], sum[c] * factor);
}

template <typename T>
void keepLarger(const T* x, int64_t channels, uint8_t place, float* __restrict best, uint8_t* __restrict at) {
  for (int64_t c = 0; c < channels; c++) {
    const float value = load(x[c]);
    const bool larger = (value > best[c]) | (value != value);
    best[c] = larger ? value : best[c];
    at[c] = larger ? place : at[c];
  }
}

template <typename T>
void addWhere(const T* x, const uint8_t* at, int64_t channels, uint8_t place, float* __restrict sum) {
  for (int64_t c = 0; c < channels; c++) {
    const float value = load(x[c]);
    sum[c] += at[c] == place ? value : 0.f;
  }
}

// As many sums side by side as fill a vector, over so few values that float32 is enough for them.
constexpr int64_t lanes = 16, together = 1024;

template <bool averaged>
float updateTogether(float* __restrict weights, float* __restrict meanSquare, float* __restrict momentum,
                     float* __restrict averages, const float* __restrict gradient, int64_t count, const RmsProp& by) {
  float sums[lanes] = {};
  const auto update = [&](int64_t at, float& sum) {
    sum += gradient[at] * gradient[at];
    const float g = gradient[at] * by.gradientScale + by.weightDecay * weights[at];
    const float square = by.decay * meanSquare[at] + (1 - by.decay) * g * g;
    const float step = by.momentum * momentum[at] + by.learningRate * (g / std::sqrt(square + by.epsilon));
    const float weight = weights[at] - step;
    meanSquare[at] = square;
    momentum[at] = step;
    weights[at] = weight;
    if (averaged) averages[at] += by.averageShare * (weight - averages[at]);
  };
  const int64_t whole = count / lanes * lanes;
  for (int64_t at = 0; at < whole; at += lanes) {
    for (int64_t lane = 0; lane < lanes; lane++) update(at + lane, sums[lane]);
  }
  for (int64_t at = whole; at < count; at++) update(at, sums[0]);
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

double updateRmsProp(float* weights, float* meanSquare, float* momentum, float* averages, const float* gradient, int64_t count,
                     const RmsProp& how) {
  const RmsProp by = how;
  double sum = 0;
  for (int64_t at = 0; at < count; at += together) {
    const int64_t some = count - at < together ? count - at : together;
    sum += averages ? updateTogether<true>(weights + at, meanSquare + at, momentum + at, averages + at, gradient + at, some, by)
                    : updateTogether<false>(weights + at, meanSquare + at, momentum + at, nullptr, gradient + at, some, by);
  }
  return sum;
}

template <typename T>
constexpr Table<T> table{moments<T>,   scaleRelu<T>,  gradientMoments<T>, gradientInput<T>,
                         addScaled<T>, storeScaled<T>, keepLarger<T>,      addWhere<T>};

}  // namespace

extern const Kernels KERNELS;
#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)
const Kernels KERNELS{NAME_OF(KERNELS), table<float>, table<uint16_t>, updateRmsProp};

}  // namespace inception::kernels
