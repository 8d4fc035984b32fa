// Compiled once per instruction set; KERNELS names the resulting table. Loops are written to vectorise: channels innermost, no
// branches, no calls. Over 400 lines: a file for each kernel would be compiled as often, and share none of the small functions at the top.
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

inline void store(float* target, float value) { *target = value; }

// Rounds to nearest even, as the hardware does. NaNs are kept: the training loop checks for them.
inline void store(uint16_t* target, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  *target = static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
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
void scaleRelu(Strided<const T> x, Strided<T> target, Rows rows, const float* scale, const float* offset) {
  T* __restrict y = target.data;
  for (int64_t row = 0; row < rows.count; row++, x.data += x.stride, y += target.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float value = load(x.data[c]) * scale[c] + offset[c];
      // Not max(0, value), which would turn a NaN into 0 and hide it.
      store(&y[c], value < 0 ? 0 : value);
    }
  }
}

// The gradient behind the ReLU. It is loaded unconditionally, so that the selection compiles to a mask instead of a branch.
template <typename T>
inline float maskedGradient(T x, T gradient, float scale, float offset) {
  const float value = load(gradient);
  return load(x) * scale + offset > 0 ? value : 0.f;
}

template <typename T>
void gradientMoments(Strided<const T> gradient, Strided<const T> x, Rows rows, const Channels& perChannel, float* __restrict sum,
                     float* __restrict product) {
  const auto [mean, scale, offset, slope, shift] = perChannel;
  for (int64_t row = 0; row < rows.count; row++, gradient.data += gradient.stride, x.data += x.stride) {
    for (int64_t c = 0; c < rows.channels; c++) {
      const float g = maskedGradient(x.data[c], gradient.data[c], scale[c], offset[c]);
      sum[c] += g;
      product[c] += g * (load(x.data[c]) - mean[c]);
    }
  }
}

template <typename T>
void gradientInput(Strided<const T> gradient, Strided<const T> x, Strided<T> target, Rows rows, const Channels& perChannel) {
  const auto [mean, scale, offset, slope, shift] = perChannel;
  T* dx = target.data;
  for (int64_t row = 0; row < rows.count; row++, gradient.data += gradient.stride, x.data += x.stride, dx += target.stride) {
    // dx may alias x: element by element.
#pragma GCC ivdep
    for (int64_t c = 0; c < rows.channels; c++) {
      const float g = maskedGradient(x.data[c], gradient.data[c], scale[c], offset[c]);
      store(&dx[c], g * scale[c] + (load(x.data[c]) - mean[c]) * slope[c] + shift[c]);
    }
  }
}

