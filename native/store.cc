#include "store.h"

#include "dtypes.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/full.h>

#include <stdexcept>

namespace inception {

namespace {

at::Generator makeGenerator(at::Device device) {
  if (device.is_cpu()) return at::make_generator<at::CPUGeneratorImpl>();
  return at::globalContext().defaultGenerator(device).clone();
}

}  // namespace

Store::Store(const StoreSpec& spec, at::Device device) : device_(device), generator_(makeGenerator(device)) {
  for (const auto& tensor : spec.tensors) {
    const auto options = at::TensorOptions().dtype(scalarType(tensor.dtype)).device(device);
    auto& created = tensors_[tensor.name] = at::full(tensor.shape, tensor.fill, options);
    bytes_ += created.nbytes();
  }
  for (const auto& view : spec.views) {
    tensors_[view.name] = at::as_strided(find(view.of), view.shape, view.strides, view.offset);
  }
}

const at::Tensor& Store::find(const std::string& name) const {
  const auto entry = tensors_.find(name);
  if (entry == tensors_.end()) throw std::out_of_range("the store has no tensor '" + name + "'");
  return entry->second;
}

void Store::write(const std::string& name, const at::Tensor& values) {
  const auto& target = find(name);
  target.copy_(values.view(target.sizes()));
}

void Store::storeComputed(const std::string& name, const at::Tensor& value) {
  auto& stored = computed_[name];
  const bool fits = stored.defined() && stored.sizes() == value.sizes() && stored.strides() == value.strides() &&
                    stored.scalar_type() == value.scalar_type();
  if (fits) {
    stored.copy_(value);
  } else {
    stored = value;
  }
}

const at::Tensor& Store::findComputed(const std::string& name) const {
  const auto entry = computed_.find(name);
  if (entry == computed_.end()) {
    throw std::out_of_range("the store has no tensor '" + name + "' yet; run the program that computes it first");
  }
  return entry->second;
}

at::Tensor Store::read(const std::string& name) const {
  // Always a copy: the caller's memory must not change with the next step.
  return find(name).to(at::kCPU).clone(at::MemoryFormat::Contiguous);
}

}  // namespace inception
