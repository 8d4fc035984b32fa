// Batch normalisation by the batch's statistics with the ReLU after it, forward and backward, for the CPU. libtorch 1.13
// takes four passes and scalar code for bfloat16 where two vectorised ones are enough.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "kernels.h"
#include "rows.h"

namespace inception {

namespace {

using kernels::Rows;

// Few channels make short inner loops. Rows that lie one after the other are taken several at a time, as one row of
// repeated channels.
int64_t rowsAtOnce(int64_t channels) { return std::max<int64_t>(1, 64 / channels); }

std::vector<float> repeated(const float* values, int64_t channels, int64_t times) {
  std::vector<float> result(channels * times);
  for (int64_t at = 0; at < channels * times; at++) result[at] = values[at % channels];
  return result;
}

// Calls `run(first row, rows)` for as many rows as go into wide ones, then for the rest: the kernel sees the difference.
template <typename Run>
void inWideRows(int64_t count, int64_t channels, int64_t times, Run run) {
  const int64_t wide = count / times;
  if (wide > 0) run(0, Rows{wide, channels * times});
  if (wide * times < count) run(wide * times, Rows{count - wide * times, channels});
}

// float32 sums lose digits over many rows: they run over so many, and are added up in float64.
constexpr int64_t rowsInFloat = 256;

// Two sums for each channel over all rows, by `add(first row, rows, sums, other sums)`, `times` rows at once.
template <typename Add>
std::pair<std::vector<double>, std::vector<double>> sumRows(int64_t rows, int64_t channels, int64_t times, Add add) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows));
  std::vector<double> first(parts * channels), second(parts * channels);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    const int64_t width = channels * times;
    std::vector<float> sums(2 * width);
    for (int64_t part = begin; part < end; part++) {
      const int64_t last = rows * (part + 1) / parts;
      for (int64_t row = rows * part / parts; row < last; row += rowsInFloat * times) {
        std::fill(sums.begin(), sums.end(), 0.f);
        inWideRows(std::min(rowsInFloat * times, last - row), channels, times, [&](int64_t offset, Rows wide) {
          add(row + offset, wide, sums.data(), sums.data() + width);
        });
        for (int64_t at = 0; at < width; at++) {
          first[part * channels + at % channels] += sums[at];
          second[part * channels + at % channels] += sums[width + at];
        }
      }
    }
  });
  for (int64_t part = 1; part < parts; part++) {
    for (int64_t c = 0; c < channels; c++) {
      first[c] += first[part * channels + c];
      second[c] += second[part * channels + c];
    }
  }
  return {std::move(first), std::move(second)};
}

// Work for one thread at a time, in elements.
int64_t grain(int64_t channels) { return std::max<int64_t>(1, 16384 / channels); }

