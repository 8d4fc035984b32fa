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

// Where a result is written: where it is told to, or to memory of its own.
at::Tensor resultLike(const at::Tensor& like, const c10::optional<at::Tensor>& out) {
  if (!out.has_value()) return at::empty_like(like);
  TORCH_CHECK(out->sizes() == like.sizes() && out->scalar_type() == like.scalar_type() && out->strides() == like.strides(),
              "out: expected dense channels-last ", like.scalar_type(), " ", like.sizes(), ", received ", out->scalar_type(), " ",
              out->sizes());
  return *out;
}

}  // namespace

// `out` may be the branch.
at::Tensor scaledAdd(const at::Tensor& input, const at::Tensor& branch, double scale, bool relu, const c10::optional<at::Tensor>& out) {
  expectPrecision(branch);
  const auto added = denseChannelsLast(branch), x = alike(input, added), y = resultLike(added, out);
  if (!y.is_same(added)) y.copy_(added);
  forEachPart(y, [&](const auto& run, auto* type, int64_t begin, int64_t count) {
    run.scaledAdd(from(x, type, begin), from(y, type, begin), count, static_cast<float>(scale), relu);
  });
  return y;
}

// `out` may be the gradient, and `scaled_out` the other one.
std::tuple<at::Tensor, at::Tensor> scaledAddBackward(const at::Tensor& gradient, const c10::optional<at::Tensor>& more,
                                                     const c10::optional<at::Tensor>& output, double scale,
                                                     const c10::optional<at::Tensor>& out, const c10::optional<at::Tensor>& scaledOut) {
  expectPrecision(gradient);
  const auto one = denseChannelsLast(gradient);
  const auto two = more.has_value() ? alike(*more, one) : at::Tensor();
  const auto y = output.has_value() ? alike(*output, one) : at::Tensor();
  const auto sum = resultLike(one, out), scaled = resultLike(one, scaledOut);
  forEachPart(one, [&](const auto& run, auto* type, int64_t begin, int64_t count) {
    run.scaledAddBackward(from(one, type, begin), from(two, type, begin), from(y, type, begin), from(sum, type, begin),
                          from(scaled, type, begin), count, static_cast<float>(scale));
  });
  return {sum, scaled};
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def("scaled_add(Tensor input, Tensor branch, float scale, bool relu, *, Tensor(a!)? out=None) -> Tensor");
  library.def(
      "scaled_add_backward(Tensor gradient, Tensor? more, Tensor? output, float scale, *, Tensor(a!)? out=None, "
      "Tensor(b!)? scaled_out=None) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("scaled_add", scaledAdd);
  library.impl("scaled_add_backward", scaledAddBackward);
}

}  // namespace inception
