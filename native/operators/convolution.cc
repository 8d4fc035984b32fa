// Convolutions by oneDNN directly. libtorch's way there makes the weights' gradient in the activations' precision and an
// order of its own, which the program then has to copy; here it arrives in float32 where the optimiser reads it.
// The overloads called `portable` do the same through libtorch: they take over where the addon is built without oneDNN,
// and where oneDNN has no such convolution for this processor.
#include <ATen/Parallel.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/relu.h>
#include <torch/library.h>

#include "prepared-weights.h"

#if defined(INCEPTION_ONEDNN)
#include "kernels.h"
#include "onednn.h"
#include "row-sums.h"
#include "rows.h"
#endif

namespace inception {

at::Tensor convolutionPortable(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                               at::IntArrayRef stride, at::IntArrayRef padding) {
  const auto type = input.scalar_type();
  const auto shift = bias.has_value() ? c10::optional<at::Tensor>(bias->to(type)) : c10::nullopt;
  return at::convolution(input, weight.to(type), shift, stride, padding, {1, 1}, false, {0, 0}, 1);
}

at::Tensor convolutionBackwardPortable(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight,
                                       const at::Tensor& weightGradient, const c10::optional<at::Tensor>& biasGradient,
                                       at::IntArrayRef stride, at::IntArrayRef padding, bool needsInputGradient) {
  const bool bias = biasGradient.has_value();
  const int64_t filters = weight.size(0);
  auto [ofInput, ofWeight, ofBias] =
      at::convolution_backward(gradient, input, weight.to(input.scalar_type()), bias ? at::OptionalIntArrayRef(filters) : c10::nullopt, stride, padding,
                               {1, 1}, false, {0, 0}, 1, {needsInputGradient, true, bias});
  weightGradient.copy_(ofWeight);
  if (bias) biasGradient->copy_(ofBias);
  return needsInputGradient ? ofInput : at::empty({0}, input.options());
}

at::Tensor convolutionPreparedPortable(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                                       const c10::optional<at::Tensor>& sum, at::IntArrayRef stride, at::IntArrayRef padding,
                                       bool relu) {
  auto y = convolutionPortable(input, weight, bias, stride, padding);
  if (sum.has_value()) y = sum->add_(y);
  return relu ? y.relu_() : y;
}

#if defined(INCEPTION_ONEDNN)

namespace {

using dnnl::algorithm;
using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;
using dnnl::memory;
using dnnl::prop_kind;
using onednn::over;

at::Tensor dense(const at::Tensor& tensor) { return tensor.contiguous(at::MemoryFormat::ChannelsLast); }

struct Geometry {
  memory::dims input, weight, output, bias, stride, padding;
  memory::data_type type, weightType;

  Geometry(const at::Tensor& x, const at::Tensor& w, at::IntArrayRef strides, at::IntArrayRef paddings)
      : input(x.sizes().vec()), weight(w.sizes().vec()), bias{w.size(0)}, stride(strides.vec()), padding(paddings.vec()),
        type(onednn::typeOf(x)), weightType(onednn::typeOf(w)) {
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

  onednn::Key key() const {
    onednn::Key key{static_cast<int64_t>(type), static_cast<int64_t>(weightType), at::get_num_threads()};
    for (const auto* sizes : {&input, &weight, &stride, &padding}) key.insert(key.end(), sizes->begin(), sizes->end());
    return key;
  }

  memory::desc inputDesc() const { return onednn::channelsLast(input, type); }
  memory::desc outputDesc() const { return onednn::channelsLast(output, type); }
  memory::desc plainWeight() const { return onednn::channelsLast(weight, weightType); }
  memory::desc biasDesc() const { return {bias, memory::data_type::f32, memory::format_tag::a}; }
};

dnnl::primitive_attr userScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

convolution_forward::primitive_desc describeForward(const Geometry& g, bool bias, const dnnl::primitive_attr& attributes = userScratchpad()) {
  const auto input = g.inputDesc(), weight = onednn::anyLayout(g.weight, g.type), output = g.outputDesc();
  const auto kind = prop_kind::forward_training;
  const auto direct = algorithm::convolution_direct;
  const auto what = bias ? convolution_forward::desc(kind, direct, input, weight, g.biasDesc(), output, g.stride, g.padding, g.padding)
                         : convolution_forward::desc(kind, direct, input, weight, output, g.stride, g.padding, g.padding);
  return {what, attributes, onednn::engine()};
}

// A primitive with the layouts that it chose; none where oneDNN has no implementation.
struct Plan {
  bool possible() const { return static_cast<bool>(run); }

