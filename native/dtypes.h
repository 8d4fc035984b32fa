// Names of dtypes in programs, and tensors as text for error messages.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace inception {

// Throws std::invalid_argument for an unknown name.
at::ScalarType scalarType(const std::string& dtype);
std::string dtypeName(at::ScalarType type);
// "[8, 64, 35, 35] float32"
std::string describe(const at::Tensor& tensor);

}  // namespace inception
