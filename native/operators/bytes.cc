// Operators on values in 8 bits, uint8 with value = (byte − zero) · scale, beside the convolutions: pooling, concatenation, residual sums and
// the way from and to float32.
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "../dtypes.h"
#include "kernels.h"
#include "pooling-window.h"
#include "tensors.h"

namespace inception {

namespace {

void expectType(const at::Tensor& x, at::ScalarType type) {
  TORCH_CHECK(x.dim() == 4 && x.numel() > 0 && x.scalar_type() == type, "expected ", dtypeName(type), " [n, c, h, w], received ", describe(x));
}

// Calls `run(first element, count)` for contiguous memory, in parallel.
template <typename Run>
void inParts(int64_t count, Run run) {
  at::parallel_for(0, count, parallelGrain, [&](int64_t begin, int64_t end) { run(begin, end - begin); });
}

// For every position of the result: its row, and the rows that its window covers.
template <typename Run>
void forEachWindow(const at::Tensor& x, const at::Tensor& y, const Window& geometry, Run run) {
  const Plane in(x), out(y);
  const int64_t stride = rowStride(x);
  const auto* source = x.data_ptr<uint8_t>();
  const auto inputs = inputRanges(in, geometry);
  const int64_t lines = out.count * out.height;
  at::parallel_for(0, lines, std::max<int64_t>(1, 8192 / (out.width * out.channels)), [&](int64_t begin, int64_t end) {
    const uint8_t* rows[maxWindow];
    for (int64_t line = begin; line < end; line++) {
      const int64_t image = line / out.height;
      const Range vertical = inputs.rows[line % out.height];
      for (int64_t column = 0; column < out.width; column++) {
        const Range horizontal = inputs.columns[column];
        int64_t count = 0;
        for (int64_t sourceY = vertical.begin; sourceY < vertical.end; sourceY++) {
          const int64_t first = (image * in.height + sourceY) * in.width;
          for (int64_t sourceX = horizontal.begin; sourceX < horizontal.end; sourceX++) rows[count++] = source + (first + sourceX) * stride;
        }
        run(rows, count, (line * out.width + column) * out.channels);
      }
    }
  });
}

}  // namespace

at::Tensor quantiseBytes(const at::Tensor& input, double scale, int64_t zero) {
  expectType(input, at::kFloat);
  const auto x = contiguousChannelsLast(input);
  const auto y = emptyChannelsLast(x.sizes(), x.options().dtype(at::kByte));
  inParts(x.numel(), [&](int64_t begin, int64_t count) {
    kernels::chooseKernels().bytes.quantise(x.data_ptr<float>() + begin, y.data_ptr<uint8_t>() + begin, count, static_cast<float>(scale),
                                            static_cast<int32_t>(zero));
  });
  return y;
}

at::Tensor dequantiseBytes(const at::Tensor& input, double scale, int64_t zero) {
  expectType(input, at::kByte);
  const auto x = contiguousChannelsLast(input);
  const auto y = emptyChannelsLast(x.sizes(), x.options().dtype(at::kFloat));
  inParts(x.numel(), [&](int64_t begin, int64_t count) {
    kernels::chooseKernels().bytes.dequantise(x.data_ptr<uint8_t>() + begin, y.data_ptr<float>() + begin, count, static_cast<float>(scale),
                                              static_cast<int32_t>(zero));
  });
  return y;
}

at::Tensor combineBytes(const at::Tensor& input, const c10::optional<at::Tensor>& second, double factor, double secondFactor, double offset,
                        int64_t low) {
  expectType(input, at::kByte);
  const auto x = contiguousChannelsLast(input);
  const auto added = second.has_value() ? contiguousChannelsLast(*second) : at::Tensor();
  TORCH_CHECK(!added.defined() || (added.sizes() == x.sizes() && added.scalar_type() == at::kByte), "second: expected uint8 ", x.sizes(),
              ", received ", describe(added));
  const auto y = emptyChannelsLast(x.sizes(), x.options());
  inParts(x.numel(), [&](int64_t begin, int64_t count) {
    kernels::chooseKernels().bytes.combine(x.data_ptr<uint8_t>() + begin, added.defined() ? added.data_ptr<uint8_t>() + begin : nullptr,
                                           y.data_ptr<uint8_t>() + begin, count, static_cast<float>(factor),
                                           static_cast<float>(secondFactor), static_cast<float>(offset), static_cast<float>(low));
  });
  return y;
}

at::Tensor maxPoolBytes(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding) {
  expectType(input, at::kByte);
  const Window geometry(window, stride, padding, false);
  const auto x = inRows(input);
  const auto y = emptyChannelsLast(outputSizes(x, geometry), x.options());
  auto* target = y.data_ptr<uint8_t>();
  forEachWindow(x, y, geometry, [&](const uint8_t* const* rows, int64_t count, int64_t offset) {
    kernels::chooseKernels().bytes.maximum(rows, count, x.size(1), target + offset);
  });
  return y;
}

at::Tensor averagePoolBytes(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding,
                            double factor, int64_t inputZero, int64_t outputZero, bool relu) {
  expectType(input, at::kByte);
  const Window geometry(window, stride, padding, countPadding);
  const auto x = inRows(input);
  const auto y = emptyChannelsLast(outputSizes(x, geometry), x.options());
  auto* target = y.data_ptr<uint8_t>();
  const float low = relu ? static_cast<float>(outputZero) : 0.f;
  forEachWindow(x, y, geometry, [&](const uint8_t* const* rows, int64_t count, int64_t offset) {
    const double each = factor / static_cast<double>(countPadding ? geometry.height * geometry.width : count);
    kernels::chooseKernels().bytes.average(rows, count, x.size(1), target + offset, static_cast<float>(each),
                                           static_cast<float>(outputZero - each * static_cast<double>(count * inputZero)), low);
  });
  return y;
}

at::Tensor concatBytes(at::TensorList inputs) {
  TORCH_CHECK(!inputs.empty(), "expected at least one tensor");
  auto sizes = inputs[0].sizes().vec();
  sizes[1] = 0;
  std::vector<at::Tensor> parts;
  for (const at::Tensor& input : inputs) {
    expectType(input, at::kByte);
    TORCH_CHECK(input.size(0) == sizes[0] && input.size(2) == sizes[2] && input.size(3) == sizes[3], "expected equal batches and grids, received ",
                inputs[0].sizes(), " and ", input.sizes());
    parts.push_back(inRows(input));
    sizes[1] += input.size(1);
  }
  const auto y = emptyChannelsLast(sizes, inputs[0].options());
  auto* target = y.data_ptr<uint8_t>();
  const int64_t channels = sizes[1];
  at::parallel_for(0, rowsOf(y), std::max<int64_t>(1, parallelGrain / channels), [&](int64_t begin, int64_t end) {
    int64_t from = 0;
    for (const auto& part : parts) {
      const int64_t width = part.size(1), stride = rowStride(part);
      const auto* source = part.data_ptr<uint8_t>();
      for (int64_t row = begin; row < end; row++) std::memcpy(target + row * channels + from, source + row * stride, static_cast<size_t>(width));
      from += width;
    }
  });
  return y;
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def("quantise_bytes(Tensor input, float scale, int zero) -> Tensor");
  library.def("dequantise_bytes(Tensor input, float scale, int zero) -> Tensor");
  // input · factor + second · second_factor + offset, in steps of the result, and at least `low`
  library.def("combine_bytes(Tensor input, Tensor? second, float factor, float second_factor, float offset, int low) -> Tensor");
  library.def("max_pool_bytes(Tensor input, int[2] window, int stride, int[2] padding) -> Tensor");
  // `factor`: the input's scale over the result's
  library.def(
      "avg_pool_bytes(Tensor input, int[2] window, int stride, int[2] padding, bool count_padding, float factor, int input_zero, "
      "int output_zero, bool relu) -> Tensor");
  library.def("concat_bytes(Tensor[] inputs) -> Tensor");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("quantise_bytes", quantiseBytes);
  library.impl("dequantise_bytes", dequantiseBytes);
  library.impl("combine_bytes", combineBytes);
  library.impl("max_pool_bytes", maxPoolBytes);
  library.impl("avg_pool_bytes", averagePoolBytes);
  library.impl("concat_bytes", concatBytes);
}

}  // namespace inception
