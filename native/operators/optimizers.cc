// Optimisers: update, weight decay, clipping, averages and the gradient norm in one pass over each parameter, where libtorch's
// operators take ten to thirty reads and writes.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tensors.h"

namespace inception {

namespace {

using OptionalTensor = c10::optional<at::Tensor>;

// The data of a tensor with the shape and strides of `weights`. Any memory order will do, as long as all tensors share it.
float* valuesLike(const at::Tensor& weights, const at::Tensor& tensor, const char* name) {
  TORCH_CHECK(tensor.scalar_type() == at::kFloat && tensor.is_non_overlapping_and_dense() && tensor.sizes() == weights.sizes() &&
                  tensor.strides() == weights.strides(),
              name, ": expected contiguous float32 ", weights.sizes(), " with strides ", weights.strides(), ", received ",
              tensor.scalar_type(), " ", tensor.sizes(), " with strides ", tensor.strides());
  return tensor.data_ptr<float>();
}

// Calls `run(first element, count)` over all elements in parallel. Returns the square root of the sum of the results, float32 [].
template <typename Run>
at::Tensor normOfParts(const at::Tensor& gradient, Run run) {
  const int64_t count = gradient.numel();
  // Summed in a fixed order, so that repeated runs give the same norm.
  const int64_t parts = (count + parallelGrain - 1) / parallelGrain;
  std::vector<double> squares(parts);
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      const int64_t begin = part * parallelGrain;
      squares[part] = run(begin, std::min(parallelGrain, count - begin));
    }
  });
  double sum = 0;
  for (const double square : squares) sum += square;
  auto norm = at::empty({}, gradient.options());
  *norm.data_ptr<float>() = static_cast<float>(std::sqrt(sum));
  return norm;
}

float scaleOf(const OptionalTensor& gradientScale) { return gradientScale.has_value() ? gradientScale->item<float>() : 1.f; }

kernels::Update updateOf(const at::Tensor& learningRate, const at::Tensor& averageDecay, const OptionalTensor& gradientScale,
                         double weightDecay) {
  return {learningRate.item<float>(), static_cast<float>(weightDecay), 1 - averageDecay.item<float>(), scaleOf(gradientScale)};
}

}  // namespace

at::Tensor updateRmsProp(const at::Tensor& weights, const at::Tensor& meanSquare, const at::Tensor& momentum,
                         const OptionalTensor& averages, const at::Tensor& gradient, const at::Tensor& learningRate,
                         const at::Tensor& averageDecay, const OptionalTensor& gradientScale, double decay, double epsilon,
                         double momentumDecay, double weightDecay) {
  float* w = valuesLike(weights, weights, "weights");
  float* ms = valuesLike(weights, meanSquare, "mean_square");
  float* mom = valuesLike(weights, momentum, "momentum");
  float* average = averages.has_value() ? valuesLike(weights, *averages, "averages") : nullptr;
  const float* g = valuesLike(weights, gradient, "gradient");
  const kernels::RmsProp settings{static_cast<float>(decay),       static_cast<float>(epsilon),
                                  static_cast<float>(momentumDecay), learningRate.item<float>(),
                                  static_cast<float>(weightDecay), 1 - averageDecay.item<float>(),
                                  scaleOf(gradientScale)};
  const auto run = kernels::chooseKernels().updateRmsProp;
  return normOfParts(gradient, [&](int64_t begin, int64_t count) {
    return run(w + begin, ms + begin, mom + begin, average ? average + begin : nullptr, g + begin, count, settings);
  });
}

at::Tensor updateSgd(const at::Tensor& weights, const at::Tensor& momentum, const OptionalTensor& averages, const at::Tensor& gradient,
                     const at::Tensor& learningRate, const at::Tensor& averageDecay, const OptionalTensor& gradientScale,
                     double momentumDecay, bool nesterov, double weightDecay) {
  float* w = valuesLike(weights, weights, "weights");
  float* mom = valuesLike(weights, momentum, "momentum");
  float* average = averages.has_value() ? valuesLike(weights, *averages, "averages") : nullptr;
  const float* g = valuesLike(weights, gradient, "gradient");
  const auto update = updateOf(learningRate, averageDecay, gradientScale, weightDecay);
  const kernels::Sgd sgd{static_cast<float>(momentumDecay), nesterov};
  const auto run = kernels::chooseKernels().updateSgd;
  return normOfParts(gradient, [&](int64_t begin, int64_t count) {
    return run(w + begin, mom + begin, average ? average + begin : nullptr, g + begin, count, update, sgd);
  });
}

at::Tensor updateAdamW(const at::Tensor& weights, const at::Tensor& firstMoment, const at::Tensor& secondMoment,
                       const OptionalTensor& averages, const at::Tensor& gradient, const at::Tensor& learningRate,
                       const at::Tensor& averageDecay, const OptionalTensor& gradientScale, const at::Tensor& correction1,
                       const at::Tensor& correction2, double beta1, double beta2, double epsilon, double weightDecay) {
  float* w = valuesLike(weights, weights, "weights");
  float* first = valuesLike(weights, firstMoment, "first_moment");
  float* second = valuesLike(weights, secondMoment, "second_moment");
  float* average = averages.has_value() ? valuesLike(weights, *averages, "averages") : nullptr;
  const float* g = valuesLike(weights, gradient, "gradient");
  const auto update = updateOf(learningRate, averageDecay, gradientScale, weightDecay);
  const kernels::AdamW adamw{static_cast<float>(beta1),     static_cast<float>(beta2),   static_cast<float>(1 - beta1),
                             static_cast<float>(1 - beta2), static_cast<float>(epsilon), correction1.item<float>(),
                             correction2.item<float>()};
  const auto run = kernels::chooseKernels().updateAdamW;
  return normOfParts(gradient, [&](int64_t begin, int64_t count) {
    return run(w + begin, first + begin, second + begin, average ? average + begin : nullptr, g + begin, count, update, adamw);
  });
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  const std::string common = "Tensor gradient, Tensor learning_rate, Tensor average_decay, Tensor? gradient_scale, ";
  library.def(("rmsprop_(Tensor(a!) weights, Tensor(b!) mean_square, Tensor(c!) momentum, Tensor(d!)? averages, " + common +
               "float decay, float epsilon, float momentum_decay, float weight_decay) -> Tensor")
                  .c_str());
  library.def(("sgd_(Tensor(a!) weights, Tensor(b!) momentum, Tensor(c!)? averages, " + common +
               "float momentum_decay, bool nesterov, float weight_decay) -> Tensor")
                  .c_str());
  library.def(("adamw_(Tensor(a!) weights, Tensor(b!) first_moment, Tensor(c!) second_moment, Tensor(d!)? averages, " + common +
               "Tensor correction1, Tensor correction2, float beta1, float beta2, float epsilon, float weight_decay) -> Tensor")
                  .c_str());
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("rmsprop_", updateRmsProp);
  library.impl("sgd_", updateSgd);
  library.impl("adamw_", updateAdamW);
}

}  // namespace inception
