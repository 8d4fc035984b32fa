#include "store.h"

#include "operators/prepared-weights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/full.h>

#include <sstream>
#include <stdexcept>
#include <utility>

namespace inception {

namespace {

const std::pair<const char*, at::ScalarType> dtypes[] = {
    {"float32", at::kFloat}, {"bfloat16", at::kBFloat16}, {"int64", at::kLong}, {"uint8", at::kByte}, {"bool", at::kBool},
};

at::Generator makeGenerator(at::Device device) {
  if (device.is_cpu()) return at::make_generator<at::CPUGeneratorImpl>();
  return at::globalContext().defaultGenerator(device).clone();
}

}  // namespace

at::ScalarType scalarType(const std::string& dtype) {
  for (const auto& [name, type] : dtypes) {
    if (dtype == name) return type;
  }
  throw std::invalid_argument("'" + dtype + "' is not a dtype of programs");
}

std::string dtypeName(at::ScalarType type) {
  for (const auto& [name, known] : dtypes) {
    if (known == type) return name;
  }
  return at::toString(type);
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  std::ostringstream text;
  text << tensor.sizes() << ' ' << dtypeName(tensor.scalar_type());
  return text.str();
}

Store::Store(const StoreSpec& spec, at::Device device) : device_(device), generator_(makeGenerator(device)) {
  // New memory may lie where an older store's weights were.
  nextPreparedGeneration();
  for (const auto& tensor : spec.tensors) {
    const auto options = at::TensorOptions().dtype(scalarType(tensor.dtype)).device(device);
    auto& made = tensors_[tensor.name] = at::full(tensor.shape, tensor.fill, options);
    bytes_ += made.nbytes();
  }
  for (const auto& view : spec.views) {
    tensors_[view.name] = at::as_strided(find(view.of), view.shape, view.strides, view.offset);
  }
}

const at::Tensor& Store::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw std::out_of_range("the store has no tensor '" + name + "'");
  return found->second;
}

void Store::write(const std::string& name, const at::Tensor& values) {
  const auto& target = find(name);
  target.copy_(values.view(target.sizes()));
  nextPreparedGeneration();
}

at::Tensor Store::read(const std::string& name) const {
  // A copy in any case: the caller's memory must not change with the next step.
  return find(name).to(at::kCPU).clone(at::MemoryFormat::Contiguous);
}

}  // namespace inception