  dnnl::primitive run;
  memory::desc weight, scratchpad;
  onednn::Reorder pack;  // plain weights to the chosen layout; of gradients the other way round
};

// The weights in the plan's layout; the tensor keeps the memory alive.
at::Tensor packed(const Plan& plan, const at::Tensor& weight) {
  if (!plan.pack.needed()) return weight;
  auto result = onednn::bytes(plan.weight.get_size());
  plan.pack.run(weight.data_ptr(), result.data_ptr());
  return result;
}

template <typename Make>
const Plan& planned(const onednn::Key& key, Make make) {
  return onednn::planned<Plan>(key, [&] {
    try {
      return make();
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_unimplemented) return Plan{};
      throw;
    }
  });
}

const Plan& forwardPlan(const Geometry& g, bool bias) {
  auto key = g.key();
  key.push_back(bias ? 1 : 0);
  return planned(key, [&] {
    const auto how = describeForward(g, bias);
    return Plan{convolution_forward(how), how.weights_desc(), how.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), how.weights_desc())};
  });
}

// With what inference does right after the convolution: the residual sum, then the ReLU.
const Plan& preparedPlan(const Geometry& g, bool sum, bool relu) {
  auto key = g.key();
  key.push_back(5 + (sum ? 1 : 0) + (relu ? 2 : 0));
  return planned(key, [&] {
    auto attributes = userScratchpad();
    dnnl::post_ops after;
    if (sum) after.append_sum();
    if (relu) after.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
    attributes.set_post_ops(after);
    const auto how = describeForward(g, true, attributes);
    return Plan{convolution_forward(how), how.weights_desc(), how.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), how.weights_desc())};
  });
}

// Weights in the layout of their plan, and the bias in float32.
struct Packed {
  at::Tensor weight, bias;
};

// Packed once for each plan, and anew after a preparation: `weightsChanged` says when.
const Packed& packedFor(const Plan& plan, const at::Tensor& weight, const at::Tensor& bias) {
  thread_local std::map<std::pair<const void*, const Plan*>, Packed> known;
  thread_local uint64_t generation = 0;
  if (generation != preparedGeneration()) {
    known.clear();
    generation = preparedGeneration();
  }
  auto& entry = known[{weight.data_ptr(), &plan}];
  if (!entry.weight.defined()) {
    entry.weight = packed(plan, dense(weight));
    entry.bias = bias.to(at::kFloat).contiguous();
  }
  return entry;
}

const Plan& inputGradientPlan(const Geometry& g) {
  auto key = g.key();
  key.push_back(2);
  return planned(key, [&] {
    const convolution_backward_data::desc what(algorithm::convolution_direct, g.inputDesc(), onednn::anyLayout(g.weight, g.type),
                                               g.outputDesc(), g.stride, g.padding, g.padding);
    const convolution_backward_data::primitive_desc how(what, userScratchpad(), onednn::engine(), describeForward(g, false));
    return Plan{convolution_backward_data(how), how.weights_desc(), how.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), how.weights_desc())};
  });
}

