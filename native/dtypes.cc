#include "dtypes.h"

#include <sstream>
#include <stdexcept>
#include <utility>

namespace inception {

namespace {

const std::pair<const char*, at::ScalarType> dtypes[] = {
    {"float32", at::kFloat}, {"bfloat16", at::kBFloat16}, {"int64", at::kLong}, {"uint8", at::kByte}, {"bool", at::kBool},
};

}  // namespace

at::ScalarType scalarType(const std::string& dtype) {
  for (const auto& [name, type] : dtypes) {
    if (dtype == name) return type;
  }
  throw std::invalid_argument("'" + dtype + "' is not a dtype of programs");
}

std::string dtypeName(at::ScalarType type) {
  for (const auto& [name, candidate] : dtypes) {
    if (candidate == type) return name;
  }
  return at::toString(type);
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  std::ostringstream text;
  text << tensor.sizes() << ' ' << dtypeName(tensor.scalar_type());
  return text.str();
}

}  // namespace inception
