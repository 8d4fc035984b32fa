// The gradient of a convolution's weight, by the fastest method that oneDNN has for its shape.
#pragma once
#include "convolution-plan.h"

namespace inception::onednn {

// Writes float32 gradients of weight and bias from a contiguous channels-last gradient and input. Returns false where oneDNN has no
// implementation.
bool writeWeightGradient(const Geometry& geometry, const at::Tensor& gradient, const at::Tensor& input,
                         const at::Tensor& weightGradient, const c10::optional<at::Tensor>& biasGradient);

}  // namespace inception::onednn
