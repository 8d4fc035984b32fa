// Named tensors and views that outlive a run, and the random generator that belongs to them.
#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <unordered_map>

#include "program.h"

namespace inception {

at::ScalarType scalarType(const std::string& dtype);
std::string dtypeName(at::ScalarType type);
// "[8, 64, 35, 35] float32"
std::string describe(const at::Tensor& tensor);

class Store {
 public:
  Store(const StoreSpec& spec, at::Device device);

  const at::Tensor& find(const std::string& name) const;
  // `values` has the view's element count, in C order of its shape.
  void write(const std::string& name, const at::Tensor& values);
  at::Tensor read(const std::string& name) const;

  at::Generator& generator() { return generator_; }
  at::Device device() const { return device_; }
  int64_t bytes() const { return bytes_; }

 private:
  at::Device device_;
  at::Generator generator_;
  std::unordered_map<std::string, at::Tensor> tensors_;
  int64_t bytes_ = 0;
};

}  // namespace inception
