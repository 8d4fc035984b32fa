// What a convolution by oneDNN needs to know, and the primitives made for it.
#pragma once
#include "onednn.h"

namespace inception::onednn {

using dnnl::algorithm;
using dnnl::convolution_forward;
using dnnl::memory;
using dnnl::prop_kind;

inline at::Tensor dense(const at::Tensor& tensor) { return tensor.contiguous(at::MemoryFormat::ChannelsLast); }

struct Geometry {
  memory::dims input, weight, output, bias, stride, padding;
  memory::data_type type, weightType;

  Geometry(const at::Tensor& x, const at::Tensor& w, at::IntArrayRef strides, at::IntArrayRef paddings)
      : input(x.sizes().vec()), weight(w.sizes().vec()), bias{w.size(0)}, stride(strides.vec()), padding(paddings.vec()),
        type(typeOf(x)), weightType(typeOf(w)) {
    TORCH_CHECK(x.dim() == 4 && w.dim() == 4 && x.size(1) == w.size(1), "input and weight do not fit: ", x.sizes(), " and ",
                w.sizes());
    // Packing rounds float32 weights; nothing would widen bfloat16 ones.
    TORCH_CHECK(x.scalar_type() == w.scalar_type() || w.scalar_type() == at::kFloat, "weight: expected float32 or ", x.scalar_type(),
                ", as the input is, received ", w.scalar_type());
    output = {x.size(0), w.size(0), 0, 0};
    for (int axis = 0; axis < 2; axis++) {
      output[2 + axis] = (input[2 + axis] + 2 * padding[axis] - weight[2 + axis]) / stride[axis] + 1;
    }
  }

  Key key() const {
    Key key{static_cast<int64_t>(type), static_cast<int64_t>(weightType), at::get_num_threads()};
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
  const auto what = bias ? convolution_forward::desc(kind, direct, input, weight, g.biasDesc(), output, g.stride, g.padding, g.padding)
                         : convolution_forward::desc(kind, direct, input, weight, output, g.stride, g.padding, g.padding);
  return {what, attributes, engine()};
}

// A primitive with the layouts that it chose; none where oneDNN has no implementation.
struct Plan {
  bool possible() const { return static_cast<bool>(run); }

  dnnl::primitive run;
  memory::desc weight, scratchpad;
  Reorder pack;  // plain weights to the chosen layout; of gradients the other way round
};

// The weights in the plan's layout; the tensor keeps the memory alive.
inline at::Tensor packed(const Plan& plan, const at::Tensor& weight) {
  if (!plan.pack.needed()) return weight;
  auto result = bytes(plan.weight.get_size());
  plan.pack.run(weight.data_ptr(), result.data_ptr());
  return result;
}

template <typename Make>
const Plan& planned(const Key& key, Make make) {
  return planned<Plan>(key, [&] {
    try {
      return make();
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_unimplemented) return Plan{};
      throw;
    }
  });
}

}  // namespace inception::onednn
