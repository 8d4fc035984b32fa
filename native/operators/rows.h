// Channels-last tensors as rows of channels.
#pragma once
#include <ATen/core/Tensor.h>

namespace inception {

inline at::Tensor denseChannelsLast(const at::Tensor& tensor) { return tensor.contiguous(at::MemoryFormat::ChannelsLast); }

inline int64_t rowsOf(const at::Tensor& tensor) { return tensor.size(0) * tensor.size(2) * tensor.size(3); }

// Elements between the rows of a channels-last tensor or of a slice of its channels; 0 if it is neither.
inline int64_t rowStride(const at::Tensor& tensor) {
  const int64_t height = tensor.size(2), width = tensor.size(3);
  if (tensor.size(1) > 1 && tensor.stride(1) != 1) return 0;
  // Strides along axes of length 1 mean nothing; the innermost one that does gives the row's.
  const int64_t stride = width > 1    ? tensor.stride(3)
                         : height > 1 ? tensor.stride(2)
                                      : tensor.stride(0);
  if (height > 1 && tensor.stride(2) != stride * width) return 0;
  if (tensor.size(0) > 1 && tensor.stride(0) != stride * width * height) return 0;
  return stride;
}

inline void expectPrecision(const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, "expected float32 or bfloat16, received ",
              x.scalar_type());
}

// A result's own memory, or a slice of a concatenation's.
inline int64_t expectRows(const at::Tensor& out, at::IntArrayRef sizes, at::ScalarType type) {
  const int64_t stride = out.dim() == 4 ? rowStride(out) : 0;
  TORCH_CHECK(out.sizes() == sizes && out.scalar_type() == type && stride > 0, "out: expected channels-last ", type, " ", sizes,
              ", received ", out.scalar_type(), " ", out.sizes());
  return stride;
}

}  // namespace inception
