// The geometry of a oneDNN convolution, and the primitives created for it.
#pragma once
#include <ATen/Parallel.h>

#include <cstdint>
#include <map>
#include <vector>

#include "onednn.h"
#include "../tensors.h"

namespace inception::onednn {

using dnnl::algorithm;
using dnnl::convolution_forward;
using dnnl::memory;
using dnnl::prop_kind;

using Key = std::vector<int64_t>;

// What a primitive computes: plans for different purposes may share a geometry.
enum class Purpose : int64_t {
  forward,
  forwardWithBias,
  inputGradient,
  weightGradient,
  weightAndBiasGradient,
  product,
  inference,
  inferenceWithSum,
  inferenceWithRelu,
  inferenceWithSumAndRelu,
  int8,
};

struct Geometry {
  memory::dims input, weight, output, bias, stride, padding;
  memory::data_type type, weightType;

  Geometry(const at::Tensor& x, const at::Tensor& w, at::IntArrayRef strides, at::IntArrayRef paddings)
      : Geometry(x.sizes(), typeOf(x), w.sizes(), typeOf(w), strides, paddings) {}

  Geometry(at::IntArrayRef inputSizes, memory::data_type inputType, at::IntArrayRef weightSizes, memory::data_type typeOfWeight,
           at::IntArrayRef strides, at::IntArrayRef paddings)
      : input(inputSizes.vec()), weight(weightSizes.vec()), stride(strides.vec()), padding(paddings.vec()), type(inputType),
        weightType(typeOfWeight) {
    TORCH_CHECK(input.size() == 4 && weight.size() == 4 && input[1] == weight[1], "input and weight channels differ: ", inputSizes, " and ",
                weightSizes);
    // Packing rounds float32 weights, but does not widen bfloat16 ones.
    TORCH_CHECK(weightType == type || weightType == memory::data_type::f32 || type == memory::data_type::u8,
                "weight: expected float32 or the type of the input, received bfloat16 with a float32 input");
    bias = {weight[0]};
    output = {input[0], weight[0], 0, 0};
    for (int axis = 0; axis < 2; axis++) {
      output[2 + axis] = (input[2 + axis] + 2 * padding[axis] - weight[2 + axis]) / stride[axis] + 1;
    }
  }

  // Everything that a plan for this purpose depends on.
  Key key(Purpose purpose) const {
    Key key{static_cast<int64_t>(purpose), static_cast<int64_t>(type), static_cast<int64_t>(weightType), at::get_num_threads()};
    for (const auto* sizes : {&input, &weight, &stride, &padding}) key.insert(key.end(), sizes->begin(), sizes->end());
    return key;
  }

  memory::desc inputDesc() const { return channelsLast(input, type); }
  memory::desc outputDesc() const { return channelsLast(output, type); }
  memory::desc plainWeight() const { return channelsLast(weight, weightType); }
  memory::desc biasDesc() const { return {bias, memory::data_type::f32, memory::format_tag::a}; }
};

inline dnnl::primitive_attr userScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

inline convolution_forward::primitive_desc describeForward(const Geometry& g, bool bias, const dnnl::primitive_attr& attributes = userScratchpad()) {
  const auto input = g.inputDesc(), weight = anyLayout(g.weight, g.type), output = g.outputDesc();
  const auto kind = prop_kind::forward_training;
  const auto direct = algorithm::convolution_direct;
  const auto descriptor = bias ? convolution_forward::desc(kind, direct, input, weight, g.biasDesc(), output, g.stride, g.padding, g.padding)
                         : convolution_forward::desc(kind, direct, input, weight, output, g.stride, g.padding, g.padding);
  return {descriptor, attributes, engine()};
}

// A primitive with the layouts that it chose; empty where oneDNN has no implementation.
struct Plan {
  bool possible() const { return static_cast<bool>(run); }

  dnnl::primitive run;
  memory::desc weight, scratchpad;
  Reorder pack;  // plain weights to the chosen layout; for gradients, the reverse
};

// The weights in the plan's layout; the tensor keeps the memory alive.
inline at::Tensor packWeight(const Plan& plan, const at::Tensor& weight) {
  if (!plan.pack.needed()) return weight;
  auto result = bytes(plan.weight.get_size());
  plan.pack.run(weight.data_ptr(), result.data_ptr());
  return result;
}

// This thread's cached plans, for every purpose: programs run on one thread.
inline std::map<Key, Plan>& plansOfThread() {
  thread_local std::map<Key, Plan> plans;
  return plans;
}

// The cached plan for this key, which must cover everything that `make` depends on.
template <typename Make>
const Plan& cachedPlan(const Key& key, Make make) {
  auto& plans = plansOfThread();
  const auto cached = plans.find(key);
  if (cached != plans.end()) return cached->second;
  try {
    return plans.emplace(key, make()).first->second;
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) throw;
    return plans.emplace(key, Plan{}).first->second;
  }
}

}  // namespace inception::onednn
