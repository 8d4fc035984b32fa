// Maximum and average pooling of channels-last images, forward and backward, for the CPU. libtorch 1.13 goes back through
// average pooling in scalar code, and keeps eight bytes for each maximum where the place in the window needs one.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "kernels.h"
#include "rows.h"

namespace inception {

namespace {

constexpr int64_t largestWindow = 256;

struct Window {
  int64_t height, width, stride, padY, padX;
  bool countPadding;

  Window(at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding)
      : height(window[0]), width(window[1]), stride(stride), padY(padding[0]), padX(padding[1]), countPadding(countPadding) {
    TORCH_CHECK(height * width <= largestWindow, "window: expected at most ", largestWindow, " places, received ", window);
  }
};

// From `begin` (inclusive) to `end`.
struct Range {
  int64_t begin, end;
};

int64_t outputSize(int64_t size, int64_t window, int64_t pad, int64_t stride) { return (size + 2 * pad - window) / stride + 1; }

// For every output along one axis the inputs that it reads.
std::vector<Range> inputRanges(int64_t size, int64_t window, int64_t pad, int64_t stride) {
  std::vector<Range> ranges;
  for (int64_t output = 0; output < outputSize(size, window, pad, stride); output++) {
    const int64_t start = output * stride - pad;
    ranges.push_back({std::max<int64_t>(0, start), std::min(size, start + window)});
  }
  return ranges;
}

// For every input along one axis the outputs that read it.
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

std::vector<int64_t> outputSizes(const at::Tensor& x, const Window& by) {
  return {x.size(0), x.size(1), outputSize(x.size(2), by.height, by.padY, by.stride),
          outputSize(x.size(3), by.width, by.padX, by.stride)};
}

// The rows of channels that one row is made of, and what belongs to each of them.
template <typename T>
struct Sources {
  const T* rows[largestWindow];
  float factors[largestWindow];
  uint8_t places[largestWindow];
  const uint8_t* where[largestWindow];
  int64_t count;
};

// Which rows and columns every place of a plane is computed from.
struct Ranges {
  std::vector<Range> rows, columns;
};

Ranges inputRanges(const Plane& in, const Window& by) {
  return {inputRanges(in.height, by.height, by.padY, by.stride), inputRanges(in.width, by.width, by.padX, by.stride)};
}

Ranges outputRanges(const Plane& in, const Window& by) {
  return {outputRanges(in.height, by.height, by.padY, by.stride), outputRanges(in.width, by.width, by.padX, by.stride)};
}

// For every place of a plane: `add(y, x, sources' y, sources' x, sources' row, sources)` for each place of the other plane that
// it is computed from, then `run(row, sources)`.
template <typename T, typename Add, typename Run>
void forEachPlace(const Plane& plane, const Plane& other, const Ranges& ranges, Add add, Run run) {
  const int64_t lines = plane.count * plane.height;
  at::parallel_for(0, lines, std::max<int64_t>(1, 8192 / (plane.width * plane.channels)), [&](int64_t begin, int64_t end) {
    Sources<T> sources;
    for (int64_t line = begin; line < end; line++) {
      const int64_t image = line / plane.height, y = line % plane.height;
      const Range rows = ranges.rows[y];
      for (int64_t x = 0; x < plane.width; x++) {
        const Range columns = ranges.columns[x];
        sources.count = 0;
        for (int64_t otherY = rows.begin; otherY < rows.end; otherY++) {
          const int64_t first = (image * other.height + otherY) * other.width;
          for (int64_t otherX = columns.begin; otherX < columns.end; otherX++) {
            add(y, x, otherY, otherX, first + otherX, sources);
            sources.count++;
          }
        }
        run(line * plane.width + x, sources);
      }
    }
  });
}

int64_t length(Range range) { return range.end - range.begin; }

// What an output multiplies each of its inputs by.
float share(const Window& by, const Ranges& inputs, int64_t oy, int64_t ox) {
  const int64_t counted = by.countPadding ? by.height * by.width : length(inputs.rows[oy]) * length(inputs.columns[ox]);
  return 1.f / static_cast<float>(counted);
}

// Which place of its window an input is for an output.
uint8_t placeIn(const Window& by, int64_t iy, int64_t ix, int64_t oy, int64_t ox) {
  return static_cast<uint8_t>((iy - oy * by.stride + by.padY) * by.width + ix - ox * by.stride + by.padX);
}

template <typename T>
void averages(const kernels::Table<T>& run, const at::Tensor& x, int64_t xStride, const at::Tensor& y, int64_t yStride, const Window& by) {
  const Plane in(x), out(y);
  const T* from = static_cast<const T*>(x.data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  const auto inputs = inputRanges(in, by);
  forEachPlace<T>(
      out, in, inputs,
      [&](int64_t oy, int64_t ox, int64_t, int64_t, int64_t row, Sources<T>& of) {
        of.rows[of.count] = from + row * xStride;
        of.factors[of.count] = share(by, inputs, oy, ox);
      },
      [&](int64_t row, const Sources<T>& of) { run.weightedSum(of.rows, of.factors, of.count, in.channels, to + row * yStride); });
}

template <typename T>
void averagesBackward(const kernels::Table<T>& run, const at::Tensor& dy, int64_t dyStride, const at::Tensor& dx, int64_t dxStride,
                      const Window& by) {
  const Plane in(dx), out(dy);
  const T* from = static_cast<const T*>(dy.data_ptr());
  T* to = static_cast<T*>(dx.data_ptr());
  const auto inputs = inputRanges(in, by);
  forEachPlace<T>(
      in, out, outputRanges(in, by),
      [&](int64_t, int64_t, int64_t oy, int64_t ox, int64_t row, Sources<T>& of) {
        of.rows[of.count] = from + row * dyStride;
        of.factors[of.count] = share(by, inputs, oy, ox);
      },
      [&](int64_t row, const Sources<T>& of) { run.weightedSum(of.rows, of.factors, of.count, in.channels, to + row * dxStride); });
}

template <typename T>
void maxima(const kernels::Table<T>& run, const at::Tensor& x, int64_t xStride, const at::Tensor& y, int64_t yStride,
            const at::Tensor& places, const Window& by) {
  const Plane in(x), out(y);
  const T* from = static_cast<const T*>(x.data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  uint8_t* where = places.data_ptr<uint8_t>();
  forEachPlace<T>(
      out, in, inputRanges(in, by),
      [&](int64_t oy, int64_t ox, int64_t iy, int64_t ix, int64_t row, Sources<T>& of) {
        of.rows[of.count] = from + row * xStride;
        of.places[of.count] = placeIn(by, iy, ix, oy, ox);
      },
      [&](int64_t row, const Sources<T>& of) {
        run.largest(of.rows, of.places, of.count, in.channels, to + row * yStride, where + row * in.channels);
      });
}

template <typename T>
void maximaBackward(const kernels::Table<T>& run, const at::Tensor& dy, int64_t dyStride, const at::Tensor& places,
                    const at::Tensor& dx, const Window& by) {
  const Plane in(dx), out(dy);
  const T* from = static_cast<const T*>(dy.data_ptr());
  T* to = static_cast<T*>(dx.data_ptr());
  const uint8_t* where = places.data_ptr<uint8_t>();
  forEachPlace<T>(
      in, out, outputRanges(in, by),
      [&](int64_t iy, int64_t ix, int64_t oy, int64_t ox, int64_t row, Sources<T>& of) {
        of.rows[of.count] = from + row * dyStride;
        of.where[of.count] = where + row * in.channels;
        of.places[of.count] = placeIn(by, iy, ix, oy, ox);
      },
      [&](int64_t row, const Sources<T>& of) {
        run.sumWhere(of.rows, of.where, of.places, of.count, in.channels, to + row * in.channels);
      });
}

// Calls `run(table, tensor, its row stride)` with the kernels of the tensor's type.
template <typename Run>
void inPrecision(const at::Tensor& given, Run run) {
  expectPrecision(given);
  const int64_t known = rowStride(given);
  const auto tensor = known > 0 ? given : denseChannelsLast(given);
  const int64_t stride = known > 0 ? known : given.size(1);
  const auto& tables = kernels::chooseKernels();
  if (given.scalar_type() == at::kFloat) {
    run(tables.float32, tensor, stride);
  } else {
    run(tables.bfloat16, tensor, stride);
  }
}

at::Tensor channelsLast(at::IntArrayRef sizes, const at::Tensor& like) {
  return at::empty(sizes, like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

// Where a result is written: where it is told to, which may be a part of a wider tensor, or to memory of its own.
at::Tensor result(at::IntArrayRef sizes, const at::Tensor& like, const c10::optional<at::Tensor>& out) {
  if (!out.has_value()) return channelsLast(sizes, like);
  expectRows(*out, sizes, like.scalar_type());
  return *out;
}

}  // namespace

at::Tensor averagePool(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding,
                       const c10::optional<at::Tensor>& out) {
  const Window by(window, stride, padding, countPadding);
  const auto y = result(outputSizes(input, by), input, out);
  inPrecision(input, [&](const auto& run, const at::Tensor& x, int64_t xStride) { averages(run, x, xStride, y, rowStride(y), by); });
  return y;
}

at::Tensor averagePoolBackward(const at::Tensor& gradient, at::IntArrayRef inputSizes, at::IntArrayRef window, int64_t stride,
                               at::IntArrayRef padding, bool countPadding, const c10::optional<at::Tensor>& out) {
  const Window by(window, stride, padding, countPadding);
  const auto dx = result(inputSizes, gradient, out);
  TORCH_CHECK(outputSizes(dx, by) == gradient.sizes().vec(), "gradient: expected ", outputSizes(dx, by), ", received ", gradient.sizes());
  inPrecision(gradient, [&](const auto& run, const at::Tensor& dy, int64_t dyStride) {
    averagesBackward(run, dy, dyStride, dx, rowStride(dx), by);
  });
  return dx;
}

std::tuple<at::Tensor, at::Tensor> maxPool(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding,
                                           const c10::optional<at::Tensor>& out) {
  const Window by(window, stride, padding, false);
  const auto y = result(outputSizes(input, by), input, out);
  const auto places = channelsLast(y.sizes(), at::empty({0}, input.options().dtype(at::kByte)));
  inPrecision(input, [&](const auto& run, const at::Tensor& x, int64_t xStride) { maxima(run, x, xStride, y, rowStride(y), places, by); });
  return {y, places};
}

at::Tensor maxPoolBackward(const at::Tensor& gradient, const at::Tensor& places, at::IntArrayRef inputSizes, at::IntArrayRef window,
                           int64_t stride, at::IntArrayRef padding) {
  const Window by(window, stride, padding, false);
  const auto dx = channelsLast(inputSizes, gradient);
  inPrecision(gradient, [&](const auto& run, const at::Tensor& dy, int64_t dyStride) { maximaBackward(run, dy, dyStride, places, dx, by); });
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