const Plan& weightGradientPlan(const Geometry& g, bool bias) {
  auto key = g.key();
  key.push_back(bias ? 4 : 3);
  return planned(key, [&] {
    const auto weight = onednn::anyLayout(g.weight, memory::data_type::f32);
    const auto direct = algorithm::convolution_direct;
    const auto what = bias ? convolution_backward_weights::desc(direct, g.inputDesc(), weight, g.biasDesc(), g.outputDesc(),
                                                                g.stride, g.padding, g.padding)
                           : convolution_backward_weights::desc(direct, g.inputDesc(), weight, g.outputDesc(), g.stride, g.padding,
                                                                g.padding);
    const convolution_backward_weights::primitive_desc how(what, userScratchpad(), onednn::engine(), describeForward(g, bias));
    return Plan{convolution_backward_weights(how), how.diff_weights_desc(), how.scratchpad_desc(),
                onednn::Reorder(how.diff_weights_desc(), onednn::channelsLast(g.weight, memory::data_type::f32))};
  });
}

// The weights' gradient of a 1x1 convolution is one product of matrices over all places of all pictures, which oneDNN
// computes a quarter to a half faster than it does the convolution's: dW[o, i] = Σ dy[place, o] · x[place, i].
const Plan& pointwiseGradientPlan(const Geometry& g) {
  auto key = g.key();
  key.push_back(9);
  return planned(key, [&] {
    const int64_t places = g.input[0] * g.input[2] * g.input[3], filters = g.weight[0], channels = g.weight[1];
    const memory::desc dy({filters, places}, g.type, memory::dims{1, filters}), x({places, channels}, g.type, memory::dims{channels, 1});
    const memory::desc dw({filters, channels}, memory::data_type::f32, memory::dims{channels, 1});
    const dnnl::matmul::primitive_desc how(dnnl::matmul::desc(dy, x, dw), userScratchpad(), onednn::engine());
    return Plan{dnnl::matmul(how), how.dst_desc(), how.scratchpad_desc(), onednn::Reorder()};
  });
}

bool isPointwise(const Geometry& g) {
  return g.weight[2] * g.weight[3] == 1 && g.stride[0] * g.stride[1] == 1 && g.padding[0] + g.padding[1] == 0;
}

template <typename T>
void sumOverPlaces(const kernels::Table<T>& run, const at::Tensor& dy, float* sums) {
  const int64_t channels = dy.size(1), times = rowsAtOnce(channels);
  const T* from = static_cast<const T*>(dy.data_ptr());
  const std::vector<float> none(channels * times, 0.f);
  const auto found = sumRows(rowsOf(dy), channels, times, [&](int64_t row, Rows wide, float* sum, float* square) {
    run.moments({from + row * channels, wide.channels}, wide, none.data(), sum, square);
  });
  for (int64_t c = 0; c < channels; c++) sums[c] = static_cast<float>(found.first[c]);
}

void pointwiseWeightGradient(const Geometry& g, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weightGradient,
                             const c10::optional<at::Tensor>& biasGradient) {
  const auto& plan = pointwiseGradientPlan(g);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  const int64_t places = rowsOf(x), filters = g.weight[0], channels = g.weight[1];
  plan.run.execute(onednn::stream(), {{DNNL_ARG_SRC, over({{filters, places}, g.type, memory::dims{1, filters}}, dy.data_ptr())},
                                      {DNNL_ARG_WEIGHTS, over({{places, channels}, g.type, memory::dims{channels, 1}}, x.data_ptr())},
                                      {DNNL_ARG_DST, over(plan.weight, weightGradient.data_ptr())},
                                      {DNNL_ARG_SCRATCHPAD, over(plan.scratchpad, scratch.data_ptr())}});
  if (!biasGradient.has_value()) return;
  const auto& tables = kernels::chooseKernels();
  float* sums = biasGradient->data_ptr<float>();
  if (dy.scalar_type() == at::kFloat) {
    sumOverPlaces(tables.float32, dy, sums);
  } else {
    sumOverPlaces(tables.bfloat16, dy, sums);
  }
}

