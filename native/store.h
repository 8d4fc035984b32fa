// Named tensors and views that outlive a run, with their random generator.
#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <unordered_map>

#include "program.h"

namespace inception {

class Store {
 public:
  Store(const StoreSpec& spec, at::Device device);

  const at::Tensor& find(const std::string& name) const;
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  // Tensors that programs store. One of the same shape and type is overwritten in place, so that captured addresses stay valid.
  void storeComputed(const std::string& name, const at::Tensor& value);
  const at::Tensor& findComputed(const std::string& name) const;

  // `values` has the view's element count, in C order of its shape.
  void write(const std::string& name, const at::Tensor& values);
  at::Tensor read(const std::string& name) const;

  at::Generator& generator() { return generator_; }
  at::Device device() const { return device_; }
  int64_t bytes() const { return bytes_; }

 private:
  at::Device device_;
  at::Generator generator_;
  std::unordered_map<std::string, at::Tensor> tensors_, computed_;
  int64_t bytes_ = 0;
};

}  // namespace inception
