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
void moments(Strided<const T> x, Rows rows, const float* shift, float* __restrict sum, float* __restrict square) {
  for (int64_t row = 0; row < rows.count; row++, x.data += x.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float value = load(x.data[c]) - shift[c];
      sum[c] += value;
      square[c] += value * value;
    }
  }
}

template <typename T>
void scaleRelu(Strided<const T> x, Strided<T> to, Rows rows, const float* scale, const float* offset) {
  T* __restrict y = to.data;
  for (int64_t row = 0; row < rows.count; row++, x.data += x.stride, y += to.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float value = load(x.data[c]) * scale[c] + offset[c];
      // Not max(0, value), which would turn a NaN into 0 and hide it.
      store(&y[c], value < 0 ? 0 : value);
    }
  }
}

// What the ReLU lets through. The gradient is loaded before it is asked whether it counts: then the choice is a mask and
// no branch.
template <typename T>
inline float through(T x, T gradient, float scale, float offset) {
  const float value = load(gradient);
  return load(x) * scale + offset > 0 ? value : 0.f;
}

template <typename T>
void gradientMoments(Strided<const T> gradient, Strided<const T> x, Rows rows, const Channels& by, float* __restrict sum,
                     float* __restrict product) {
  const auto [mean, scale, offset, slope, shift] = by;
  for (int64_t row = 0; row < rows.count; row++, gradient.data += gradient.stride, x.data += x.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float g = through(x.data[c], gradient.data[c], scale[c], offset[c]);
      sum[c] += g;
      product[c] += g * (load(x.data[c]) - mean[c]);
    }
  }
}

template <typename T>
void gradientInput(Strided<const T> gradient, Strided<const T> x, Strided<T> to, Rows rows, const Channels& by) {
  const auto [mean, scale, offset, slope, shift] = by;
  T* dx = to.data;
  for (int64_t row = 0; row < rows.count; row++, gradient.data += gradient.stride, x.data += x.stride, dx += to.stride) {
    // dx may take the place of x: element by element.
#pragma GCC ivdep
    for (int64_t c = 0; c < rows.channels; c++) {
      const float g = through(x.data[c], gradient.data[c], scale[c], offset[c]);
      store(&dx[c], g * scale[c] + (load(x.data[c]) - mean[c]) * slope[c] + shift[c]);
    }
  }
}

template <typename T, bool relu>
void sumInto(const T* x, T* __restrict y, int64_t count, float scale) {
  for (int64_t at = 0; at < count; at++) {
    const float value = load(x[at]) + scale * load(y[at]);
    store(&y[at], relu && value < 0 ? 0 : value);
  }
}

template <typename T>
void scaledAdd(const T* x, T* y, int64_t count, float scale, bool relu) {
  if (relu) {
    sumInto<T, true>(x, y, count, scale);
  } else {
    sumInto<T, false>(x, y, count, scale);
  }
}

template <typename T, bool two, bool relu>
void sumBack(const T* gradient, const T* more, const T* y, T* sum, T* scaled, int64_t count, float scale) {
  // The results may take the place of the gradients: element by element.
#pragma GCC ivdep
  for (int64_t at = 0; at < count; at++) {
    const float both = load(gradient[at]) + (two ? load(more[at]) : 0.f);
    const float value = !relu || load(y[at]) > 0 ? both : 0.f;
    store(&sum[at], value);
    store(&scaled[at], value * scale);
  }
}

template <typename T>
void scaledAddBackward(const T* gradient, const T* more, const T* y, T* sum, T* scaled, int64_t count, float scale) {
  const auto run = more ? (y ? sumBack<T, true, true> : sumBack<T, true, false>) : (y ? sumBack<T, false, true> : sumBack<T, false, false>);
  run(gradient, more, y, sum, scaled, count, scale);
}

