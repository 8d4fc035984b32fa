#include <ATen/core/Tensor.h>

#if defined(INCEPTION_ONEDNN)

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstring>

#include "../kernels.h"
#include "../row-sums.h"
#include "../tensors.h"
#include "weight-gradient.h"

namespace inception::onednn {

namespace {

using dnnl::convolution_backward_weights;

const Plan& convolutionPlan(const Geometry& g, bool bias) {
  return cachedPlan(g.key(bias ? Purpose::weightAndBiasGradient : Purpose::weightGradient), [&] {
    const auto weight = anyLayout(g.weight, memory::data_type::f32);
    const auto direct = algorithm::convolution_direct;
    const auto descriptor = bias ? convolution_backward_weights::desc(direct, g.inputDesc(), weight, g.biasDesc(), g.outputDesc(),
                                                                g.stride, g.padding, g.padding)
                           : convolution_backward_weights::desc(direct, g.inputDesc(), weight, g.outputDesc(), g.stride, g.padding,
                                                                g.padding);
    const convolution_backward_weights::primitive_desc primitive(descriptor, userScratchpad(), engine(), describeForward(g, bias));
    return Plan{convolution_backward_weights(primitive), primitive.diff_weights_desc(), primitive.scratchpad_desc(),
                Reorder(primitive.diff_weights_desc(), channelsLast(g.weight, memory::data_type::f32))};
  });
}

void writeByConvolution(const Plan& plan, const Geometry& g, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weightGradient,
                   const c10::optional<at::Tensor>& biasGradient) {
  const auto scratch = bytes(plan.scratchpad.get_size());
  const auto chosen = plan.pack.needed() ? bytes(plan.weight.get_size()) : weightGradient;
  std::unordered_map<int, memory> args{{DNNL_ARG_SRC, wrap(g.inputDesc(), x.data_ptr())},
                                       {DNNL_ARG_DIFF_DST, wrap(g.outputDesc(), dy.data_ptr())},
                                       {DNNL_ARG_DIFF_WEIGHTS, wrap(plan.weight, chosen.data_ptr())},
                                       {DNNL_ARG_SCRATCHPAD, wrap(plan.scratchpad, scratch.data_ptr())}};
  if (biasGradient.has_value()) args.emplace(DNNL_ARG_DIFF_BIAS, wrap(g.biasDesc(), biasGradient->data_ptr()));
  plan.run.execute(stream(), args);
  if (plan.pack.needed()) plan.pack.run(chosen.data_ptr(), weightGradient.data_ptr());
}

// dW[o, i] = Σ dy[position, o] · x[position, i] over `positions` rows, into a matrix with a row stride of `step`.
struct Product {
  memory::data_type type;
  int64_t filters, channels, positions, step;

  memory::desc dy() const { return {{filters, positions}, type, memory::dims{1, filters}}; }
  memory::desc x() const { return {{positions, channels}, type, memory::dims{channels, 1}}; }
  memory::desc dw() const { return {{filters, channels}, memory::data_type::f32, memory::dims{step, 1}}; }

  const Plan& plan() const {
    const Key key{static_cast<int64_t>(Purpose::product), static_cast<int64_t>(type), at::get_num_threads(), filters, channels, positions, step};
    return cachedPlan(key, [&] {
      const dnnl::matmul::primitive_desc primitive(dnnl::matmul::desc(dy(), x(), dw()), userScratchpad(), engine());
      return Plan{dnnl::matmul(primitive), primitive.dst_desc(), primitive.scratchpad_desc(), Reorder()};
    });
  }

