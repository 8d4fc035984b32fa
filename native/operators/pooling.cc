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
#include "pooling-window.h"
#include "tensors.h"

namespace inception {

namespace {

// The rows of channels that one row is computed from, with their factors and positions.
template <typename T>
struct Sources {
  const T* rows[maxWindow];
  float factors[maxWindow];
  uint8_t positions[maxWindow];
  const uint8_t* argmax[maxWindow];
  int64_t count;
};

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