void convolutionWeightGradient(const Geometry& g, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weightGradient,
                               const c10::optional<at::Tensor>& biasGradient) {
  const auto& plan = weightGradientPlan(g, biasGradient.has_value());
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  const auto chosen = plan.pack.needed() ? onednn::bytes(plan.weight.get_size()) : weightGradient;
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, over(g.inputDesc(), x.data_ptr())},
                                       {DNNL_ARG_DIFF_DST, over(g.outputDesc(), dy.data_ptr())},
                                       {DNNL_ARG_DIFF_WEIGHTS, over(plan.weight, chosen.data_ptr())},
                                       {DNNL_ARG_SCRATCHPAD, over(plan.scratchpad, scratch.data_ptr())}};
  if (biasGradient.has_value()) args.emplace(DNNL_ARG_DIFF_BIAS, over(g.biasDesc(), biasGradient->data_ptr()));
  plan.run.execute(onednn::stream(), args);
  if (plan.pack.needed()) plan.pack.run(chosen.data_ptr(), weightGradient.data_ptr());
}

at::Tensor activations(const memory::dims& sizes, const at::Tensor& like) {
  return at::empty(sizes, like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

}  // namespace

at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                       at::IntArrayRef stride, at::IntArrayRef padding) {
  const auto x = dense(input), w = dense(weight);
  const Geometry g(x, w, stride, padding);
  const auto& plan = forwardPlan(g, bias.has_value());
  if (!plan.possible()) return convolutionPortable(input, weight, bias, stride, padding);
  auto y = activations(g.output, x);
  const auto given = packed(plan, w);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, over(g.inputDesc(), x.data_ptr())},
                                       {DNNL_ARG_WEIGHTS, over(plan.weight, given.data_ptr())},
                                       {DNNL_ARG_DST, over(g.outputDesc(), y.data_ptr())},
                                       {DNNL_ARG_SCRATCHPAD, over(plan.scratchpad, scratch.data_ptr())}};
  at::Tensor shift;
  if (bias.has_value()) {
    shift = bias->to(at::kFloat).contiguous();
    args.emplace(DNNL_ARG_BIAS, over(g.biasDesc(), shift.data_ptr()));
  }
  plan.run.execute(onednn::stream(), args);
  return y;
}

at::Tensor convolutionPrepared(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                               const c10::optional<at::Tensor>& sum, at::IntArrayRef stride, at::IntArrayRef padding, bool relu) {
  const bool fits = bias.has_value() && (!sum.has_value() || sum->is_contiguous(at::MemoryFormat::ChannelsLast));
  if (!fits) return convolutionPreparedPortable(input, weight, bias, sum, stride, padding, relu);
  const auto x = dense(input);
  const Geometry g(x, weight, stride, padding);
  const auto& plan = preparedPlan(g, sum.has_value(), relu);
  if (!plan.possible()) return convolutionPreparedPortable(input, weight, bias, sum, stride, padding, relu);
  auto y = sum.has_value() ? *sum : activations(g.output, x);
  TORCH_CHECK(y.sizes().vec() == g.output && y.scalar_type() == x.scalar_type(), "sum: expected ", g.output, ", received ", y.sizes());
  const auto& given = packedFor(plan, weight, *bias);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  plan.run.execute(onednn::stream(), {{DNNL_ARG_SRC, over(g.inputDesc(), x.data_ptr())},
                                      {DNNL_ARG_WEIGHTS, over(plan.weight, given.weight.data_ptr())},
                                      {DNNL_ARG_BIAS, over(g.biasDesc(), given.bias.data_ptr())},
                                      {DNNL_ARG_DST, over(g.outputDesc(), y.data_ptr())},
                                      {DNNL_ARG_SCRATCHPAD, over(plan.scratchpad, scratch.data_ptr())}});
  return y;
}

