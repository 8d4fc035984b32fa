// Convolutions of uint8 activations with int8 weights: the sums are int32, and bias, residual sum, ReLU and the rounding to the
// result's scale are applied while they are in registers.
//
// Processors without VNNI add the products of two neighbouring channels in 16 bits, and oneDNN's kernels for them saturate: 255 · (w0 + w1)
// must stay below 32,768. The scale of a filter is therefore such that no two neighbouring weights of one sign add up to more than 128, on
// every processor, so that all give the same numbers. (src/onnx/write/int8/quantise.ts writes the same weights.)
#include <ATen/ops/convolution.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "../../dtypes.h"
#include "../tensors.h"
#include "convolution.h"

#if defined(INCEPTION_ONEDNN)
#include "packed-weight.h"
#endif

namespace inception {

namespace {

// Weights [o, i, h, w] as int8, with one scale per filter, and the sum of each filter's bytes.
struct QuantisedWeight {
  at::Tensor values;
  std::vector<double> scales;
  std::vector<int64_t> sums;
};

// The largest sum of two neighbouring weights of one sign, in the order in which processors read them: channels innermost.
double largestPair(const float* filter, int64_t count) {
  double largest = 0, above = 0, below = 0;
  for (int64_t index = 0; index < count; index++) {
    const double positive = std::max(filter[index], 0.f), negative = std::max(-filter[index], 0.f);
    largest = std::max({largest, positive + above, negative + below});
    above = positive;
    below = negative;
  }
  return largest;
}

QuantisedWeight quantiseWeight(const at::Tensor& weight, const float* bias, double inputScale) {
  const int64_t filters = weight.size(0), length = weight.numel() / filters;
  QuantisedWeight result{at::empty(weight.sizes(), weight.options().dtype(at::kChar).memory_format(at::MemoryFormat::ChannelsLast)),
                         std::vector<double>(filters), std::vector<int64_t>(filters)};
  const float* source = weight.data_ptr<float>();
  int8_t* target = result.values.data_ptr<int8_t>();
  for (int64_t filter = 0; filter < filters; filter++, source += length, target += length) {
    // The bias of a filter with tiny weights must still fit into int32.
    const double least = std::abs(bias[filter]) / inputScale / (1 << 30);
    const float scale = static_cast<float>(std::max(largestPair(source, length) / 127, least));
    result.scales[filter] = scale == 0 ? 1 : scale;
    for (int64_t index = 0; index < length; index++) {
      target[index] = static_cast<int8_t>(std::floor(source[index] / result.scales[filter] + 0.5));
      result.sums[filter] += target[index];
    }
  }
  return result;
}

using Packed = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// Of the input's steps only, so that programs with other results share them: per filter a bias in units of its products, and the value of one.
template <typename Pack>
Packed packedBy(Pack pack, const at::Tensor& weight, const at::Tensor& bias, double inputScale, int64_t inputZero) {
  const auto w = contiguousChannelsLast(weight);
  TORCH_CHECK(w.scalar_type() == at::kFloat && bias.scalar_type() == at::kFloat && bias.is_contiguous() && bias.numel() == w.size(0),
              "expected a float32 weight and as many contiguous float32 biases as filters, received ", describe(weight), " and ", describe(bias));
  const float* values = bias.data_ptr<float>();
  const auto quantised = quantiseWeight(w, values, inputScale);
  const auto sums = at::empty({bias.numel()}, bias.options()), products = at::empty({bias.numel()}, bias.options());
  for (int64_t filter = 0; filter < bias.numel(); filter++) {
    const float product = static_cast<float>(quantised.scales[filter] * inputScale);
    products.data_ptr<float>()[filter] = product;
    sums.data_ptr<float>()[filter] =
        static_cast<float>(std::floor(values[filter] / static_cast<double>(product) + 0.5) - static_cast<double>(inputZero * quantised.sums[filter]));
  }
  return {pack(quantised.values), sums, products};
}

// The steps of the result: a scale and an offset in steps for so many filters each.
struct Output {
  at::ArrayRef<double> scales, offsets;
  at::IntArrayRef filters;
};

// Per filter: the factor from products to steps of the result, and the bias with the offset.
std::pair<at::Tensor, at::Tensor> finishFor(const at::Tensor& bias, const at::Tensor& products, const Output& output) {
  const int64_t count = bias.numel();
  TORCH_CHECK(output.scales.size() == output.filters.size() && output.offsets.size() == output.filters.size() && products.numel() == count,
              "output_scales, output_offsets and filters, and bias and products: expected the same number of values");
  const auto factors = at::empty({count}, bias.options()), shifted = at::empty({count}, bias.options());
  int64_t filter = 0;
  for (size_t part = 0; part < output.filters.size(); part++) {
    for (int64_t end = filter + output.filters[part]; filter < end && filter < count; filter++) {
      const double factor = products.data_ptr<float>()[filter] / output.scales[part];
      factors.data_ptr<float>()[filter] = static_cast<float>(factor);
      shifted.data_ptr<float>()[filter] = static_cast<float>(bias.data_ptr<float>()[filter] + output.offsets[part] / factor);
    }
  }
  TORCH_CHECK(filter == count, "filters: expected ", count, " in all, received ", output.filters);
  return {factors, shifted};
}

// How a result is rounded, and what is added to it before.
struct Finish {
  bool sum, relu, floats;
  double sumScale;
  int64_t zero;
};

// With plain int8 weights, by libtorch's float32 convolution, in which sums up to 2^24 are exact.
at::Tensor convolutionInt8Portable(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& scales,
                                   const c10::optional<at::Tensor>& sum, at::IntArrayRef stride, at::IntArrayRef padding,
                                   const Finish& finish) {
  TORCH_CHECK(weight.dim() == 4 && weight.scalar_type() == at::kChar, "packed: expected the result of pack_convolution_int8, received ",
              describe(weight));
  const auto perFilter = [&](const at::Tensor& values) { return values.view({1, values.numel(), 1, 1}); };
  auto y = at::convolution(input.to(at::kFloat), weight.to(at::kFloat), c10::nullopt, stride, padding, {1, 1}, false, {0, 0}, 1);
  y.add_(perFilter(bias)).mul_(perFilter(scales));
  if (finish.sum) y.add_(sum->to(at::kFloat), finish.sumScale);
  if (finish.floats) return contiguousChannelsLast(finish.relu ? y.relu_() : y);
  y.round_().clamp_(finish.relu ? finish.zero : 0, 255);
  return finish.sum ? sum->copy_(y) : contiguousChannelsLast(y.to(at::kByte));
}

}  // namespace

Packed packConvolutionInt8Portable(const at::Tensor& weight, const at::Tensor& bias, double inputScale, int64_t inputZero,
                                   at::IntArrayRef, at::IntArrayRef, at::IntArrayRef) {
  return packedBy([](const at::Tensor& values) { return values; }, weight, bias, inputScale, inputZero);
}

#if defined(INCEPTION_ONEDNN)

namespace {

using onednn::Geometry;
using onednn::Key;
using onednn::Plan;

// oneDNN compiles the factors into the kernel.
Key int8Key(const Geometry& g, const Finish& finish, const float* scales) {
  auto key = g.key(onednn::Purpose::int8);
  int64_t sumScale;
  std::memcpy(&sumScale, &finish.sumScale, sizeof sumScale);
  key.insert(key.end(), {finish.sum, finish.relu, finish.floats, sumScale, finish.zero});
  for (int64_t filter = 0; filter < g.weight[0]; filter++) {
    int32_t bits;
    std::memcpy(&bits, &scales[filter], sizeof bits);
    key.push_back(bits);
  }
  return key;
}

onednn::memory::desc int8Output(const Geometry& g, const Finish& finish) {
  return onednn::channelsLast(g.output, finish.floats ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::u8);
}

dnnl::convolution_forward::primitive_desc describeInt8(const Geometry& g, const Finish& finish, const float* scales) {
  auto attributes = onednn::userScratchpad();
  attributes.set_output_scales(1 << 1, std::vector<float>(scales, scales + g.weight[0]));
  dnnl::post_ops after;
  if (finish.sum) after.append_sum(static_cast<float>(finish.sumScale));
  if (finish.relu && finish.floats) after.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
  // Rounding to bytes cuts off below 0 already.
  if (finish.relu && !finish.floats && finish.zero > 0)
    after.append_eltwise(1.f, dnnl::algorithm::eltwise_clip, static_cast<float>(finish.zero), 255.f);
  attributes.set_post_ops(after);
  const dnnl::convolution_forward::desc descriptor(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, g.inputDesc(),
                                                   onednn::anyLayout(g.weight, dnnl::memory::data_type::s8), g.biasDesc(),
                                                   int8Output(g, finish), g.stride, g.padding, g.padding);
  return {descriptor, attributes, onednn::engine()};
}

const Plan& int8Plan(const Geometry& g, const Finish& finish, const float* scales) {
  return onednn::cachedPlan(int8Key(g, finish, scales), [&] {
    const auto primitive = describeInt8(g, finish, scales);
    return Plan{dnnl::convolution_forward(primitive), primitive.weights_desc(), primitive.scratchpad_desc(),
                onednn::Reorder(g.plainWeight(), primitive.weights_desc())};
  });
}

Geometry int8Geometry(at::IntArrayRef input, at::IntArrayRef weight, at::IntArrayRef stride, at::IntArrayRef padding) {
  return {input, dnnl::memory::data_type::u8, weight, dnnl::memory::data_type::s8, stride, padding};
}

}  // namespace

Packed packConvolutionInt8(const at::Tensor& weight, const at::Tensor& bias, double inputScale, int64_t inputZero,
                           at::IntArrayRef input, at::IntArrayRef stride, at::IntArrayRef padding) {
  // The layout does not depend on the factors, nor on what follows.
  const std::vector<float> ones(weight.size(0), 1.f);
  const auto& plan = int8Plan(int8Geometry(input, weight.sizes(), stride, padding), {}, ones.data());
  const auto pack = [&](const at::Tensor& values) {
    return plan.possible() && plan.pack.needed() ? onednn::packWithLayout(plan, values) : values;
  };
  return packedBy(pack, weight, bias, inputScale, inputZero);
}

#else

const auto packConvolutionInt8 = packConvolutionInt8Portable;

#endif

// `zero`: the byte of the value 0 in the result, below which a ReLU cuts off.
at::Tensor convolutionInt8(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& sums, const at::Tensor& products,
                           const c10::optional<at::Tensor>& sum, double sumScale, at::ArrayRef<double> outputScales,
                           at::ArrayRef<double> outputOffsets, at::IntArrayRef filters, at::IntArrayRef stride, at::IntArrayRef padding, bool relu,
                           int64_t zero, bool floats) {
  TORCH_CHECK(input.dim() == 4 && input.scalar_type() == at::kByte, "input: expected uint8 [n, c, h, w], received ", describe(input));
  for (const auto* values : {&sums, &products}) {
    TORCH_CHECK(values->scalar_type() == at::kFloat && values->is_contiguous(), "bias and products: expected contiguous float32 values, received ",
                describe(*values));
  }
  TORCH_CHECK(!(floats && sum.has_value()), "sum: is overwritten by bytes; expected none with a float32 result");
  const Finish finish{sum.has_value(), relu, floats, sumScale, zero};
  const auto x = contiguousChannelsLast(input);
  const auto [scales, bias] = finishFor(sums, products, {outputScales, outputOffsets, filters});
#if defined(INCEPTION_ONEDNN)
  if (packed.dim() != 4) {
    const auto layout = onednn::layoutOf(packed, "pack_convolution_int8");
    const auto g = int8Geometry(x.sizes(), layout.dims(), stride, padding);
    TORCH_CHECK(bias.numel() == g.output[1], "bias: expected ", g.output[1], " values, received ", bias.numel());
    const auto& plan = int8Plan(g, finish, scales.data_ptr<float>());
    TORCH_CHECK(plan.possible(), "oneDNN packed these weights, but has no such convolution: input ", describe(input));
    auto y = finish.sum ? *sum : emptyChannelsLast(g.output, x.options().dtype(floats ? at::kFloat : at::kByte));
    TORCH_CHECK(y.sizes().vec() == g.output && (floats || y.scalar_type() == at::kByte) && y.is_contiguous(at::MemoryFormat::ChannelsLast),
                "sum: expected channels-last uint8 ", g.output, ", received ", describe(y));
    const auto weight = onednn::repacked(packed, layout, plan.weight);
    const auto scratch = onednn::bytes(plan.scratchpad.get_size());
    plan.run.execute(onednn::stream(), {{DNNL_ARG_SRC, onednn::wrap(g.inputDesc(), x.data_ptr())},
                                        {DNNL_ARG_WEIGHTS, onednn::wrap(plan.weight, weight.data_ptr())},
                                        {DNNL_ARG_BIAS, onednn::wrap(g.biasDesc(), bias.data_ptr())},
                                        {DNNL_ARG_DST, onednn::wrap(int8Output(g, finish), y.data_ptr())},
                                        {DNNL_ARG_SCRATCHPAD, onednn::wrap(plan.scratchpad, scratch.data_ptr())}});
    return y;
  }
#endif
  return convolutionInt8Portable(x, packed, bias, scales, sum, stride, padding, finish);
}

// `pack_convolution_int8` gives the weights, and for each filter a bias in units of its products and the value of one of these. `input` is the
// shape of the convolution's input. `output_scales` and `output_offsets` (added to the result, in its steps) hold for so many `filters` each.
TORCH_LIBRARY_FRAGMENT(inception, library) {
  for (const std::string overload : {"", ".portable"}) {
    library.def(("pack_convolution_int8" + overload +
                 "(Tensor weight, Tensor bias, float input_scale, int input_zero, int[4] input, int[2] stride, int[2] padding) -> "
                 "(Tensor, Tensor, Tensor)")
                    .c_str());
  }
  library.def(
      "convolution_int8(Tensor input, Tensor packed, Tensor bias, Tensor products, Tensor(a!)? sum, float sum_scale, float[] output_scales, "
      "float[] output_offsets, int[] filters, int[2] stride, int[2] padding, bool relu, int zero, bool floats) -> Tensor");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("pack_convolution_int8", packConvolutionInt8);
  library.impl("pack_convolution_int8.portable", packConvolutionInt8Portable);
  library.impl("convolution_int8", convolutionInt8);
}

}  // namespace inception
