// Activations: contiguous channels-last tensors or slices of their channels, and helpers for the loops over them.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "kernels.h"

namespace inception {

// Minimum elements per thread in element-wise loops.
constexpr int64_t parallelGrain = 1 << 15;

// The tensor itself where it is contiguous channels-last already; otherwise a copy.
inline at::Tensor contiguousChannelsLast(const at::Tensor& tensor) { return tensor.contiguous(at::MemoryFormat::ChannelsLast); }

inline at::Tensor emptyChannelsLast(at::IntArrayRef sizes, const at::TensorOptions& options) {
  return at::empty(sizes, options.memory_format(at::MemoryFormat::ChannelsLast));
}

// Number of rows of channels: one per position of each image.
inline int64_t rowsOf(const at::Tensor& tensor) { return tensor.size(0) * tensor.size(2) * tensor.size(3); }

// Row stride, in elements, of a channels-last tensor or of a slice of its channels; 0 if it is neither.
inline int64_t rowStride(const at::Tensor& tensor) {
  const int64_t height = tensor.size(2), width = tensor.size(3);
  if (tensor.size(1) > 1 && tensor.stride(1) != 1) return 0;
  // Strides along axes of length 1 mean nothing: the innermost longer axis gives the row stride.
  const int64_t stride = width > 1    ? tensor.stride(3)
                         : height > 1 ? tensor.stride(2)
                                      : tensor.stride(0);
  if (height > 1 && tensor.stride(2) != stride * width) return 0;
  if (tensor.size(0) > 1 && tensor.stride(0) != stride * width * height) return 0;
  return stride;
}

// The tensor itself where it consists of rows; otherwise a contiguous copy.
inline at::Tensor inRows(const at::Tensor& tensor) { return rowStride(tensor) > 0 ? tensor : contiguousChannelsLast(tensor); }

// The first value of a tensor is read before any loop over its rows.
inline void expectPrecision(const at::Tensor& x) {
  TORCH_CHECK(x.numel() > 0, "expected at least one value, received a tensor of sizes ", x.sizes());
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, "expected float32 or bfloat16, received ",
              x.scalar_type());
}

// The tensor for an operator's result: `out`, which may be a slice of a wider tensor, or a new one.
inline at::Tensor resultRows(at::IntArrayRef sizes, const at::Tensor& like, const c10::optional<at::Tensor>& out) {
  if (!out.has_value()) return emptyChannelsLast(sizes, like.options());
  TORCH_CHECK(out->dim() == 4 && out->sizes() == sizes && out->scalar_type() == like.scalar_type() && rowStride(*out) > 0,
              "out: expected channels-last ", like.scalar_type(), " ", sizes, ", received ", out->scalar_type(), " ", out->sizes());
  return *out;
}

// Calls `run(table)` with the native kernels for the tensor's type. Throws c10::Error for types that have none.
template <typename Run>
void withKernelsFor(const at::Tensor& tensor, Run run) {
  expectPrecision(tensor);
  const auto& kernels = kernels::chooseKernels();
  if (tensor.scalar_type() == at::kFloat) {
    run(kernels.float32);
  } else {
    run(kernels.bfloat16);
  }
}

}  // namespace inception