at::Tensor convolutionBackward(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight,
                               const at::Tensor& weightGradient, const c10::optional<at::Tensor>& biasGradient,
                               at::IntArrayRef stride, at::IntArrayRef padding, bool needsInputGradient) {
  const auto dy = dense(gradient), x = dense(input), w = dense(weight);
  const Geometry g(x, w, stride, padding);
  TORCH_CHECK(dy.sizes().vec() == g.output && dy.scalar_type() == x.scalar_type(), "gradient: expected ", g.output,
              ", received ", dy.sizes());
  TORCH_CHECK(weightGradient.sizes() == w.sizes() && weightGradient.scalar_type() == at::kFloat &&
                  weightGradient.is_contiguous(at::MemoryFormat::ChannelsLast),
              "weight_gradient: expected channels-last float32 ", w.sizes());
  const bool bias = biasGradient.has_value();
  const bool possible = isPointwise(g) ? pointwiseGradientPlan(g).possible() : weightGradientPlan(g, bias).possible();
  if (!possible || (needsInputGradient && !inputGradientPlan(g).possible())) {
    return convolutionBackwardPortable(gradient, input, weight, weightGradient, biasGradient, stride, padding, needsInputGradient);
  }
  if (bias) {
    TORCH_CHECK(biasGradient->is_contiguous() && biasGradient->scalar_type() == at::kFloat && biasGradient->numel() == w.size(0),
                "bias_gradient: expected ", w.size(0), " contiguous float32 values");
  }
  if (isPointwise(g)) {
    pointwiseWeightGradient(g, dy, x, weightGradient, biasGradient);
  } else {
    convolutionWeightGradient(g, dy, x, weightGradient, biasGradient);
  }
  if (!needsInputGradient) return at::empty({0}, x.options());
  const auto& plan = inputGradientPlan(g);
  auto dx = activations(g.input, x);
  const auto given = packed(plan, w);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  plan.run.execute(onednn::stream(), {{DNNL_ARG_DIFF_DST, over(g.outputDesc(), dy.data_ptr())},
                                      {DNNL_ARG_WEIGHTS, over(plan.weight, given.data_ptr())},
                                      {DNNL_ARG_DIFF_SRC, over(g.inputDesc(), dx.data_ptr())},
                                      {DNNL_ARG_SCRATCHPAD, over(plan.scratchpad, scratch.data_ptr())}});
  return dx;
}

#else

const auto convolution = convolutionPortable;
const auto convolutionBackward = convolutionBackwardPortable;
const auto convolutionPrepared = convolutionPreparedPortable;

#endif

bool linksOneDnn() {
#if defined(INCEPTION_ONEDNN)
  return true;
#else
  return false;
#endif
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  for (const std::string overload : {"", ".portable"}) {
    library.def(("convolution" + overload + "(Tensor input, Tensor weight, Tensor? bias, int[2] stride, int[2] padding) -> Tensor").c_str());
    library.def(("convolution_backward" + overload +
                "(Tensor gradient, Tensor input, Tensor weight, Tensor(a!) weight_gradient, Tensor(b!)? bias_gradient, "
                "int[2] stride, int[2] padding, bool needs_input_gradient) -> Tensor")
                    .c_str());
    library.def(("convolution_prepared" + overload +
                 "(Tensor input, Tensor weight, Tensor? bias, Tensor(a!)? sum, int[2] stride, int[2] padding, bool relu) -> Tensor")
                    .c_str());
  }
  library.def("weights_changed_(Tensor(a!) weights) -> ()");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("convolution", convolution);
  library.impl("convolution_backward", convolutionBackward);
  library.impl("convolution_prepared", convolutionPrepared);
  library.impl("convolution_prepared.portable", convolutionPreparedPortable);
  library.impl("weights_changed_", [](const at::Tensor&) { nextPreparedGeneration(); });
  library.impl("convolution.portable", convolutionPortable);
  library.impl("convolution_backward.portable", convolutionBackwardPortable);
}

}  // namespace inception