// Sixteen channels at once, as vectors of the compiler's: what is computed for each of them over a window stays in
// registers, which it does not see in loops over arrays.
struct Sixteen {
  static constexpr int64_t width = 16;
  typedef float Floats __attribute__((vector_size(64)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  typedef uint16_t Halves __attribute__((vector_size(32)));
  typedef uint8_t Bytes __attribute__((vector_size(16)));

  template <typename To, typename From>
  static To as(const From& from) {
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
  }

  static Floats read(const float* from) { return as<Floats>(*reinterpret_cast<const float(*)[width]>(from)); }
  static Floats read(const uint16_t* from) {
    const auto halves = as<Halves>(*reinterpret_cast<const uint16_t(*)[width]>(from));
    return as<Floats>(__builtin_convertvector(halves, Words) << 16);
  }
  static Words read(const uint8_t* from) {
    // By way of two bytes: the compiler has no single instruction for the whole way in mind.
    const auto bytes = as<Bytes>(*reinterpret_cast<const uint8_t(*)[width]>(from));
    return __builtin_convertvector(__builtin_convertvector(bytes, Halves), Words);
  }

  static void write(float* to, Floats value) { std::memcpy(to, &value, sizeof value); }
  static void write(uint16_t* to, Floats value) {
    const Words bits = as<Words>(value), none = as<Words>(value != value);
    const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const Halves halves = __builtin_convertvector((none & 0x7fc0) | (~none & rounded), Halves);
    std::memcpy(to, &halves, sizeof halves);
  }
  static void write(uint8_t* to, Words value) {
    const Bytes bytes = __builtin_convertvector(__builtin_convertvector(value, Halves), Bytes);
    std::memcpy(to, &bytes, sizeof bytes);
  }
};

struct One {
  using Floats = float;
  using Words = uint32_t;
  template <typename T>
  static float read(const T* from) { return load(*from); }
  static uint32_t read(const uint8_t* from) { return *from; }
  template <typename T>
  static void write(T* to, float value) { store(to, value); }
  static void write(uint8_t* to, uint32_t value) { *to = static_cast<uint8_t>(value); }
};

// Calls `run(first channel, lanes)` for all channels. The last sixteen may overlap with those before: they are computed
// twice, from the same numbers.
template <typename Run>
inline void inVectors(int64_t channels, Run run) {
  constexpr int64_t width = Sixteen::width;
  if (channels < width) {
    for (int64_t c = 0; c < channels; c++) run(c, One());
    return;
  }
  int64_t c = 0;
  for (; c + width <= channels; c += width) run(c, Sixteen());
  if (c < channels) run(channels - width, Sixteen());
}

template <typename T>
void weightedSum(const T* const* x, const float* factors, int64_t count, int64_t channels, T* y) {
  inVectors(channels, [&](int64_t c, auto lanes) {
    using L = decltype(lanes);
    typename L::Floats sum = {};
    for (int64_t at = 0; at < count; at++) sum += L::read(x[at] + c) * factors[at];
    L::write(y + c, sum);
  });
}

template <typename T>
void largest(const T* const* x, const uint8_t* places, int64_t count, int64_t channels, T* y, uint8_t* where) {
  inVectors(channels, [&](int64_t c, auto lanes) {
    using L = decltype(lanes);
    typename L::Floats best = L::read(x[0] + c);
    typename L::Words at = typename L::Words{} + places[0];
    for (int64_t next = 1; next < count; next++) {
      const typename L::Floats value = L::read(x[next] + c);
      const auto larger = (value > best) | (value != value);
      best = larger ? value : best;
      at = larger ? typename L::Words{} + places[next] : at;
    }
    L::write(y + c, best);
    L::write(where + c, at);
  });
}

template <typename T>
void sumWhere(const T* const* dy, const uint8_t* const* where, const uint8_t* places, int64_t count, int64_t channels, T* dx) {
  inVectors(channels, [&](int64_t c, auto lanes) {
    using L = decltype(lanes);
    typename L::Floats sum = {};
    for (int64_t at = 0; at < count; at++) {
      const auto chosen = L::read(where[at] + c) == (typename L::Words{} + places[at]);
      sum += chosen ? L::read(dy[at] + c) : typename L::Floats{};
    }
    L::write(dx + c, sum);
  });
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
constexpr Table<T> table{moments<T>, scaleRelu<T>, gradientMoments<T>, gradientInput<T>,
                         scaledAdd<T>, scaledAddBackward<T>, weightedSum<T>, largest<T>, sumWhere<T>};

}  // namespace

extern const Kernels KERNELS;
#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)
const Kernels KERNELS{NAME_OF(KERNELS), table<float>, table<uint16_t>, updateRmsProp};

}  // namespace inception::kernels