template <typename T>
std::tuple<at::Tensor, at::Tensor> forward(const kernels::Table<T>& run, const at::Tensor& x, const at::Tensor& gamma,
                                           const at::Tensor& beta, const at::Tensor& movingMean, const at::Tensor& movingVariance,
                                           double momentum, double epsilon, const at::Tensor& y, int64_t stride) {
  const int64_t channels = x.size(1), rows = rowsOf(x);
  const T* from = static_cast<const T*>(x.data_ptr());
  auto mean = at::empty({channels}, gamma.options());
  auto inverse = at::empty({channels}, gamma.options());
  T* to = static_cast<T*>(y.data_ptr());
  // Moments about a value that occurs: about zero, a large mean would swallow a small variance.
  std::vector<float> shift(channels), scale(channels), offset(channels);
  {
    std::vector<float> none(channels, 0.f), unused(channels);
    run.moments(from, {1, channels}, none.data(), shift.data(), unused.data());
  }
  const int64_t times = rowsAtOnce(channels);
  const auto wideShift = repeated(shift.data(), channels, times);
  const auto [sums, squares] = sumRows(rows, channels, times, [&](int64_t row, Rows wide, float* sum, float* square) {
    run.moments(from + row * channels, wide, wideShift.data(), sum, square);
  });
  const float* g = gamma.data_ptr<float>();
  const float* b = beta.data_ptr<float>();
  float* running = movingMean.data_ptr<float>();
  float* runningVariance = movingVariance.data_ptr<float>();
  const double unbiased = rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1;
  for (int64_t c = 0; c < channels; c++) {
    const double shifted = sums[c] / rows;
    const double average = shift[c] + shifted;
    const double variance = std::max(0.0, squares[c] / rows - shifted * shifted);
    const double inverted = 1 / std::sqrt(variance + epsilon);
    mean.data_ptr<float>()[c] = static_cast<float>(average);
    inverse.data_ptr<float>()[c] = static_cast<float>(inverted);
    scale[c] = static_cast<float>(g[c] * inverted);
    offset[c] = static_cast<float>(b[c] - average * g[c] * inverted);
    running[c] = static_cast<float>(momentum * average + (1 - momentum) * running[c]);
    runningVariance[c] = static_cast<float>(momentum * variance * unbiased + (1 - momentum) * runningVariance[c]);
  }
  const auto wideScale = repeated(scale.data(), channels, times), wideOffset = repeated(offset.data(), channels, times);
  at::parallel_for(0, rows, grain(channels), [&](int64_t begin, int64_t end) {
    // The rows of a slice do not lie one after the other.
    inWideRows(end - begin, channels, stride == channels ? times : 1, [&](int64_t row, Rows wide) {
      const int64_t at = begin + row;
      const int64_t step = wide.channels == channels ? stride : wide.channels;
      run.scaleRelu(from + at * channels, {to + at * stride, step}, wide, wideScale.data(), wideOffset.data());
    });
  });
  return {mean, inverse};
}