  void run(const void* gradient, const void* input, float* weightGradient) const {
    const auto& product = plan();
    const auto scratch = bytes(product.scratchpad.get_size());
    product.run.execute(stream(), {{DNNL_ARG_SRC, wrap(dy(), gradient)},
                              {DNNL_ARG_WEIGHTS, wrap(x(), input)},
                              {DNNL_ARG_DST, wrap(dw(), weightGradient)},
                              {DNNL_ARG_SCRATCHPAD, wrap(product.scratchpad, scratch.data_ptr())}});
  }
};

bool isPointwise(const Geometry& g) {
  return g.weight[2] * g.weight[3] == 1 && g.stride[0] * g.stride[1] == 1 && g.padding[0] + g.padding[1] == 0;
}

// A window of one row or one column that keeps the grid's size. With at least 128 channels and filters, matrix products are
// faster than the convolution: by a fifth for 1x7 on 17x17, by half for 1x3 on 8x8.
bool isAlongOneAxis(const Geometry& g) {
  const int64_t longAxis = g.weight[2] > 1 ? 0 : 1, shortAxis = 1 - longAxis;
  const bool line = g.weight[2 + shortAxis] == 1 && g.weight[2 + longAxis] > 1 && g.stride[0] * g.stride[1] == 1;
  const bool same = g.padding[shortAxis] == 0 && 2 * g.padding[longAxis] == g.weight[2 + longAxis] - 1;
  return line && same && std::min(g.weight[0], g.weight[1]) >= 128;
}

// The rows of a channels-last tensor with one axis of the grid outermost: each tap of the window then reads one contiguous
// range of rows, over all images.
at::Tensor withAxisFirst(const at::Tensor& tensor, bool vertical) {
  const auto result = at::empty_like(tensor);
  const int64_t images = tensor.size(0), height = tensor.size(2), width = tensor.size(3);
  const int64_t row = tensor.size(1) * tensor.element_size();
  const char* source = static_cast<const char*>(tensor.data_ptr());
  char* target = static_cast<char*>(result.data_ptr());
  at::parallel_for(0, vertical ? height : width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; index++) {
      for (int64_t image = 0; image < images; image++) {
        if (vertical) {
          std::memcpy(target + (index * images + image) * width * row, source + (image * height + index) * width * row, width * row);
          continue;
        }
        for (int64_t y = 0; y < height; y++) {
          std::memcpy(target + ((index * images + image) * height + y) * row, source + ((image * height + y) * width + index) * row, row);
        }
      }
    }
  });
  return result;
}

// One matrix product per tap of the window, between the gradient and the input shifted by that many rows or columns.
void writeByTaps(const Geometry& g, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weightGradient) {
  const bool vertical = g.weight[2] > 1;
  const int64_t taps = g.weight[2] * g.weight[3], length = vertical ? x.size(2) : x.size(3);
  const int64_t filters = g.weight[0], channels = g.weight[1], positions = rowsOf(x) / length;
  const auto gradient = withAxisFirst(dy, vertical), input = withAxisFirst(x, vertical);
  const char* gradientData = static_cast<const char*>(gradient.data_ptr());
  const char* inputData = static_cast<const char*>(input.data_ptr());
  float* target = weightGradient.data_ptr<float>();
  for (int64_t tap = 0; tap < taps; tap++) {
    const int64_t shift = tap - (taps - 1) / 2, overlap = length - std::abs(shift);
    if (overlap <= 0) {
      for (int64_t filter = 0; filter < filters; filter++) std::fill_n(target + (filter * taps + tap) * channels, channels, 0.f);
      continue;
    }
    const Product product{g.type, filters, channels, overlap * positions, taps * channels};
    product.run(gradientData + std::max<int64_t>(0, -shift) * positions * filters * x.element_size(),
                inputData + std::max<int64_t>(0, shift) * positions * channels * x.element_size(), target + tap * channels);
  }
}

template <typename T>
void sumOverPositions(const kernels::Table<T>& run, const at::Tensor& dy, float* sums) {
  const int64_t channels = dy.size(1), repeats = maxRepeats(channels);
  const T* source = static_cast<const T*>(dy.data_ptr());
  const std::vector<float> none(channels * repeats, 0.f);
  const auto totals = sumRows(rowsOf(dy), channels, repeats, [&](int64_t row, Rows wide, float* sum, float* square) {
    run.moments({source + row * channels, wide.channels}, wide, none.data(), sum, square);
  });
  for (int64_t c = 0; c < channels; c++) sums[c] = static_cast<float>(totals.first[c]);
}

void writeBiasGradient(const at::Tensor& dy, float* sums) {
  withKernelsFor(dy, [&](const auto& run) { sumOverPositions(run, dy, sums); });
}

}  // namespace

bool writeWeightGradient(const Geometry& g, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weightGradient,
                         const c10::optional<at::Tensor>& biasGradient) {
  const bool pointwise = isPointwise(g);
  // If the processor supports matrix products of this type at all, it supports those of every tap.
  const Product whole{g.type, g.weight[0], g.weight[1], rowsOf(x), g.weight[1]};
  if (!(pointwise || isAlongOneAxis(g)) || !whole.plan().possible()) {
    const auto& plan = convolutionPlan(g, biasGradient.has_value());
    if (plan.possible()) writeByConvolution(plan, g, dy, x, weightGradient, biasGradient);
    return plan.possible();
  }
  if (pointwise) {
    whole.run(dy.data_ptr(), x.data_ptr(), weightGradient.data_ptr<float>());
  } else {
    writeByTaps(g, dy, x, weightGradient);
  }
  if (biasGradient.has_value()) writeBiasGradient(dy, biasGradient->data_ptr<float>());
  return true;
}

}  // namespace inception::onednn

#endif
