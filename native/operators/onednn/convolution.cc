// Convolutions that call oneDNN directly. libtorch computes weight gradients in the activations' precision and in a layout
// that the program would have to convert; here they are written as float32 straight to where the optimiser reads them.
// The `portable` overloads do the same through libtorch: the fallback where the addon is built without oneDNN, or oneDNN has
// no such convolution for this processor.
#include <ATen/Parallel.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "convolution.h"

#if defined(INCEPTION_ONEDNN)
#include "convolution-plan.h"
#include "weight-gradient.h"
#endif

namespace inception {

at::Tensor convolutionPortable(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                               at::IntArrayRef stride, at::IntArrayRef padding) {
  const auto type = input.scalar_type();
  const auto shift = bias.has_value() ? c10::optional<at::Tensor>(bias->to(type)) : c10::nullopt;
  return at::convolution(input, weight.to(type), shift, stride, padding, {1, 1}, false, {0, 0}, 1);
}

// Gradients of the input, of the weight and of the bias; those that are not needed are empty.
using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// The tensor for a weight's gradient: `out`, or a new one.
at::Tensor weightGradientFor(const at::Tensor& weight, const c10::optional<at::Tensor>& out) {
  if (!out.has_value()) return at::empty(weight.sizes(), weight.options().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  TORCH_CHECK(out->sizes() == weight.sizes() && out->scalar_type() == at::kFloat && out->is_contiguous(at::MemoryFormat::ChannelsLast),
              "weight_out: expected channels-last float32 ", weight.sizes());
  return *out;
}

at::Tensor biasGradientFor(const at::Tensor& weight, const c10::optional<at::Tensor>& out) {
  if (!out.has_value()) return at::empty({weight.size(0)}, weight.options().dtype(at::kFloat));
  TORCH_CHECK(out->is_contiguous() && out->scalar_type() == at::kFloat && out->numel() == weight.size(0), "bias_out: expected ",
              weight.size(0), " contiguous float32 values");
  return *out;
}

Gradients convolutionBackwardPortable(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight,
                                      at::IntArrayRef stride, at::IntArrayRef padding, bool needsInput, bool bias,
                                      const c10::optional<at::Tensor>& weightOut, const c10::optional<at::Tensor>& biasOut) {
  const int64_t filters = weight.size(0);
  auto [inputGradient, weightGradient, biasGradient] =
      at::convolution_backward(gradient, input, weight.to(input.scalar_type()), bias ? at::OptionalIntArrayRef(filters) : c10::nullopt, stride, padding,
                               {1, 1}, false, {0, 0}, 1, {needsInput, true, bias});
  const auto dw = weightGradientFor(weight, weightOut);
  dw.copy_(weightGradient);
  const auto none = at::empty({0}, input.options());
  return {needsInput ? inputGradient : none, dw, bias ? biasGradientFor(weight, biasOut).copy_(biasGradient) : none};
}

#if defined(INCEPTION_ONEDNN)

namespace {

using dnnl::algorithm;
using dnnl::convolution_backward_data;
using dnnl::convolution_forward;
using dnnl::memory;
using onednn::describeForward;
using onednn::Geometry;
using onednn::wrap;
using onednn::packWeight;
using onednn::Plan;
using onednn::cachedPlan;
using onednn::Purpose;
using onednn::userScratchpad;

const Plan& forwardPlan(const Geometry& g, bool bias) {
  return cachedPlan(g.key(bias ? Purpose::forwardWithBias : Purpose::forward), [&] {
    const auto primitive = describeForward(g, bias);
    return Plan{convolution_forward(primitive), primitive.weights_desc(), primitive.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), primitive.weights_desc())};
  });
}

const Plan& inputGradientPlan(const Geometry& g) {
  return cachedPlan(g.key(Purpose::inputGradient), [&] {
    const convolution_backward_data::desc descriptor(algorithm::convolution_direct, g.inputDesc(), onednn::anyLayout(g.weight, g.type),
                                               g.outputDesc(), g.stride, g.padding, g.padding);
    const convolution_backward_data::primitive_desc primitive(descriptor, userScratchpad(), onednn::engine(), describeForward(g, false));
    return Plan{convolution_backward_data(primitive), primitive.weights_desc(), primitive.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), primitive.weights_desc())};
  });
}

}  // namespace

