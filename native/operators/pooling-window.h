// The windows of a pooling: which positions each result is computed from.
#pragma once
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace inception {

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

inline int64_t outputSize(int64_t size, int64_t window, int64_t pad, int64_t stride) { return (size + 2 * pad - window) / stride + 1; }

// For every output along one axis, the inputs that it reads.
inline std::vector<Range> inputRanges(int64_t size, int64_t window, int64_t pad, int64_t stride) {
  std::vector<Range> ranges;
  for (int64_t output = 0; output < outputSize(size, window, pad, stride); output++) {
    const int64_t start = output * stride - pad;
    ranges.push_back({std::max<int64_t>(0, start), std::min(size, start + window)});
  }
  return ranges;
}

// For every input along one axis, the outputs that read it.
inline std::vector<Range> outputRanges(int64_t size, int64_t window, int64_t pad, int64_t stride) {
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

inline std::vector<int64_t> outputSizes(const at::Tensor& x, const Window& geometry) {
  return {x.size(0), x.size(1), outputSize(x.size(2), geometry.height, geometry.padY, geometry.stride),
          outputSize(x.size(3), geometry.width, geometry.padX, geometry.stride)};
}

// The rows and columns that each position of a plane is computed from.
struct Ranges {
  std::vector<Range> rows, columns;
};

inline Ranges inputRanges(const Plane& in, const Window& geometry) {
  return {inputRanges(in.height, geometry.height, geometry.padY, geometry.stride), inputRanges(in.width, geometry.width, geometry.padX, geometry.stride)};
}

inline Ranges outputRanges(const Plane& in, const Window& geometry) {
  return {outputRanges(in.height, geometry.height, geometry.padY, geometry.stride), outputRanges(in.width, geometry.width, geometry.padX, geometry.stride)};
}

}  // namespace inception
