// Batch normalisation with batch statistics, fused with its ReLU, forward and backward, for the CPU. libtorch 1.13 takes four
// passes, in scalar code for bfloat16, where two vectorised ones are enough.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <cmath>
#include <initializer_list>
#include <string>
#include <tuple>
#include <vector>

#include "kernels.h"
#include "row-sums.h"
#include "tensors.h"

namespace inception {

namespace {

// Minimum rows per thread.
int64_t grain(int64_t channels) { return std::max<int64_t>(1, 16384 / channels); }

// The forward pass as one scale and one offset per channel. Always computed from the float32 statistics, so that a recomputed
// result, and the ReLU mask of the gradient, are identical to the bit.
struct Affine {
  std::vector<float> scale, offset;
  Affine(const c10::optional<at::Tensor>& gamma, const at::Tensor& beta, const at::Tensor& mean, const at::Tensor& inverse)
      : scale(mean.numel()), offset(mean.numel()) {
    const float* g = gamma.has_value() ? gamma->data_ptr<float>() : nullptr;
    const float *b = beta.data_ptr<float>(), *average = mean.data_ptr<float>(), *inverted = inverse.data_ptr<float>();
    for (size_t c = 0; c < scale.size(); c++) {
      scale[c] = (g ? g[c] : 1.f) * inverted[c];
      offset[c] = b[c] - average[c] * scale[c];
    }
  }
};

// The rows of a channels-last tensor or of a slice of its channels.
template <typename T>
struct RowView {
  T* data;
  int64_t stride;
  explicit RowView(const at::Tensor& tensor) : data(static_cast<T*>(tensor.data_ptr())), stride(rowStride(tensor)) {}
  // From this row on, in steps of `step` rows.
  kernels::Strided<T> rows(int64_t row, int64_t step) const { return {data + row * stride, stride * step}; }
};

template <typename T>
using InputRowView = RowView<const T>;

// How many rows can be processed as one: rows of slices are not adjacent.
template <typename... Tensors>
int64_t repeatsFor(int64_t channels, const Tensors&... tensors) {
  return ((rowStride(tensors) == channels) && ...) ? maxRepeats(channels) : 1;
}

template <typename T>
void statistics(const kernels::Table<T>& run, const at::Tensor& x, const at::Tensor& movingMean, const at::Tensor& movingVariance,
                double momentum, double epsilon, const at::Tensor& mean, const at::Tensor& inverse) {
  const int64_t channels = x.size(1), rows = rowsOf(x);
  const InputRowView<T> source(x);
  // Moments about an actual value: about zero, a large mean would swamp a small variance.
  std::vector<float> shift(channels);
  {
    std::vector<float> none(channels, 0.f), unused(channels);
    run.moments(source.rows(0, 1), {1, channels}, none.data(), shift.data(), unused.data());
  }
  const int64_t repeats = repeatsFor(channels, x);
  const auto wideShift = repeated(shift.data(), channels, repeats);
  const auto [sums, squares] = sumRows(rows, channels, repeats, [&](int64_t row, Rows wide, float* sum, float* square) {
    run.moments(source.rows(row, wide.channels / channels), wide, wideShift.data(), sum, square);
  });
  float* running = movingMean.data_ptr<float>();
  float* runningVariance = movingVariance.data_ptr<float>();
  const double unbiased = rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1;
  for (int64_t c = 0; c < channels; c++) {
    const double shifted = sums[c] / rows;
    const double average = shift[c] + shifted;
    const double variance = std::max(0.0, squares[c] / rows - shifted * shifted);
    mean.data_ptr<float>()[c] = static_cast<float>(average);
    inverse.data_ptr<float>()[c] = static_cast<float>(1 / std::sqrt(variance + epsilon));
    running[c] = static_cast<float>(momentum * average + (1 - momentum) * running[c]);
    runningVariance[c] = static_cast<float>(momentum * variance * unbiased + (1 - momentum) * runningVariance[c]);
  }
}

template <typename T>
void apply(const kernels::Table<T>& run, const at::Tensor& x, const Affine& affine, const at::Tensor& y) {
  const int64_t channels = x.size(1), rows = rowsOf(x), repeats = repeatsFor(channels, x, y);
  const InputRowView<T> source(x);
  const RowView<T> target(y);
  const auto scale = repeated(affine.scale.data(), channels, repeats), offset = repeated(affine.offset.data(), channels, repeats);
  at::parallel_for(0, rows, grain(channels), [&](int64_t begin, int64_t end) {
    inWideRows(end - begin, channels, repeats, [&](int64_t row, Rows wide) {
      const int64_t step = wide.channels / channels;
      run.scaleRelu(source.rows(begin + row, step), target.rows(begin + row, step), wide, scale.data(), offset.data());
    });
  });
}

template <typename T>
void backward(const kernels::Table<T>& run, const at::Tensor& gradient, const at::Tensor& x, const Affine& affine,
              const at::Tensor& mean, const at::Tensor& inverse, const at::Tensor& gammaGradient, const at::Tensor& betaGradient,
              const at::Tensor& dx) {
  const int64_t channels = x.size(1), rows = rowsOf(x), repeats = repeatsFor(channels, gradient, x, dx);
  const InputRowView<T> gradientLines(gradient), source(x);
  const RowView<T> target(dx);
  const auto average = repeated(mean.data_ptr<float>(), channels, repeats);
  const auto scale = repeated(affine.scale.data(), channels, repeats), offset = repeated(affine.offset.data(), channels, repeats);
  kernels::Channels perChannel{average.data(), scale.data(), offset.data(), nullptr, nullptr};
  const auto [sums, products] = sumRows(rows, channels, repeats, [&](int64_t row, Rows wide, float* sum, float* product) {
    const int64_t step = wide.channels / channels;
    run.gradientMoments(gradientLines.rows(row, step), source.rows(row, step), wide, perChannel, sum, product);
  });
  std::vector<float> slope(channels), shift(channels);
  for (int64_t c = 0; c < channels; c++) {
    const double inverted = inverse.data_ptr<float>()[c];
    const double factor = affine.scale[c];
    betaGradient.data_ptr<float>()[c] = static_cast<float>(sums[c]);
    if (gammaGradient.defined()) gammaGradient.data_ptr<float>()[c] = static_cast<float>(products[c] * inverted);
    slope[c] = static_cast<float>(-factor * inverted * inverted * products[c] / rows);
    shift[c] = static_cast<float>(-factor * sums[c] / rows);
  }
  const auto wideSlope = repeated(slope.data(), channels, repeats), wideShift = repeated(shift.data(), channels, repeats);
  perChannel.slope = wideSlope.data();
  perChannel.shift = wideShift.data();
  at::parallel_for(0, rows, grain(channels), [&](int64_t begin, int64_t end) {
    inWideRows(end - begin, channels, repeats, [&](int64_t row, Rows wide) {
      const int64_t index = begin + row, step = wide.channels / channels;
      run.gradientInput(gradientLines.rows(index, step), source.rows(index, step), target.rows(index, step), wide, perChannel);
    });
  });
}

// Checks arrays that hold one value per channel.
void expectChannels(const at::Tensor& x, std::initializer_list<const at::Tensor*> arrays) {
  for (const auto* array : arrays) {
    TORCH_CHECK(array->is_contiguous() && array->scalar_type() == at::kFloat && array->numel() == x.size(1), "expected ", x.size(1),
                " contiguous float32 values, one per channel, received ", array->scalar_type(), " ", array->sizes());
  }
}

at::Tensor channelsOf(const at::Tensor& like, const c10::optional<at::Tensor>& out) {
  return out.has_value() ? *out : at::empty_like(like);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormRelu(const at::Tensor& input, const c10::optional<at::Tensor>& gamma,
                                                             const at::Tensor& beta, const at::Tensor& movingMean,
                                                             const at::Tensor& movingVariance, double momentum, double epsilon,
                                                             const c10::optional<at::Tensor>& out) {
  expectPrecision(input);
  expectChannels(input, {gamma.has_value() ? &*gamma : &beta, &beta, &movingMean, &movingVariance});
  const auto x = inRows(input), y = resultRows(input.sizes(), input, out);
  const auto mean = at::empty({x.size(1)}, beta.options()), inverse = at::empty({x.size(1)}, beta.options());
  withKernelsFor(x, [&](const auto& run) {
    statistics(run, x, movingMean, movingVariance, momentum, epsilon, mean, inverse);
    apply(run, x, Affine(gamma, beta, mean, inverse), y);
  });
  return {y, mean, inverse};
}

at::Tensor batchNormReluAgain(const at::Tensor& input, const c10::optional<at::Tensor>& gamma, const at::Tensor& beta,
                              const at::Tensor& mean, const at::Tensor& inverse, const c10::optional<at::Tensor>& out) {
  expectPrecision(input);
  expectChannels(input, {gamma.has_value() ? &*gamma : &beta, &beta, &mean, &inverse});
  const auto x = inRows(input), y = resultRows(input.sizes(), input, out);
  withKernelsFor(x, [&](const auto& run) { apply(run, x, Affine(gamma, beta, mean, inverse), y); });
  return y;
}

// `out` may be the input: it is written element by element, after both sums are known.
std::tuple<at::Tensor, at::Tensor, at::Tensor> batchNormReluBackward(
    const at::Tensor& outputGradient, const at::Tensor& input, const c10::optional<at::Tensor>& gamma, const at::Tensor& beta,
    const at::Tensor& mean, const at::Tensor& inverse, const c10::optional<at::Tensor>& out,
    const c10::optional<at::Tensor>& gammaOut, const c10::optional<at::Tensor>& betaOut) {
  expectPrecision(input);
  TORCH_CHECK(outputGradient.sizes() == input.sizes() && outputGradient.scalar_type() == input.scalar_type(),
              "gradient and input differ in shape or type");
  const auto dgamma = gamma.has_value() ? channelsOf(*gamma, gammaOut) : at::Tensor(), dbeta = channelsOf(beta, betaOut);
  expectChannels(input, {gamma.has_value() ? &*gamma : &beta, &beta, &mean, &inverse, &dbeta, dgamma.defined() ? &dgamma : &dbeta});
  const auto x = inRows(input), gradient = inRows(outputGradient), dx = resultRows(input.sizes(), input, out);
  withKernelsFor(x, [&](const auto& run) {
    backward(run, gradient, x, Affine(gamma, beta, mean, inverse), mean, inverse, dgamma, dbeta, dx);
  });
  return {dx, dgamma, dbeta};
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def(
      "batch_norm_relu(Tensor input, Tensor? gamma, Tensor beta, Tensor(a!) moving_mean, Tensor(b!) moving_variance, "
      "float momentum, float epsilon, *, Tensor(c!)? out=None) -> (Tensor, Tensor, Tensor)");
  // Recomputes the result from the saved statistics.
  library.def(
      "batch_norm_relu_again(Tensor input, Tensor? gamma, Tensor beta, Tensor mean, Tensor inverse_deviation, *, "
      "Tensor(a!)? out=None) -> Tensor");
  library.def(
      "batch_norm_relu_backward(Tensor gradient, Tensor input, Tensor? gamma, Tensor beta, Tensor mean, "
      "Tensor inverse_deviation, *, Tensor(a!)? out=None, Tensor(b!)? gamma_out=None, Tensor(c!)? beta_out=None) "
      "-> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("batch_norm_relu", batchNormRelu);
  library.impl("batch_norm_relu_again", batchNormReluAgain);
  library.impl("batch_norm_relu_backward", batchNormReluBackward);
}

}  // namespace inception