template <typename T>
std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const kernels::Table<T>& run, const at::Tensor& gradient, int64_t stride,
                                                        const at::Tensor& x, const at::Tensor& y, int64_t yStride,
                                                        const at::Tensor& gamma, const at::Tensor& mean,
                                                        const at::Tensor& inverse) {
  const int64_t channels = x.size(1), rows = rowsOf(x);
  const T* from = static_cast<const T*>(x.data_ptr());
  const T* activated = static_cast<const T*>(y.data_ptr());
  const T* given = static_cast<const T*>(gradient.data_ptr());
  const float* average = mean.data_ptr<float>();
  auto dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  auto dgamma = at::empty({channels}, gamma.options());
  auto dbeta = at::empty({channels}, gamma.options());
  T* to = static_cast<T*>(dx.data_ptr());
  // The rows of a slice do not lie one after the other.
  const int64_t times = stride == channels && yStride == channels ? rowsAtOnce(channels) : 1;
  const auto wideMean = repeated(average, channels, times);
  const auto [sums, products] = sumRows(rows, channels, times, [&](int64_t row, Rows wide, float* sum, float* product) {
    const int64_t atOnce = wide.channels / channels;
    run.gradientMoments({given + row * stride, stride * atOnce}, from + row * channels,
                        {activated + row * yStride, yStride * atOnce}, wide, wideMean.data(), sum, product);
  });
  std::vector<float> scale(channels), slope(channels), offset(channels);
  for (int64_t c = 0; c < channels; c++) {
    const double inverted = inverse.data_ptr<float>()[c];
    const double factor = gamma.data_ptr<float>()[c] * inverted;
    dbeta.data_ptr<float>()[c] = static_cast<float>(sums[c]);
    dgamma.data_ptr<float>()[c] = static_cast<float>(products[c] * inverted);
    scale[c] = static_cast<float>(factor);
    slope[c] = static_cast<float>(-factor * inverted * inverted * products[c] / rows);
    offset[c] = static_cast<float>(-factor * sums[c] / rows);
  }
  const auto wideScale = repeated(scale.data(), channels, times), wideSlope = repeated(slope.data(), channels, times),
             wideOffset = repeated(offset.data(), channels, times);
  at::parallel_for(0, rows, grain(channels), [&](int64_t begin, int64_t end) {
    inWideRows(end - begin, channels, times, [&](int64_t row, Rows wide) {
      const int64_t at = begin + row;
      const int64_t atOnce = wide.channels / channels;
      run.gradientInput({given + at * stride, stride * atOnce}, from + at * channels, {activated + at * yStride, yStride * atOnce},
                        to + at * channels, wide, wideMean.data(), wideScale.data(), wideSlope.data(), wideOffset.data());
    });
  });
  return {dx, dgamma, dbeta};
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> batchNormReluInto(const at::Tensor& input, const at::Tensor& gamma, const at::Tensor& beta,
                                                     const at::Tensor& movingMean, const at::Tensor& movingVariance,
                                                     double momentum, double epsilon, const at::Tensor& out) {
  expectPrecision(input);
  const auto x = denseChannelsLast(input);
  const int64_t stride = expectRows(out, input.sizes(), input.scalar_type());
  const auto& run = kernels::chooseKernels();
  return x.scalar_type() == at::kFloat
             ? forward<float>(run.float32, x, gamma, beta, movingMean, movingVariance, momentum, epsilon, out, stride)
             : forward<uint16_t>(run.bfloat16, x, gamma, beta, movingMean, movingVariance, momentum, epsilon, out, stride);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormRelu(const at::Tensor& input, const at::Tensor& gamma,
                                                             const at::Tensor& beta, const at::Tensor& movingMean,
                                                             const at::Tensor& movingVariance, double momentum, double epsilon) {
  const auto y = at::empty_like(input, input.options(), at::MemoryFormat::ChannelsLast);
  auto [mean, inverse] = batchNormReluInto(input, gamma, beta, movingMean, movingVariance, momentum, epsilon, y);
  return {y, mean, inverse};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluBackward(const at::Tensor& given, const at::Tensor& input,
                                                                     const at::Tensor& output, const at::Tensor& gamma,
                                                                     const at::Tensor& mean, const at::Tensor& inverse) {
  expectPrecision(input);
  TORCH_CHECK(given.sizes() == input.sizes() && output.sizes() == input.sizes() && given.scalar_type() == input.scalar_type(),
              "gradient, input and output differ in shape or type");
  const auto x = denseChannelsLast(input);
  const auto y = rowStride(output) > 0 ? output : denseChannelsLast(output);
  const auto gradient = rowStride(given) > 0 ? given : denseChannelsLast(given);
  const int64_t stride = rowStride(gradient), yStride = rowStride(y);
  const auto& run = kernels::chooseKernels();
  return x.scalar_type() == at::kFloat ? backward<float>(run.float32, gradient, stride, x, y, yStride, gamma, mean, inverse)
                                       : backward<uint16_t>(run.bfloat16, gradient, stride, x, y, yStride, gamma, mean, inverse);
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def(
      "batch_norm_relu(Tensor input, Tensor gamma, Tensor beta, Tensor(a!) moving_mean, Tensor(b!) moving_variance, "
      "float momentum, float epsilon) -> (Tensor, Tensor, Tensor)");
  library.def(
      "batch_norm_relu_into(Tensor input, Tensor gamma, Tensor beta, Tensor(a!) moving_mean, Tensor(b!) moving_variance, "
      "float momentum, float epsilon, Tensor(c!) out) -> (Tensor, Tensor)");
  library.def(
      "batch_norm_relu_backward(Tensor gradient, Tensor input, Tensor output, Tensor gamma, Tensor mean, "
      "Tensor inverse_deviation) -> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("batch_norm_relu", batchNormRelu);
  library.impl("batch_norm_relu_into", batchNormReluInto);
  library.impl("batch_norm_relu_backward", batchNormReluBackward);
}

}  // namespace inception
