// Converts JavaScript objects to plain C++ data and back. Only convert, job and addon use Node-API.
#pragma once
#include <napi.h>

#include <ATen/core/Tensor.h>

#include <string>

#include "group.h"
#include "program.h"

namespace inception {

Program toProgram(const Napi::Object& program);
StoreSpec toStoreSpec(const Napi::Object& spec);
GroupSpec toGroupSpec(const Napi::Object& spec);
// A tensor that shares the array's memory: the array must outlive it.
at::Tensor toTensor(const Napi::TypedArray& array, const std::string& dtype, const std::vector<int64_t>& shape);
// { dtype, shape, data } with a copy of the values of a contiguous CPU tensor.
Napi::Object toHostTensor(Napi::Env env, const at::Tensor& tensor);

}  // namespace inception