at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight, const c10::optional<at::Tensor>& bias,
                       at::IntArrayRef stride, at::IntArrayRef padding) {
  const auto x = contiguousChannelsLast(input), w = contiguousChannelsLast(weight);
  const Geometry g(x, w, stride, padding);
  const auto& plan = forwardPlan(g, bias.has_value());
  if (!plan.possible()) return convolutionPortable(input, weight, bias, stride, padding);
  auto y = emptyChannelsLast(g.output, x.options());
  const auto packedWeight = packWeight(plan, w);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, wrap(g.inputDesc(), x.data_ptr())},
                                       {DNNL_ARG_WEIGHTS, wrap(plan.weight, packedWeight.data_ptr())},
                                       {DNNL_ARG_DST, wrap(g.outputDesc(), y.data_ptr())},
                                       {DNNL_ARG_SCRATCHPAD, wrap(plan.scratchpad, scratch.data_ptr())}};
  at::Tensor shift;
  if (bias.has_value()) {
    shift = bias->to(at::kFloat).contiguous();
    args.emplace(DNNL_ARG_BIAS, wrap(g.biasDesc(), shift.data_ptr()));
  }
  plan.run.execute(onednn::stream(), args);
  return y;
}

Gradients convolutionBackward(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
                              at::IntArrayRef padding, bool needsInput, bool bias, const c10::optional<at::Tensor>& weightOut,
                              const c10::optional<at::Tensor>& biasOut) {
  const auto dy = contiguousChannelsLast(gradient), x = contiguousChannelsLast(input), w = contiguousChannelsLast(weight);
  const Geometry g(x, w, stride, padding);
  TORCH_CHECK(dy.sizes().vec() == g.output && dy.scalar_type() == x.scalar_type(), "gradient: expected ", g.output,
              ", received ", dy.sizes());
  const auto dw = weightGradientFor(w, weightOut), none = at::empty({0}, x.options());
  const auto db = bias ? c10::optional<at::Tensor>(biasGradientFor(w, biasOut)) : c10::nullopt;
  if ((needsInput && !inputGradientPlan(g).possible()) || !onednn::writeWeightGradient(g, dy, x, dw, db)) {
    return convolutionBackwardPortable(gradient, input, weight, stride, padding, needsInput, bias, dw, db);
  }
  if (!needsInput) return {none, dw, db.value_or(none)};
  const auto& plan = inputGradientPlan(g);
  auto dx = emptyChannelsLast(g.input, x.options());
  const auto packedWeight = packWeight(plan, w);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  plan.run.execute(onednn::stream(), {{DNNL_ARG_DIFF_DST, wrap(g.outputDesc(), dy.data_ptr())},
                                      {DNNL_ARG_WEIGHTS, wrap(plan.weight, packedWeight.data_ptr())},
                                      {DNNL_ARG_DIFF_SRC, wrap(g.inputDesc(), dx.data_ptr())},
                                      {DNNL_ARG_SCRATCHPAD, wrap(plan.scratchpad, scratch.data_ptr())}});
  return {dx, dw, db.value_or(none)};
}

#else

const auto convolution = convolutionPortable;
const auto convolutionBackward = convolutionBackwardPortable;

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
                "(Tensor gradient, Tensor input, Tensor weight, int[2] stride, int[2] padding, bool needs_input, bool bias, *, "
                "Tensor(a!)? weight_out=None, Tensor(b!)? bias_out=None) -> (Tensor, Tensor, Tensor)")
                    .c_str());
  }
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("convolution", convolution);
  library.impl("convolution_backward", convolutionBackward);
  library.impl("convolution.portable", convolutionPortable);
  library.impl("convolution_backward.portable", convolutionBackwardPortable);
}

}  // namespace inception
