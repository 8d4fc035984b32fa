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

#include "group.h"
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

// Moments of one channel over the rows of all processes so far.
struct Moments {
  double mean = 0, variance = 0;
};

// Rows of all processes, and for every process in the order of ranks its rows and two values per channel.
struct OfAllProcesses {
  double rows = 0;
  at::Tensor values;  // [processes, 1 + 2 · channels]
  OfAllProcesses(int64_t ownRows, const std::vector<double>& first, const std::vector<double>& second) {
    auto own = at::empty({static_cast<int64_t>(1 + first.size() + second.size())}, at::TensorOptions().dtype(at::kDouble));
    double* place = own.data_ptr<double>();
    *place++ = static_cast<double>(ownRows);
    place = std::copy(first.begin(), first.end(), place);
    std::copy(second.begin(), second.end(), place);
    auto* group = Group::current();
    values = group ? group->gatherAll(own) : own.unsqueeze(0);
    for (int64_t process = 0; process < values.size(0); process++) rows += of(process)[0];
  }
  const double* of(int64_t process) const { return values.data_ptr<double>() + process * values.size(1); }
};

// Of two groups of rows, by Chan, Golub and LeVeque (1979); as fractions, so that a single process's own moments keep their bits.
Moments combined(const Moments& all, const Moments& added, double fraction) {
  const double difference = added.mean - all.mean;
  return {all.mean + difference * fraction,
          (1 - fraction) * all.variance + fraction * added.variance + fraction * (1 - fraction) * difference * difference};
}

// Replaces the moments of this process's rows by those of all processes' rows. Returns the number of these.
double combineMoments(int64_t rows, std::vector<double>& means, std::vector<double>& variances) {
  const int64_t channels = means.size();
  const OfAllProcesses all(rows, means, variances);
  std::vector<Moments> moments(channels);
  double before = 0;
  for (int64_t process = 0; process < all.values.size(0); process++) {
    const double* values = all.of(process);
    before += values[0];
    for (int64_t c = 0; c < channels; c++) {
      moments[c] = combined(moments[c], {values[1 + c], values[1 + channels + c]}, values[0] / before);
    }
  }
  for (int64_t c = 0; c < channels; c++) {
    means[c] = moments[c].mean;
    variances[c] = moments[c].variance;
  }
  return all.rows;
}

