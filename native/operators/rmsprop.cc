// RMSProp, weight decay, clipping and the averages in one pass over the flat buffers: five reads and four writes of each
// parameter's memory instead of some thirty.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include "kernels.h"

namespace inception {

namespace {

float* flat(const at::Tensor& tensor, int64_t count, const char* name) {
  TORCH_CHECK(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat && tensor.numel() == count, name,
              ": expected ", count, " contiguous float32 values");
  return tensor.data_ptr<float>();
}

// Enough for a thread to be worth waking.
constexpr int64_t grain = 1 << 15;

}  // namespace

void updateRmsProp(const at::Tensor& weights, const at::Tensor& meanSquare, const at::Tensor& momentum,
                   const at::Tensor& averages, const at::Tensor& gradient, const at::Tensor& learningRate,
                   const at::Tensor& averageDecay, const at::Tensor& gradientScale, double decay, double epsilon,
                   double momentumDecay, double weightDecay, int64_t decayed) {
  const int64_t count = weights.numel();
  float* w = flat(weights, count, "weights");
  float* ms = flat(meanSquare, count, "meanSquare");
  float* mom = flat(momentum, count, "momentum");
  float* average = flat(averages, count, "averages");
  const float* g = flat(gradient, count, "gradient");
  kernels::RmsProp how{static_cast<float>(decay),
                       static_cast<float>(epsilon),
                       static_cast<float>(momentumDecay),
                       learningRate.item<float>(),
                       0.f,
                       1 - averageDecay.item<float>(),
                       gradientScale.item<float>()};
  const auto run = kernels::chooseKernels().updateRmsProp;
  const auto update = [&](int64_t from, int64_t to, double decayOfWeights) {
    how.weightDecay = static_cast<float>(decayOfWeights);
    at::parallel_for(from, to, grain, [&](int64_t begin, int64_t end) {
      run(w + begin, ms + begin, mom + begin, average + begin, g + begin, end - begin, how);
    });
  };
  update(0, decayed, weightDecay);
  update(decayed, count, 0);
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def(
      "rmsprop_(Tensor(a!) weights, Tensor(b!) mean_square, Tensor(c!) momentum, Tensor(d!) averages, Tensor gradient, "
      "Tensor learning_rate, Tensor average_decay, Tensor gradient_scale, float decay, float epsilon, "
      "float momentum_decay, float weight_decay, int decayed) -> ()");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) { library.impl("rmsprop_", updateRmsProp); }

}  // namespace inception
