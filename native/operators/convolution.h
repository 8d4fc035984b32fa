// The convolution that libtorch makes: what our own fall back to, where oneDNN has none for this processor or is not linked.
#pragma once
#include <ATen/core/Tensor.h>

namespace inception {

// The weight and the bias may be float32 where the input is bfloat16; they are rounded.
at::Tensor convolutionPortable(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                               at::IntArrayRef stride, at::IntArrayRef padding);

// Whether the addon was built with oneDNN.
bool linksOneDnn();

}  // namespace inception
