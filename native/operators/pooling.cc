// Maximum and average pooling of channels-last pictures, forward and backward, for the CPU. libtorch 1.13 goes back through
// average pooling in scalar code, and keeps eight bytes for each maximum where the place in the window needs one.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "kernels.h"
#include "rows.h"

namespace inception {

namespace {

struct Window {
  int64_t height, width, stride, padY, padX;
  bool countPadding;

  Window(at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding)
      : height(window[0]), width(window[1]), stride(stride), padY(padding[0]), padX(padding[1]), countPadding(countPadding) {
    TORCH_CHECK(height * width <= 256, "window: expected at most 256 places, received ", window);
  }
};

// From `begin` (inclusive) to `end`.
struct Range {
  int64_t begin, end;
};

// The inputs along one axis that an output reads.
Range inputsOf(int64_t output, int64_t stride, int64_t pad, int64_t window, int64_t size) {
  const int64_t start = output * stride - pad;
  return {std::max<int64_t>(0, start), std::min(size, start + window)};
}

// The outputs along one axis that read an input.
Range outputsOf(int64_t input, int64_t stride, int64_t pad, int64_t window, int64_t size) {
  const int64_t first = input + pad - window + 1;
  return {first <= 0 ? 0 : (first + stride - 1) / stride, std::min(size, (input + pad) / stride + 1)};
}

struct Plane {
  int64_t count, channels, height, width;
  explicit Plane(const at::Tensor& tensor)
      : count(tensor.size(0)), channels(tensor.size(1)), height(tensor.size(2)), width(tensor.size(3)) {}
};

int64_t outputSize(int64_t size, int64_t window, int64_t pad, int64_t stride) { return (size + 2 * pad - window) / stride + 1; }

std::vector<int64_t> outputSizes(const at::Tensor& x, const Window& by) {
  return {x.size(0), x.size(1), outputSize(x.size(2), by.height, by.padY, by.stride),
          outputSize(x.size(3), by.width, by.padX, by.stride)};
}

// Calls `run(picture, y, x, row, sums)` for every place of a plane; `sums` are `channels` floats of scratch.
template <typename Run>
void forEachPlace(const Plane& plane, Run run) {
  const int64_t lines = plane.count * plane.height;
  at::parallel_for(0, lines, std::max<int64_t>(1, 8192 / (plane.width * plane.channels)), [&](int64_t begin, int64_t end) {
    std::vector<float> sums(plane.channels);
    for (int64_t line = begin; line < end; line++) {
      for (int64_t x = 0; x < plane.width; x++) run(line / plane.height, line % plane.height, x, line * plane.width + x, sums.data());
    }
  });
}

float share(const Window& by, Range rows, Range columns) {
  const int64_t counted = by.countPadding ? by.height * by.width : (rows.end - rows.begin) * (columns.end - columns.begin);
  return 1.f / static_cast<float>(counted);
}

template <typename T>
void averages(const kernels::Table<T>& run, const at::Tensor& x, int64_t xStride, const at::Tensor& y, int64_t yStride, const Window& by) {
  const Plane in(x), out(y);
  const T* from = static_cast<const T*>(x.data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  forEachPlace(out, [&](int64_t picture, int64_t oy, int64_t ox, int64_t row, float* sums) {
    const Range rows = inputsOf(oy, by.stride, by.padY, by.height, in.height);
    const Range columns = inputsOf(ox, by.stride, by.padX, by.width, in.width);
    std::fill(sums, sums + in.channels, 0.f);
    for (int64_t iy = rows.begin; iy < rows.end; iy++) {
      for (int64_t ix = columns.begin; ix < columns.end; ix++) {
        run.addScaled(from + ((picture * in.height + iy) * in.width + ix) * xStride, in.channels, 1.f, sums);
      }
    }
    run.storeScaled(sums, in.channels, share(by, rows, columns), to + row * yStride);
  });
}

template <typename T>
void averagesBackward(const kernels::Table<T>& run, const at::Tensor& dy, int64_t dyStride, const at::Tensor& dx, const Window& by) {
  const Plane in(dx), out(dy);
  const T* from = static_cast<const T*>(dy.data_ptr());
  T* to = static_cast<T*>(dx.data_ptr());
  forEachPlace(in, [&](int64_t picture, int64_t iy, int64_t ix, int64_t row, float* sums) {
    const Range rows = outputsOf(iy, by.stride, by.padY, by.height, out.height);
    const Range columns = outputsOf(ix, by.stride, by.padX, by.width, out.width);
    std::fill(sums, sums + in.channels, 0.f);
    for (int64_t oy = rows.begin; oy < rows.end; oy++) {
      for (int64_t ox = columns.begin; ox < columns.end; ox++) {
        const float part = share(by, inputsOf(oy, by.stride, by.padY, by.height, in.height),
                                 inputsOf(ox, by.stride, by.padX, by.width, in.width));
        run.addScaled(from + ((picture * out.height + oy) * out.width + ox) * dyStride, in.channels, part, sums);
      }
    }
    run.storeScaled(sums, in.channels, 1.f, to + row * in.channels);
  });
}

template <typename T>
void maxima(const kernels::Table<T>& run, const at::Tensor& x, int64_t xStride, const at::Tensor& y, int64_t yStride,
            const at::Tensor& places, const Window& by) {
  const Plane in(x), out(y);
  const T* from = static_cast<const T*>(x.data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  uint8_t* where = places.data_ptr<uint8_t>();
  forEachPlace(out, [&](int64_t picture, int64_t oy, int64_t ox, int64_t row, float* best) {
    const Range rows = inputsOf(oy, by.stride, by.padY, by.height, in.height);
    const Range columns = inputsOf(ox, by.stride, by.padX, by.width, in.width);
    const auto place = [&](int64_t iy, int64_t ix) {
      return static_cast<uint8_t>((iy - oy * by.stride + by.padY) * by.width + ix - ox * by.stride + by.padX);
    };
    uint8_t* own = where + row * in.channels;
    std::fill(best, best + in.channels, -std::numeric_limits<float>::infinity());
    std::fill(own, own + in.channels, place(rows.begin, columns.begin));
    for (int64_t iy = rows.begin; iy < rows.end; iy++) {
      for (int64_t ix = columns.begin; ix < columns.end; ix++) {
        run.keepLarger(from + ((picture * in.height + iy) * in.width + ix) * xStride, in.channels, place(iy, ix), best, own);
      }
    }
    run.storeScaled(best, in.channels, 1.f, to + row * yStride);
  });
}

template <typename T>
void maximaBackward(const kernels::Table<T>& run, const at::Tensor& dy, int64_t dyStride, const at::Tensor& places,
                    const at::Tensor& dx, const Window& by) {
  const Plane in(dx), out(dy);
  const T* from = static_cast<const T*>(dy.data_ptr());
  T* to = static_cast<T*>(dx.data_ptr());
  const uint8_t* where = places.data_ptr<uint8_t>();
  forEachPlace(in, [&](int64_t picture, int64_t iy, int64_t ix, int64_t row, float* sums) {
    const Range rows = outputsOf(iy, by.stride, by.padY, by.height, out.height);
    const Range columns = outputsOf(ix, by.stride, by.padX, by.width, out.width);
    std::fill(sums, sums + in.channels, 0.f);
    for (int64_t oy = rows.begin; oy < rows.end; oy++) {
      for (int64_t ox = columns.begin; ox < columns.end; ox++) {
        const int64_t at = (picture * out.height + oy) * out.width + ox;
        const auto place = static_cast<uint8_t>((iy - oy * by.stride + by.padY) * by.width + ix - ox * by.stride + by.padX);
        run.addWhere(from + at * dyStride, where + at * in.channels, in.channels, place, sums);
      }
    }
    run.storeScaled(sums, in.channels, 1.f, to + row * in.channels);
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

}  // namespace

void averagePoolInto(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding,
                     const at::Tensor& out) {
  const Window by(window, stride, padding, countPadding);
  const int64_t outStride = expectRows(out, outputSizes(input, by), input.scalar_type());
  inPrecision(input, [&](const auto& run, const at::Tensor& x, int64_t xStride) { averages(run, x, xStride, out, outStride, by); });
}

at::Tensor averagePool(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, bool countPadding) {
  const auto out = channelsLast(outputSizes(input, Window(window, stride, padding, countPadding)), input);
  averagePoolInto(input, window, stride, padding, countPadding, out);
  return out;
}

at::Tensor averagePoolBackward(const at::Tensor& gradient, at::IntArrayRef inputSizes, at::IntArrayRef window, int64_t stride,
                               at::IntArrayRef padding, bool countPadding) {
  const Window by(window, stride, padding, countPadding);
  const auto dx = channelsLast(inputSizes, gradient);
  inPrecision(gradient, [&](const auto& run, const at::Tensor& dy, int64_t dyStride) { averagesBackward(run, dy, dyStride, dx, by); });
  return dx;
}

at::Tensor maxPoolInto(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding, const at::Tensor& out) {
  const Window by(window, stride, padding, false);
  const int64_t outStride = expectRows(out, outputSizes(input, by), input.scalar_type());
  const auto places = channelsLast(out.sizes(), at::empty({0}, input.options().dtype(at::kByte)));
  inPrecision(input, [&](const auto& run, const at::Tensor& x, int64_t xStride) { maxima(run, x, xStride, out, outStride, places, by); });
  return places;
}

std::tuple<at::Tensor, at::Tensor> maxPool(const at::Tensor& input, at::IntArrayRef window, int64_t stride, at::IntArrayRef padding) {
  const auto out = channelsLast(outputSizes(input, Window(window, stride, padding, false)), input);
  return {out, maxPoolInto(input, window, stride, padding, out)};
}

at::Tensor maxPoolBackward(const at::Tensor& gradient, const at::Tensor& places, at::IntArrayRef inputSizes, at::IntArrayRef window,
                           int64_t stride, at::IntArrayRef padding) {
  const Window by(window, stride, padding, false);
  const auto dx = channelsLast(inputSizes, gradient);
  inPrecision(gradient, [&](const auto& run, const at::Tensor& dy, int64_t dyStride) { maximaBackward(run, dy, dyStride, places, dx, by); });
  return dx;
}

TORCH_LIBRARY_FRAGMENT(inception, library) {
  library.def("avg_pool(Tensor input, int[2] window, int stride, int[2] padding, bool count_padding) -> Tensor");
  library.def("avg_pool_into(Tensor input, int[2] window, int stride, int[2] padding, bool count_padding, Tensor(a!) out) -> ()");
  library.def(
      "avg_pool_backward(Tensor gradient, int[4] input_sizes, int[2] window, int stride, int[2] padding, bool count_padding) -> Tensor");
  library.def("max_pool(Tensor input, int[2] window, int stride, int[2] padding) -> (Tensor, Tensor)");
  library.def("max_pool_into(Tensor input, int[2] window, int stride, int[2] padding, Tensor(a!) out) -> Tensor");
  library.def(
      "max_pool_backward(Tensor gradient, Tensor places, int[4] input_sizes, int[2] window, int stride, int[2] padding) -> Tensor");
}

TORCH_LIBRARY_IMPL(inception, CPU, library) {
  library.impl("avg_pool", averagePool);
  library.impl("avg_pool_into", averagePoolInto);
  library.impl("avg_pool_backward", averagePoolBackward);
  library.impl("max_pool", maxPool);
  library.impl("max_pool_into", maxPoolInto);
  library.impl("max_pool_backward", maxPoolBackward);
}

}  // namespace inception
