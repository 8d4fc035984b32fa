// The sum of a residual block with its ReLU, forward and backward, for the CPU: one pass over memory each, where libtorch
// takes one for every step of it.
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <tuple>

#include "kernels.h"
#include "tensors.h"

namespace inception {

namespace {

// Calls `run(table, first element, elements)` in parallel.
template <typename Run>
void forEachPart(const at::Tensor& like, Run run) {
  withKernelsFor(like, [&](const auto& table) {
    at::parallel_for(0, like.numel(), parallelGrain, [&](int64_t begin, int64_t end) { run(table, begin, end - begin); });
  });
}

// The tensor's values from `begin` on, in the type of the table; null for no tensor.
template <typename T>
T* valuesOf(const kernels::Table<T>&, const at::Tensor& tensor, int64_t begin) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) + begin : nullptr;
}

// Every tensor contiguous with the channels innermost, so that equal offsets are equal elements.
at::Tensor alike(const at::Tensor& tensor, const at::Tensor& like) {
  TORCH_CHECK(tensor.sizes() == like.sizes() && tensor.scalar_type() == like.scalar_type(), "expected ", like.scalar_type(), " ",
              like.sizes(), ", received ", tensor.scalar_type(), " ", tensor.sizes());
  return contiguousChannelsLast(tensor);
}

// Where a result is written: to `out`, in the same memory order, or to new memory.
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
  const auto added = contiguousChannelsLast(branch), x = alike(input, added), y = resultLike(added, out);
  if (!y.is_same(added)) y.copy_(added);
  forEachPart(y, [&](const auto& table, int64_t begin, int64_t count) {
    table.scaledAdd(valuesOf(table, x, begin), valuesOf(table, y, begin), count, static_cast<float>(scale), relu);
  });
  return y;
}

// `out` may be the gradient, and `scaled_out` the other one.
std::tuple<at::Tensor, at::Tensor> scaledAddBackward(const at::Tensor& gradient, const c10::optional<at::Tensor>& more,
                                                     const c10::optional<at::Tensor>& output, double scale,
                                                     const c10::optional<at::Tensor>& out, const c10::optional<at::Tensor>& scaledOut) {
  expectPrecision(gradient);
  const auto one = contiguousChannelsLast(gradient);
  const auto two = more.has_value() ? alike(*more, one) : at::Tensor();
  const auto y = output.has_value() ? alike(*output, one) : at::Tensor();
  const auto sum = resultLike(one, out), scaled = resultLike(one, scaledOut);
  forEachPart(one, [&](const auto& table, int64_t begin, int64_t count) {
    table.scaledAddBackward(valuesOf(table, one, begin), valuesOf(table, two, begin), valuesOf(table, y, begin),
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
