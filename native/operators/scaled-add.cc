// The sum of a residual block with its ReLU, forward and backward, for the CPU: one pass over memory each, where libtorch
// takes one for every step of it.
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <tuple>

#include "kernels.h"
#include "rows.h"

namespace inception {

namespace {

// Enough for a thread to be worth waking.
constexpr int64_t grain = 1 << 15;

// Calls `run(table, null pointer of the type, first element, elements)` in parallel.
template <typename Run>
void forEachPart(const at::Tensor& like, Run run) {
  const auto& tables = kernels::chooseKernels();
  at::parallel_for(0, like.numel(), grain, [&](int64_t begin, int64_t end) {
    if (like.scalar_type() == at::kFloat) {
      run(tables.float32, static_cast<float*>(nullptr), begin, end - begin);
    } else {
      run(tables.bfloat16, static_cast<uint16_t*>(nullptr), begin, end - begin);
    }
  });
}

template <typename T>
T* from(const at::Tensor& tensor, T*, int64_t begin) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) + begin : nullptr;
}

// Every tensor dense with the channels innermost, so that equal places are equal elements.
at::Tensor alike(const at::Tensor& tensor, const at::Tensor& like) {
  TORCH_CHECK(tensor.sizes() == like.sizes() && tensor.scalar_type() == like.scalar_type(), "expected ", like.scalar_type(), " ",
              like.sizes(), ", received ", tensor.scalar_type(), " ", tensor.sizes());
  return denseChannelsLast(tensor);
}

}  // namespace

void scaledAdd(const at::Tensor& input, const at::Tensor& branch, double scale, bool relu) {
  expectPrecision(branch);
  TORCH_CHECK(branch.is_contiguous(at::MemoryFormat::ChannelsLast), "branch: expected a dense channels-last tensor");
  const auto x = alike(input, branch);
  forEachPart(branch, [&](const auto& run, auto* type, int64_t begin, int64_t count) {
    run.scaledAdd(from(x, type, begin), from(branch, type, begin), count, static_cast<float>(scale), relu);
  });
}

std::tuple<at::Tensor, at::Tensor> scaledAddBackward(const at::Tensor& gradient, const c10::optional<at::Tensor>& more,
                                                     const c10::optional<at::Tensor>& output, double scale) {
  expectPrecision(gradient);
  const auto one = denseChannelsLast(gradient);
  const auto two = more.has_value() ? alike(*more, one) : at::Tensor();
  const auto y = output.has_value() ? alike(*output, one) : at::Tensor();
  // In the gradients' memory, which nobody reads again and which is in the caches.
  const auto &sum = one, scaled = two.defined() ? two : at::empty_like(one);
  forEachPart(one, [&](const auto& run, auto* type, int64_t begin, int64_t count) {
    run.scaledAddBackward(from(one, type, begin), from(two, type, begin), from(y, type, begin), from(sum, type, begin),
                          from(scaled, type, begin), count, static_cast<float>(scale));
  });
  return {sum, scaled};
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def("scaled_add_(Tensor input, Tensor(a!) branch, float scale, bool relu) -> ()");
  library.def("scaled_add_backward_(Tensor(a!) gradient, Tensor(b!)? more, Tensor? output, float scale) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("scaled_add_", scaledAdd);
  library.impl("scaled_add_backward_", scaledAddBackward);
}

}  // namespace inception
