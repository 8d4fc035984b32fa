// Convolutions for inference: weights are packed once by the prepare program; bias, residual sum and ReLU are applied while
// results are in registers. The `portable` overloads do the same through libtorch, with plain weights.
#include <ATen/ops/relu.h>
#include <torch/library.h>

#include "../../dtypes.h"
#include "convolution.h"

#if defined(INCEPTION_ONEDNN)
#include "packed-weight.h"
#endif

namespace inception {

// Always a copy: a stored result must not alias the parameter.
at::Tensor packConvolutionPortable(const at::Tensor& weight, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, bool, bool) {
  return weight.clone(at::MemoryFormat::ChannelsLast);
}

at::Tensor convolutionPackedPortable(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& bias,
                                     const c10::optional<at::Tensor>& sum, at::IntArrayRef stride, at::IntArrayRef padding,
                                     bool relu) {
  TORCH_CHECK(packed.dim() == 4, "packed: expected the result of pack_convolution.portable, received ", describe(packed));
  auto y = convolutionPortable(input, packed, bias, stride, padding);
  if (sum.has_value()) y = sum->add_(y);
  return relu ? y.relu_() : y;
}

#if defined(INCEPTION_ONEDNN)

namespace {

using dnnl::convolution_forward;
using dnnl::memory;
using onednn::Geometry;
using onednn::wrap;
using onednn::Plan;
using onednn::Purpose;

Purpose purposeOf(bool sum, bool relu) {
  if (sum) return relu ? Purpose::inferenceWithSumAndRelu : Purpose::inferenceWithSum;
  return relu ? Purpose::inferenceWithRelu : Purpose::inference;
}

const Plan& inferencePlan(const Geometry& g, bool sum, bool relu) {
  return onednn::cachedPlan(g.key(purposeOf(sum, relu)), [&] {
    auto attributes = onednn::userScratchpad();
    dnnl::post_ops after;
    if (sum) after.append_sum();
    if (relu) after.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
    attributes.set_post_ops(after);
    const auto primitive = onednn::describeForward(g, true, attributes);
    return Plan{convolution_forward(primitive), primitive.weights_desc(), primitive.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), primitive.weights_desc())};
  });
}

memory::desc layoutOf(const at::Tensor& packed) {
  if (packed.dim() == 4) return onednn::channelsLast(packed.sizes().vec(), onednn::typeOf(packed));
  return onednn::layoutOf(packed, "pack_convolution");
}

at::Tensor unpack(const at::Tensor& packed, const memory::desc& layout, const at::Tensor& input) {
  if (packed.dim() == 4) return packed;
  auto weight = emptyChannelsLast(layout.dims(), input.options());
  onednn::Reorder(layout, onednn::channelsLast(layout.dims(), onednn::typeOf(input))).run(packed.data_ptr(), weight.data_ptr());
  return weight;
}

}  // namespace

at::Tensor packConvolution(const at::Tensor& weight, at::IntArrayRef input, at::IntArrayRef stride, at::IntArrayRef padding, bool sum,
                           bool relu) {
  const auto type = onednn::typeOf(weight);
  const auto& plan = inferencePlan(Geometry(input, type, weight.sizes(), type, stride, padding), sum, relu);
  if (plan.possible() && plan.pack.needed()) return onednn::packWithLayout(plan, contiguousChannelsLast(weight));
  return packConvolutionPortable(weight, input, stride, padding, sum, relu);
}

at::Tensor convolutionPacked(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& bias,
                             const c10::optional<at::Tensor>& sum, at::IntArrayRef stride, at::IntArrayRef padding, bool relu) {
  const auto x = contiguousChannelsLast(input);
  const auto layout = layoutOf(packed);
  const Geometry g(x.sizes(), onednn::typeOf(x), layout.dims(), layout.data_type(), stride, padding);
  TORCH_CHECK(bias.scalar_type() == at::kFloat && bias.is_contiguous() && bias.numel() == g.output[1], "bias: expected ", g.output[1],
              " contiguous float32 values, received ", bias.scalar_type(), " ", bias.sizes());
  const auto& plan = inferencePlan(g, sum.has_value(), relu);
  if (!plan.possible()) return convolutionPackedPortable(x, unpack(packed, layout, x), bias, sum, stride, padding, relu);
  auto y = sum.has_value() ? *sum : emptyChannelsLast(g.output, x.options());
  TORCH_CHECK(y.sizes().vec() == g.output && y.scalar_type() == x.scalar_type() && y.is_contiguous(at::MemoryFormat::ChannelsLast),
              "sum: expected channels-last ", x.scalar_type(), " ", g.output, ", received ", y.scalar_type(), " ", y.sizes());
  const auto weight = onednn::repacked(packed, layout, plan.weight);
  const auto scratch = onednn::bytes(plan.scratchpad.get_size());
  plan.run.execute(onednn::stream(), {{DNNL_ARG_SRC, wrap(g.inputDesc(), x.data_ptr())},
                                      {DNNL_ARG_WEIGHTS, wrap(plan.weight, weight.data_ptr())},
                                      {DNNL_ARG_BIAS, wrap(g.biasDesc(), bias.data_ptr())},
                                      {DNNL_ARG_DST, wrap(g.outputDesc(), y.data_ptr())},
                                      {DNNL_ARG_SCRATCHPAD, wrap(plan.scratchpad, scratch.data_ptr())}});
  return y;
}

#else

const auto packConvolution = packConvolutionPortable;
const auto convolutionPacked = convolutionPackedPortable;

#endif

// `input` is the shape of the convolution's input: the best layout may depend on it.
TORCH_LIBRARY_FRAGMENT(inception, library) {
  for (const std::string overload : {"", ".portable"}) {
    library.def(("pack_convolution" + overload + "(Tensor weight, int[4] input, int[2] stride, int[2] padding, bool sum, bool relu) -> Tensor")
                    .c_str());
    library.def(("convolution_packed" + overload +
                 "(Tensor input, Tensor packed, Tensor bias, Tensor(a!)? sum, int[2] stride, int[2] padding, bool relu) -> Tensor")
                    .c_str());
  }
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("pack_convolution", packConvolution);
  library.impl("pack_convolution.portable", packConvolutionPortable);
  library.impl("convolution_packed", convolutionPacked);
  library.impl("convolution_packed.portable", convolutionPackedPortable);
}

}  // namespace inception
