// From JavaScript's objects to plain C++ data and back. The only file, with addon.cc, that knows Node-API.
#pragma once
#include <napi.h>

#include <ATen/core/Tensor.h>

#include <string>

#include "program.h"

namespace inception {

Program toProgram(const Napi::Object& program);
StoreSpec toStoreSpec(const Napi::Object& spec);
// A tensor over the array's own memory: the array must outlive it.
at::Tensor toTensor(const Napi::TypedArray& array, const std::string& dtype, const std::vector<int64_t>& shape);
// { dtype, shape, data } with a copy of the tensor's values; the tensor is contiguous on the CPU.
Napi::Object toHostTensor(Napi::Env env, const at::Tensor& tensor);

}  // namespace inception
