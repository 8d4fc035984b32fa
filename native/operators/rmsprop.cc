// RMSProp, weight decay, clipping, the averages and the gradient's norm in one pass: five reads and four writes of each
// parameter's memory instead of some thirty.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"

namespace inception {

namespace {

// Enough for a thread to be worth waking.
constexpr int64_t grain = 1 << 15;

}  // namespace

at::Tensor updateRmsProp(const at::Tensor& weights, const at::Tensor& meanSquare, const at::Tensor& momentum,
                         const c10::optional<at::Tensor>& averages, const at::Tensor& gradient, const at::Tensor& learningRate,
                         const at::Tensor& averageDecay, const c10::optional<at::Tensor>& gradientScale, double decay,
                         double epsilon, double momentumDecay, double weightDecay) {
  const int64_t count = weights.numel();
  // In whatever order the values lie: in the same one everywhere.
  const auto values = [&](const at::Tensor& tensor, const char* name) {
    TORCH_CHECK(tensor.scalar_type() == at::kFloat && tensor.is_non_overlapping_and_dense() &&
                    tensor.sizes() == weights.sizes() && tensor.strides() == weights.strides(),
                name, ": expected dense float32 ", weights.sizes(), " with strides ", weights.strides(), ", received ",
                tensor.scalar_type(), " ", tensor.sizes(), " with strides ", tensor.strides());
    return tensor.data_ptr<float>();
  };
  float* w = values(weights, "weights");
  float* ms = values(meanSquare, "mean_square");
  float* mom = values(momentum, "momentum");
  float* average = averages.has_value() ? values(*averages, "averages") : nullptr;
  const float* g = values(gradient, "gradient");
  const kernels::RmsProp how{static_cast<float>(decay),
                             static_cast<float>(epsilon),
                             static_cast<float>(momentumDecay),
                             learningRate.item<float>(),
                             static_cast<float>(weightDecay),
                             1 - averageDecay.item<float>(),
                             gradientScale.has_value() ? gradientScale->item<float>() : 1.f};
  const auto run = kernels::chooseKernels().updateRmsProp;
  // In a fixed order, so that a training that is repeated gives the same norm.
  const int64_t parts = (count + grain - 1) / grain;
  std::vector<double> squares(parts);
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; part++) {
      const int64_t begin = part * grain, some = std::min(grain, count - begin);
      squares[part] = run(w + begin, ms + begin, mom + begin, average ? average + begin : nullptr, g + begin, some, how);
    }
  });
  double sum = 0;
  for (const double square : squares) sum += square;
  auto norm = at::empty({}, gradient.options());
  *norm.data_ptr<float>() = static_cast<float>(std::sqrt(sum));
  return norm;
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def(
      "rmsprop_(Tensor(a!) weights, Tensor(b!) mean_square, Tensor(c!) momentum, Tensor(d!)? averages, Tensor gradient, "
      "Tensor learning_rate, Tensor average_decay, Tensor? gradient_scale, float decay, float epsilon, "
      "float momentum_decay, float weight_decay) -> Tensor");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) { library.impl("rmsprop_", updateRmsProp); }

}  // namespace inception