template <typename T>
void statistics(const kernels::Table<T>& run, const at::Tensor& x, const at::Tensor& movingMean, const at::Tensor& movingVariance,
                double momentum, double epsilon, bool synchronised, const at::Tensor& mean, const at::Tensor& inverse) {
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
  std::vector<double> means(channels), variances(channels);
  for (int64_t c = 0; c < channels; c++) {
    const double shifted = sums[c] / rows;
    means[c] = shift[c] + shifted;
    variances[c] = std::max(0.0, squares[c] / rows - shifted * shifted);
  }
  const double allRows = synchronised ? combineMoments(rows, means, variances) : static_cast<double>(rows);
  const double unbiased = allRows > 1 ? allRows / (allRows - 1) : 1;
  for (int64_t c = 0; c < channels; c++) {
    const double average = means[c], variance = variances[c];
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

// Sums of this process become sums over all processes, of whose rows there are `rows`.
//
// A process's gradients are those of the mean loss of its own batch, and all gradients of weights are averaged over processes
// later. With R processes that is R times the gradient of the mean loss of all batches, so the input's gradient may be R times that,
// too: R · dx = γ/σ · (g − Σg/n − (x − μ)/σ² · Σ(g · (x − μ))/n), where g is what the process has and sums and n are over all
// processes. Those of gamma and beta stay sums over the own rows: they are averaged like all others.
double addUpGradients(int64_t rows, std::vector<double>& sums, std::vector<double>& products) {
  const int64_t channels = sums.size();
  const OfAllProcesses all(rows, sums, products);
  std::fill(sums.begin(), sums.end(), 0.0);
  std::fill(products.begin(), products.end(), 0.0);
  for (int64_t process = 0; process < all.values.size(0); process++) {
    const double* values = all.of(process);
    for (int64_t c = 0; c < channels; c++) {
      sums[c] += values[1 + c];
      products[c] += values[1 + channels + c];
    }
  }
  return all.rows;
}

template <typename T>
void backward(const kernels::Table<T>& run, const at::Tensor& gradient, const at::Tensor& x, const Affine& affine,
              const at::Tensor& mean, const at::Tensor& inverse, bool synchronised, const at::Tensor& gammaGradient,
              const at::Tensor& betaGradient, const at::Tensor& dx) {
  const int64_t channels = x.size(1), rows = rowsOf(x), repeats = repeatsFor(channels, gradient, x, dx);
  const InputRowView<T> gradientLines(gradient), source(x);
  const RowView<T> target(dx);
  const auto average = repeated(mean.data_ptr<float>(), channels, repeats);
  const auto scale = repeated(affine.scale.data(), channels, repeats), offset = repeated(affine.offset.data(), channels, repeats);
  kernels::Channels perChannel{average.data(), scale.data(), offset.data(), nullptr, nullptr};
  auto [sums, products] = sumRows(rows, channels, repeats, [&](int64_t row, Rows wide, float* sum, float* product) {
    const int64_t step = wide.channels / channels;
    run.gradientMoments(gradientLines.rows(row, step), source.rows(row, step), wide, perChannel, sum, product);
  });
  const float* inverted = inverse.data_ptr<float>();
  for (int64_t c = 0; c < channels; c++) {
    betaGradient.data_ptr<float>()[c] = static_cast<float>(sums[c]);
    if (gammaGradient.defined()) gammaGradient.data_ptr<float>()[c] = static_cast<float>(products[c] * inverted[c]);
  }
  const double allRows = synchronised ? addUpGradients(rows, sums, products) : static_cast<double>(rows);
  std::vector<float> slope(channels), shift(channels);
  for (int64_t c = 0; c < channels; c++) {
    const double factor = affine.scale[c];
    slope[c] = static_cast<float>(-factor * inverted[c] * inverted[c] * products[c] / allRows);
    shift[c] = static_cast<float>(-factor * sums[c] / allRows);
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
                                                             bool synchronised, const c10::optional<at::Tensor>& out) {
  expectPrecision(input);
  expectChannels(input, {gamma.has_value() ? &*gamma : &beta, &beta, &movingMean, &movingVariance});
  const auto x = inRows(input), y = resultRows(input.sizes(), input, out);
  const auto mean = at::empty({x.size(1)}, beta.options()), inverse = at::empty({x.size(1)}, beta.options());
  withKernelsFor(x, [&](const auto& run) {
    statistics(run, x, movingMean, movingVariance, momentum, epsilon, synchronised, mean, inverse);
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
    const at::Tensor& mean, const at::Tensor& inverse, bool synchronised, const c10::optional<at::Tensor>& out,
    const c10::optional<at::Tensor>& gammaOut, const c10::optional<at::Tensor>& betaOut) {
  expectPrecision(input);
  TORCH_CHECK(outputGradient.sizes() == input.sizes() && outputGradient.scalar_type() == input.scalar_type(),
              "gradient and input differ in shape or type");
  const auto dgamma = gamma.has_value() ? channelsOf(*gamma, gammaOut) : at::Tensor(), dbeta = channelsOf(beta, betaOut);
  expectChannels(input, {gamma.has_value() ? &*gamma : &beta, &beta, &mean, &inverse, &dbeta, dgamma.defined() ? &dgamma : &dbeta});
  const auto x = inRows(input), gradient = inRows(outputGradient), dx = resultRows(input.sizes(), input, out);
  withKernelsFor(x, [&](const auto& run) {
    backward(run, gradient, x, Affine(gamma, beta, mean, inverse), mean, inverse, synchronised, dgamma, dbeta, dx);
  });
  return {dx, dgamma, dbeta};
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  // `synchronised`: statistics are those of the rows of all processes of the group.
  library.def(
      "batch_norm_relu(Tensor input, Tensor? gamma, Tensor beta, Tensor(a!) moving_mean, Tensor(b!) moving_variance, "
      "float momentum, float epsilon, bool synchronised=False, *, Tensor(c!)? out=None) -> (Tensor, Tensor, Tensor)");
  // Recomputes the result from the saved statistics.
  library.def(
      "batch_norm_relu_again(Tensor input, Tensor? gamma, Tensor beta, Tensor mean, Tensor inverse_deviation, *, "
      "Tensor(a!)? out=None) -> Tensor");
  library.def(
      "batch_norm_relu_backward(Tensor gradient, Tensor input, Tensor? gamma, Tensor beta, Tensor mean, "
      "Tensor inverse_deviation, bool synchronised=False, *, Tensor(a!)? out=None, Tensor(b!)? gamma_out=None, "
      "Tensor(c!)? beta_out=None) -> (Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("batch_norm_relu", batchNormRelu);
  library.impl("batch_norm_relu_again", batchNormReluAgain);
  library.impl("batch_norm_relu_backward", batchNormReluBackward);
}

}  // namespace inception
