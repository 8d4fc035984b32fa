// libtorch's convolution: the fallback where oneDNN is not linked or has no such convolution for this processor.
#pragma once
#include <ATen/core/Tensor.h>

namespace inception {

// Weight and bias may be float32 with a bfloat16 input; they are rounded.
at::Tensor convolutionPortable(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                               at::IntArrayRef stride, at::IntArrayRef padding);

// Whether the addon was built with oneDNN.
bool linksOneDnn();

}  // namespace inception
