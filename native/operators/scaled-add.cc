// A residual sum with its ReLU, forward and backward, for the CPU: one pass over memory each, where libtorch takes one per
// operation.
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <tuple>

#include "kernels.h"
#include "tensors.h"

namespace inception {

namespace {

// Calls `run(table, first element, count)` in parallel.
template <typename Run>
void forEachPart(const at::Tensor& like, Run run) {
  withKernelsFor(like, [&](const auto& table) {
    at::parallel_for(0, like.numel(), parallelGrain, [&](int64_t begin, int64_t end) { run(table, begin, end - begin); });
  });
}

// The tensor's data from `begin` on, in the table's type; null for an undefined tensor.
template <typename T>
T* valuesOf(const kernels::Table<T>&, const at::Tensor& tensor, int64_t begin) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) + begin : nullptr;
}

// Contiguous channels-last, so that equal offsets are equal elements.
at::Tensor contiguousLike(const at::Tensor& tensor, const at::Tensor& like) {
  TORCH_CHECK(tensor.sizes() == like.sizes() && tensor.scalar_type() == like.scalar_type(), "expected ", like.scalar_type(), " ",
              like.sizes(), ", received ", tensor.scalar_type(), " ", tensor.sizes());
  return contiguousChannelsLast(tensor);
}

// The tensor for a result: `out`, in the same memory order, or a new one.
at::Tensor resultLike(const at::Tensor& like, const c10::optional<at::Tensor>& out) {
  if (!out.has_value()) return at::empty_like(like);
  TORCH_CHECK(out->sizes() == like.sizes() && out->scalar_type() == like.scalar_type() && out->strides() == like.strides(),
              "out: expected contiguous channels-last ", like.scalar_type(), " ", like.sizes(), ", received ", out->scalar_type(), " ",
              out->sizes());
  return *out;
}

}  // namespace

// `out` may be the branch.
at::Tensor scaledAdd(const at::Tensor& input, const at::Tensor& branch, double scale, bool relu, const c10::optional<at::Tensor>& out) {
  expectPrecision(branch);
  const auto added = contiguousChannelsLast(branch), x = contiguousLike(input, added), y = resultLike(added, out);
  if (!y.is_same(added)) y.copy_(added);
  forEachPart(y, [&](const auto& table, int64_t begin, int64_t count) {
    table.scaledAdd(valuesOf(table, x, begin), valuesOf(table, y, begin), count, static_cast<float>(scale), relu);
  });
  return y;
}

// `out` may be the gradient, and `scaled_out` the second gradient.
std::tuple<at::Tensor, at::Tensor> scaledAddBackward(const at::Tensor& gradient, const c10::optional<at::Tensor>& secondGradient,
                                                     const c10::optional<at::Tensor>& output, double scale,
                                                     const c10::optional<at::Tensor>& out, const c10::optional<at::Tensor>& scaledOut) {
  expectPrecision(gradient);
  const auto first = contiguousChannelsLast(gradient);
  const auto second = secondGradient.has_value() ? contiguousLike(*secondGradient, first) : at::Tensor();
  const auto y = output.has_value() ? contiguousLike(*output, first) : at::Tensor();
  const auto sum = resultLike(first, out), scaled = resultLike(first, scaledOut);
  forEachPart(first, [&](const auto& table, int64_t begin, int64_t count) {
    table.scaledAddBackward(valuesOf(table, first, begin), valuesOf(table, second, begin), valuesOf(table, y, begin),
                            valuesOf(table, sum, begin), valuesOf(table, scaled, begin), count, static_cast<float>(scale));
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