template <typename T, bool relu>
void sumInto(const T* x, T* __restrict y, int64_t count, float scale) {
  for (int64_t index = 0; index < count; index++) {
    const float value = load(x[index]) + scale * load(y[index]);
    store(&y[index], relu && value < 0 ? 0 : value);
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

template <typename T, bool hasSecond, bool relu>
void sumBackward(const T* gradient, const T* second, const T* y, T* sum, T* scaled, int64_t count, float scale) {
  // The results may alias the gradients: element by element.
#pragma GCC ivdep
  for (int64_t index = 0; index < count; index++) {
    const float total = load(gradient[index]) + (hasSecond ? load(second[index]) : 0.f);
    const float value = !relu || load(y[index]) > 0 ? total : 0.f;
    store(&sum[index], value);
    store(&scaled[index], value * scale);
  }
}

template <typename T>
void scaledAddBackward(const T* gradient, const T* second, const T* y, T* sum, T* scaled, int64_t count, float scale) {
  const auto run = second ? (y ? sumBackward<T, true, true> : sumBackward<T, true, false>) : (y ? sumBackward<T, false, true> : sumBackward<T, false, false>);
  run(gradient, second, y, sum, scaled, count, scale);
}

// Sixteen channels at once, as compiler vectors: their running results over a window stay in registers, which the compiler
// does not manage for loops over arrays.
struct Sixteen {
  static constexpr int64_t width = 16;
  typedef float Floats __attribute__((vector_size(64)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  typedef uint16_t Halves __attribute__((vector_size(32)));
  typedef uint8_t Bytes __attribute__((vector_size(16)));

  template <typename To, typename From>
  static To bitCast(const From& source) {
    To target;
    std::memcpy(&target, &source, sizeof target);
    return target;
  }

  static Floats read(const float* source) { return bitCast<Floats>(*reinterpret_cast<const float(*)[width]>(source)); }
  static Floats read(const uint16_t* source) {
    const auto halves = bitCast<Halves>(*reinterpret_cast<const uint16_t(*)[width]>(source));
    return bitCast<Floats>(__builtin_convertvector(halves, Words) << 16);
  }
  static Words read(const uint8_t* source) {
    // Widen in two steps: the compiler does not find a single instruction for both.
    const auto bytes = bitCast<Bytes>(*reinterpret_cast<const uint8_t(*)[width]>(source));
    return __builtin_convertvector(__builtin_convertvector(bytes, Halves), Words);
  }

  static void write(float* target, Floats value) { std::memcpy(target, &value, sizeof value); }
  static void write(uint16_t* target, Floats value) {
    const Words bits = bitCast<Words>(value), isNan = bitCast<Words>(value != value);
    const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const Halves halves = __builtin_convertvector((isNan & 0x7fc0) | (~isNan & rounded), Halves);
    std::memcpy(target, &halves, sizeof halves);
  }
  static void write(uint8_t* target, Words value) {
    const Bytes bytes = __builtin_convertvector(__builtin_convertvector(value, Halves), Bytes);
    std::memcpy(target, &bytes, sizeof bytes);
  }
};

struct One {
  using Floats = float;
  using Words = uint32_t;
  template <typename T>
  static float read(const T* source) { return load(*source); }
  static uint32_t read(const uint8_t* source) { return *source; }
  template <typename T>
  static void write(T* target, float value) { store(target, value); }
  static void write(uint8_t* target, uint32_t value) { *target = static_cast<uint8_t>(value); }
};

// Calls `run(first channel, lanes)` for all channels. The last sixteen may overlap the previous ones: those are then computed
// twice, from the same inputs.
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
    for (int64_t index = 0; index < count; index++) sum += L::read(x[index] + c) * factors[index];
    L::write(y + c, sum);
  });
}

template <typename T>
void maximum(const T* const* x, const uint8_t* positions, int64_t count, int64_t channels, T* y, uint8_t* argmax) {
  inVectors(channels, [&](int64_t c, auto lanes) {
    using L = decltype(lanes);
    typename L::Floats best = L::read(x[0] + c);
    typename L::Words index = typename L::Words{} + positions[0];
    for (int64_t next = 1; next < count; next++) {
      const typename L::Floats value = L::read(x[next] + c);
      const auto larger = (value > best) | (value != value);
      best = larger ? value : best;
      index = larger ? typename L::Words{} + positions[next] : index;
    }
    L::write(y + c, best);
    L::write(argmax + c, index);
  });
}

template <typename T>
void sumWhere(const T* const* dy, const uint8_t* const* argmax, const uint8_t* positions, int64_t count, int64_t channels, T* dx) {
  inVectors(channels, [&](int64_t c, auto lanes) {
    using L = decltype(lanes);
    typename L::Floats sum = {};
    for (int64_t index = 0; index < count; index++) {
      const auto chosen = L::read(argmax[index] + c) == (typename L::Words{} + positions[index]);
      sum += chosen ? L::read(dy[index] + c) : typename L::Floats{};
    }
    L::write(dx + c, sum);
  });
}

// One partial sum per vector lane, over chunks small enough for float32 sums.
constexpr int64_t lanes = 16, chunk = 1024;

template <bool averaged>
float updateChunk(float* __restrict weights, float* __restrict meanSquare, float* __restrict momentum,
                     float* __restrict averages, const float* __restrict gradient, int64_t count, const RmsProp& constants) {
  float sums[lanes] = {};
  const auto update = [&](int64_t index, float& sum) {
    sum += gradient[index] * gradient[index];
    const float g = gradient[index] * constants.gradientScale + constants.weightDecay * weights[index];
    const float square = constants.decay * meanSquare[index] + (1 - constants.decay) * g * g;
    const float step = constants.momentum * momentum[index] + constants.learningRate * (g / std::sqrt(square + constants.epsilon));
    const float weight = weights[index] - step;
    meanSquare[index] = square;
    momentum[index] = step;
    weights[index] = weight;
    if (averaged) averages[index] += constants.averageFraction * (weight - averages[index]);
  };
  const int64_t whole = count / lanes * lanes;
  for (int64_t index = 0; index < whole; index += lanes) {
    for (int64_t lane = 0; lane < lanes; lane++) update(index + lane, sums[lane]);
  }
  for (int64_t index = whole; index < count; index++) update(index, sums[0]);
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

double updateRmsProp(float* weights, float* meanSquare, float* momentum, float* averages, const float* gradient, int64_t count,
                     const RmsProp& settings) {
  // A local copy, so that the compiler knows the loops do not change it.
  const RmsProp constants = settings;
  double sum = 0;
  for (int64_t index = 0; index < count; index += chunk) {
    const int64_t length = count - index < chunk ? count - index : chunk;
    sum += averages ? updateChunk<true>(weights + index, meanSquare + index, momentum + index, averages + index, gradient + index, length, constants)
                    : updateChunk<false>(weights + index, meanSquare + index, momentum + index, nullptr, gradient + index, length, constants);
  }
  return sum;
}

// Updates `count` weights: `step(index, scaled gradient)` returns the new weight.
template <bool averaged, typename Step>
inline double updateAll(const float* __restrict gradient, float* __restrict weights, float* __restrict averages, int64_t count,
                        const Update& update, Step step) {
  double sum = 0;
  for (int64_t begin = 0; begin < count; begin += chunk) {
    const int64_t end = begin + chunk < count ? begin + chunk : count;
    float sums[lanes] = {};
    const auto updateElement = [&](int64_t index, float& square) {
      square += gradient[index] * gradient[index];
      const float weight = step(index, gradient[index] * update.gradientScale);
      weights[index] = weight;
      if (averaged) averages[index] += update.averageFraction * (weight - averages[index]);
    };
    const int64_t whole = begin + (end - begin) / lanes * lanes;
    for (int64_t index = begin; index < whole; index += lanes) {
      for (int64_t lane = 0; lane < lanes; lane++) updateElement(index + lane, sums[lane]);
    }
    for (int64_t index = whole; index < end; index++) updateElement(index, sums[0]);
    float part = 0;
    for (const float square : sums) part += square;
    sum += part;
  }
  return sum;
}

template <typename Step>
double updateWith(const float* gradient, float* weights, float* averages, int64_t count, const Update& update, Step step) {
  return averages ? updateAll<true>(gradient, weights, averages, count, update, step)
                  : updateAll<false>(gradient, weights, nullptr, count, update, step);
}

// As in PyTorch's SGD, weight decay is added to the gradient and the learning rate is not part of the momentum.
double updateSgd(float* weights, float* __restrict momentum, float* averages, const float* gradient, int64_t count,
                 const Update& parameters, const Sgd& sgd) {
  const Update update = parameters;
  const float decay = sgd.momentum;
  const bool nesterov = sgd.nesterov;
  return updateWith(gradient, weights, averages, count, update, [=](int64_t index, float scaled) {
    const float g = scaled + update.weightDecay * weights[index];
    const float velocity = decay * momentum[index] + g;
    momentum[index] = velocity;
    // Nesterov's step looks one step ahead.
    const float direction = nesterov ? g + decay * velocity : velocity;
    return weights[index] - update.learningRate * direction;
  });
}

// Weight decay shrinks the weights directly and is not added to the gradient.
double updateAdamW(float* weights, float* __restrict firstMoment, float* __restrict secondMoment, float* averages,
                   const float* gradient, int64_t count, const Update& parameters, const AdamW& adamw) {
  const Update update = parameters;
  const AdamW constants = adamw;
  const float shrink = 1 - update.learningRate * update.weightDecay;
  const float rate = update.learningRate / constants.correction1;
  const float inverseRoot = 1 / std::sqrt(constants.correction2);
  return updateWith(gradient, weights, averages, count, update, [=](int64_t index, float g) {
    const float first = constants.beta1 * firstMoment[index] + constants.rest1 * g;
    const float second = constants.beta2 * secondMoment[index] + constants.rest2 * g * g;
    firstMoment[index] = first;
    secondMoment[index] = second;
    return weights[index] * shrink - rate * first / (std::sqrt(second) * inverseRoot + constants.epsilon);
  });
}

template <typename T>
void add(float* __restrict sum, const T* __restrict values, int64_t count) {
  for (int64_t index = 0; index < count; index++) sum[index] += load(values[index]);
}

void scale(float* values, int64_t count, float factor) {
  for (int64_t index = 0; index < count; index++) values[index] *= factor;
}

template <typename From, typename To>
void convert(const From* __restrict values, To* __restrict converted, int64_t count) {
  for (int64_t index = 0; index < count; index++) store(converted + index, load(values[index]));
}

// To nearest, ties to even, of a value between 0 and 255: adding 2^23 leaves no bits for a fraction.
inline uint8_t toByte(float value) {
  const float shifted = value + 8388608.f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return static_cast<uint8_t>(bits);
}

inline float clamped(float value, float low, float high) {
  const float raised = value < low ? low : value;
  return raised > high ? high : raised;
}

void quantise(const float* __restrict x, uint8_t* __restrict y, int64_t count, float scale, int32_t zero) {
  const float low = static_cast<float>(-zero), high = static_cast<float>(255 - zero);
  for (int64_t index = 0; index < count; index++) {
    // Rounded before the zero point is added, which would move ties: adding 1.5 · 2^23 keeps the sign.
    const float shifted = clamped(x[index] / scale, low, high) + 12582912.f;
    uint32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    y[index] = static_cast<uint8_t>(bits + static_cast<uint32_t>(zero));
  }
}

void dequantise(const uint8_t* __restrict x, float* __restrict y, int64_t count, float scale, int32_t zero) {
  for (int64_t index = 0; index < count; index++) y[index] = static_cast<float>(static_cast<int32_t>(x[index]) - zero) * scale;
}

template <bool hasSecond>
void combined(const uint8_t* x, const uint8_t* second, uint8_t* y, int64_t count, float factor, float secondFactor, float offset, float low) {
  // The result may alias an input: element by element.
#pragma GCC ivdep
  for (int64_t index = 0; index < count; index++) {
    const float sum = static_cast<float>(x[index]) * factor + (hasSecond ? static_cast<float>(second[index]) * secondFactor : 0.f);
    y[index] = toByte(clamped(sum + offset, low, 255.f));
  }
}

void combine(const uint8_t* x, const uint8_t* second, uint8_t* y, int64_t count, float factor, float secondFactor, float offset, float low) {
  (second ? combined<true> : combined<false>)(x, second, y, count, factor, secondFactor, offset, low);
}

constexpr int64_t byteBlock = 128;

void averageBytes(const uint8_t* const* x, int64_t count, int64_t channels, uint8_t* __restrict y, float factor, float offset, float low) {
  // 256 bytes fit into 16 bits.
  uint16_t sums[byteBlock];
  for (int64_t begin = 0; begin < channels; begin += byteBlock) {
    const int64_t length = channels - begin < byteBlock ? channels - begin : byteBlock;
    std::memset(sums, 0, sizeof sums);
    for (int64_t row = 0; row < count; row++) {
      const uint8_t* __restrict values = x[row] + begin;
      for (int64_t c = 0; c < length; c++) sums[c] = static_cast<uint16_t>(sums[c] + values[c]);
    }
    for (int64_t c = 0; c < length; c++) y[begin + c] = toByte(clamped(static_cast<float>(sums[c]) * factor + offset, low, 255.f));
  }
}

void maximumBytes(const uint8_t* const* x, int64_t count, int64_t channels, uint8_t* __restrict y) {
  std::memcpy(y, x[0], static_cast<size_t>(channels));
  for (int64_t row = 1; row < count; row++) {
    const uint8_t* __restrict values = x[row];
    for (int64_t c = 0; c < channels; c++) y[c] = values[c] > y[c] ? values[c] : y[c];
  }
}

template <typename T>
constexpr Table<T> table{moments<T>, scaleRelu<T>, gradientMoments<T>, gradientInput<T>,
                         scaledAdd<T>, scaledAddBackward<T>, weightedSum<T>, maximum<T>, sumWhere<T>};

}  // namespace

extern const Kernels KERNELS;
#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)
const Kernels KERNELS{NAME_OF(KERNELS), table<float>, table<uint16_t>, updateRmsProp, updateSgd, updateAdamW,
                      {add<float>, add<uint16_t>, scale, convert<float, uint16_t>, convert<uint16_t, float>},
                      {quantise, dequantise, combine, averageBytes, maximumBytes}};

}  // namespace inception::kernels
