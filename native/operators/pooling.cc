// Max and average pooling of channels-last tensors, forward and backward, for the CPU. libtorch 1.13 computes the gradient of
// average pooling in scalar code, and stores eight bytes per maximum where its position in the window needs one.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "kernels.h"
#include "tensors.h"

namespace inception {

namespace {

constexpr int64_t maxWindow = 256;

struct Window {
  int64_t height, width, stride, padY, padX;
  bool countPadding;

  Window(at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding)
      : height(window[0]), width(window[1]), stride(stride), padY(padding[0]), padX(padding[1]), countPadding(countPadding) {
    TORCH_CHECK(height * width <= maxWindow, "window: expected at most ", maxWindow, " positions, received ", window);
  }
};

// From `begin` (inclusive) to `end` (exclusive).
struct Range {
  int64_t begin, end;
};

int64_t outputSize(int64_t size, int64_t window, int64_t pad, int64_t stride) { return (size + 2 * pad - window) / stride + 1; }

// For every output along one axis, the inputs that it reads.
std::vector<Range> inputRanges(int64_t size, int64_t window, int64_t pad, int64_t stride) {
  std::vector<Range> ranges;
  for (int64_t output = 0; output < outputSize(size, window, pad, stride); output++) {
    const int64_t start = output * stride - pad;
    ranges.push_back({std::max<int64_t>(0, start), std::min(size, start + window)});
  }
  return ranges;
}

// For every input along one axis, the outputs that read it.
std::vector<Range> outputRanges(int64_t size, int64_t window, int64_t pad, int64_t stride) {
  std::vector<Range> ranges;
  const int64_t outputs = outputSize(size, window, pad, stride);
  for (int64_t input = 0; input < size; input++) {
    const int64_t first = input + pad - window + 1;
    ranges.push_back({first <= 0 ? 0 : (first + stride - 1) / stride, std::min(outputs, (input + pad) / stride + 1)});
  }
  return ranges;
}

struct Plane {
  int64_t count, channels, height, width;
  explicit Plane(const at::Tensor& tensor)
      : count(tensor.size(0)), channels(tensor.size(1)), height(tensor.size(2)), width(tensor.size(3)) {}
};

std::vector<int64_t> outputSizes(const at::Tensor& x, const Window& geometry) {
  return {x.size(0), x.size(1), outputSize(x.size(2), geometry.height, geometry.padY, geometry.stride),
          outputSize(x.size(3), geometry.width, geometry.padX, geometry.stride)};
}

// The rows of channels that one row is computed from, with their factors and positions.
template <typename T>
struct Sources {
  const T* rows[maxWindow];
  float factors[maxWindow];
  uint8_t positions[maxWindow];
  const uint8_t* argmax[maxWindow];
  int64_t count;
};

// The rows and columns that each position of a plane is computed from.
struct Ranges {
  std::vector<Range> rows, columns;
};

Ranges inputRanges(const Plane& in, const Window& geometry) {
  return {inputRanges(in.height, geometry.height, geometry.padY, geometry.stride), inputRanges(in.width, geometry.width, geometry.padX, geometry.stride)};
}

Ranges outputRanges(const Plane& in, const Window& geometry) {
  return {outputRanges(in.height, geometry.height, geometry.padY, geometry.stride), outputRanges(in.width, geometry.width, geometry.padX, geometry.stride)};
}

// For every position of a plane: calls `add(y, x, source y, source x, source row, sources)` for each position of the source
// plane that it is computed from, then `run(row, sources)`.
template <typename T, typename Add, typename Run>
void forEachPosition(const Plane& plane, const Plane& sourcePlane, const Ranges& ranges, Add add, Run run) {
  const int64_t lines = plane.count * plane.height;
  at::parallel_for(0, lines, std::max<int64_t>(1, 8192 / (plane.width * plane.channels)), [&](int64_t begin, int64_t end) {
    Sources<T> sources;
    for (int64_t line = begin; line < end; line++) {
      const int64_t image = line / plane.height, y = line % plane.height;
      const Range rows = ranges.rows[y];
      for (int64_t x = 0; x < plane.width; x++) {
        const Range columns = ranges.columns[x];
        sources.count = 0;
        for (int64_t sourceY = rows.begin; sourceY < rows.end; sourceY++) {
          const int64_t first = (image * sourcePlane.height + sourceY) * sourcePlane.width;
          for (int64_t sourceX = columns.begin; sourceX < columns.end; sourceX++) {
            add(y, x, sourceY, sourceX, first + sourceX, sources);
            sources.count++;
          }
        }
        run(line * plane.width + x, sources);
      }
    }
  });
}

int64_t length(Range range) { return range.end - range.begin; }

// The weight of each input in an output's average.
float fractionOf(const Window& geometry, const Ranges& inputs, int64_t oy, int64_t ox) {
  const int64_t counted = geometry.countPadding ? geometry.height * geometry.width : length(inputs.rows[oy]) * length(inputs.columns[ox]);
  return 1.f / static_cast<float>(counted);
}

// The position of an input in an output's window.
uint8_t positionIn(const Window& geometry, int64_t iy, int64_t ix, int64_t oy, int64_t ox) {
  return static_cast<uint8_t>((iy - oy * geometry.stride + geometry.padY) * geometry.width + ix - ox * geometry.stride + geometry.padX);
}

template <typename T>
void averages(const kernels::Table<T>& run, const at::Tensor& x, int64_t xStride, const at::Tensor& y, int64_t yStride, const Window& geometry) {
  const Plane in(x), out(y);
  const T* source = static_cast<const T*>(x.data_ptr());
  T* target = static_cast<T*>(y.data_ptr());
  const auto inputs = inputRanges(in, geometry);
  forEachPosition<T>(
      out, in, inputs,
      [&](int64_t oy, int64_t ox, int64_t, int64_t, int64_t row, Sources<T>& sources) {
        sources.rows[sources.count] = source + row * xStride;
        sources.factors[sources.count] = fractionOf(geometry, inputs, oy, ox);
      },
      [&](int64_t row, const Sources<T>& sources) { run.weightedSum(sources.rows, sources.factors, sources.count, in.channels, target + row * yStride); });
}

template <typename T>
void averagesBackward(const kernels::Table<T>& run, const at::Tensor& dy, int64_t dyStride, const at::Tensor& dx, int64_t dxStride,
                      const Window& geometry) {
  const Plane in(dx), out(dy);
  const T* source = static_cast<const T*>(dy.data_ptr());
  T* target = static_cast<T*>(dx.data_ptr());
  const auto inputs = inputRanges(in, geometry);
  forEachPosition<T>(
      in, out, outputRanges(in, geometry),
      [&](int64_t, int64_t, int64_t oy, int64_t ox, int64_t row, Sources<T>& sources) {
        sources.rows[sources.count] = source + row * dyStride;
        sources.factors[sources.count] = fractionOf(geometry, inputs, oy, ox);
      },
      [&](int64_t row, const Sources<T>& sources) { run.weightedSum(sources.rows, sources.factors, sources.count, in.channels, target + row * dxStride); });
}

template <typename T>
void maxima(const kernels::Table<T>& run, const at::Tensor& x, int64_t xStride, const at::Tensor& y, int64_t yStride,
            const at::Tensor& positions, const Window& geometry) {
  const Plane in(x), out(y);
  const T* source = static_cast<const T*>(x.data_ptr());
  T* target = static_cast<T*>(y.data_ptr());
  uint8_t* argmax = positions.data_ptr<uint8_t>();
  forEachPosition<T>(
      out, in, inputRanges(in, geometry),
      [&](int64_t oy, int64_t ox, int64_t iy, int64_t ix, int64_t row, Sources<T>& sources) {
        sources.rows[sources.count] = source + row * xStride;
        sources.positions[sources.count] = positionIn(geometry, iy, ix, oy, ox);
      },
      [&](int64_t row, const Sources<T>& sources) {
        run.maximum(sources.rows, sources.positions, sources.count, in.channels, target + row * yStride, argmax + row * in.channels);
      });
}

template <typename T>
void maximaBackward(const kernels::Table<T>& run, const at::Tensor& dy, int64_t dyStride, const at::Tensor& positions,
                    const at::Tensor& dx, const Window& geometry) {
  const Plane in(dx), out(dy);
  const T* source = static_cast<const T*>(dy.data_ptr());
  T* target = static_cast<T*>(dx.data_ptr());
  const uint8_t* argmax = positions.data_ptr<uint8_t>();
  forEachPosition<T>(
      in, out, outputRanges(in, geometry),
      [&](int64_t iy, int64_t ix, int64_t oy, int64_t ox, int64_t row, Sources<T>& sources) {
        sources.rows[sources.count] = source + row * dyStride;
        sources.argmax[sources.count] = argmax + row * in.channels;
        sources.positions[sources.count] = positionIn(geometry, iy, ix, oy, ox);
      },
      [&](int64_t row, const Sources<T>& sources) {
        run.sumWhere(sources.rows, sources.argmax, sources.positions, sources.count, in.channels, target + row * in.channels);
      });
}

// Calls `run(table, tensor, row stride)` with the native kernels for the tensor's type.
template <typename Run>
void withRows(const at::Tensor& tensor, Run run) {
  const auto rows = inRows(tensor);
  withKernelsFor(rows, [&](const auto& table) { run(table, rows, rowStride(rows)); });
}

}  // namespace

at::Tensor averagePool(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding,
                       const c10::optional<at::Tensor>& out) {
  const Window geometry(window, stride, padding, countPadding);
  const auto y = resultRows(outputSizes(input, geometry), input, out);
  withRows(input, [&](const auto& run, const at::Tensor& x, int64_t xStride) { averages(run, x, xStride, y, rowStride(y), geometry); });
  return y;
}

at::Tensor averagePoolBackward(const at::Tensor& gradient, at::IntArrayRef inputSizes, at::IntArrayRef window, int64_t stride,
                               at::IntArrayRef padding, bool countPadding, const c10::optional<at::Tensor>& out) {
  const Window geometry(window, stride, padding, countPadding);
  const auto dx = resultRows(inputSizes, gradient, out);
  TORCH_CHECK(outputSizes(dx, geometry) == gradient.sizes().vec(), "gradient: expected ", outputSizes(dx, geometry), ", received ", gradient.sizes());
  withRows(gradient, [&](const auto& run, const at::Tensor& dy, int64_t dyStride) {
    averagesBackward(run, dy, dyStride, dx, rowStride(dx), geometry);
  });
  return dx;
}

std::tuple<at::Tensor, at::Tensor> maxPool(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding,
                                           const c10::optional<at::Tensor>& out) {
  const Window geometry(window, stride, padding, false);
  const auto y = resultRows(outputSizes(input, geometry), input, out);
  const auto positions = emptyChannelsLast(y.sizes(), input.options().dtype(at::kByte));
  withRows(input, [&](const auto& run, const at::Tensor& x, int64_t xStride) { maxima(run, x, xStride, y, rowStride(y), positions, geometry); });
  return {y, positions};
}

at::Tensor maxPoolBackward(const at::Tensor& gradient, const at::Tensor& positions, at::IntArrayRef inputSizes, at::IntArrayRef window,
                           int64_t stride, at::IntArrayRef padding) {
  const Window geometry(window, stride, padding, false);
  const auto dx = emptyChannelsLast(inputSizes, gradient.options());
  withRows(gradient, [&](const auto& run, const at::Tensor& dy, int64_t dyStride) { maximaBackward(run, dy, dyStride, positions, dx, geometry); });
  return dx;
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def(
      "avg_pool(Tensor input, int[2] window, int stride, int[2] padding, bool count_padding, *, Tensor(a!)? out=None) -> Tensor");
  library.def(
      "avg_pool_backward(Tensor gradient, int[4] input_sizes, int[2] window, int stride, int[2] padding, bool count_padding, *, "
      "Tensor(a!)? out=None) -> Tensor");
  library.def("max_pool(Tensor input, int[2] window, int stride, int[2] padding, *, Tensor(a!)? out=None) -> (Tensor, Tensor)");
  library.def(
      "max_pool_backward(Tensor gradient, Tensor places, int[4] input_sizes, int[2] window, int stride, int[2] padding) -> Tensor");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("avg_pool", averagePool);
  library.impl("avg_pool_backward", averagePoolBackward);
  library.impl("max_pool", maxPool);
  library.impl("max_pool_backward", maxPoolBackward);
}

}  // namespace inception
