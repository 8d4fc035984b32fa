#include "resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace inception::images {

namespace {

// Output positions `first` to before `first + count` of `output`, along one side of `input` pixels that begins at `origin`.
struct Axis {
  int origin;
  int input;
  int output;
  int first;
  int count;
};

Axis rowsOf(const Resizing& r) { return {r.from.top, r.from.height, r.whole.height, r.part.top, r.part.height}; }
Axis columnsOf(const Resizing& r) { return {r.from.left, r.from.width, r.whole.width, r.part.left, r.part.width}; }

double sinc(double x) { return x == 0 ? 1 : std::sin(x * M_PI) / (x * M_PI); }

double cubic(double distance) {
  constexpr double a = -0.5;
  const double x = std::fabs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double supportOf(Kernel kernel) {
  switch (kernel) {
    case Kernel::pillowBox: return 0.5;
    case Kernel::pillowBicubic: return 2;
    case Kernel::pillowLanczos: return 3;
    default: return 1;
  }
}

double weightOf(Kernel kernel, double x) {
  switch (kernel) {
    case Kernel::pillowBox: return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Kernel::pillowHamming: return std::fabs(x) < 1 ? sinc(x) * (0.54 + 0.46 * std::cos(x * M_PI)) : 0;
    case Kernel::pillowBicubic: return cubic(x);
    case Kernel::pillowLanczos: return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    default: return std::max(0.0, 1 - std::fabs(x));
  }
}

constexpr int precision = 22;
constexpr int32_t half = 1 << (precision - 1);

struct Coefficients {
  // Of the image.
  std::vector<int> first;
  std::vector<int> counts;
  std::vector<int32_t> weights;
  int taps = 0;
};

bool isPillow(Kernel kernel) { return kernel >= Kernel::pillowBox && kernel <= Kernel::pillowLanczos; }

Coefficients coefficientsOf(const Axis& axis, Kernel kernel) {
  const double scale = static_cast<double>(axis.input) / axis.output;
  const double stretch = std::max(scale, 1.0);
  const double reach = supportOf(kernel) * stretch;
  Coefficients result;
  result.taps = static_cast<int>(std::ceil(reach)) * 2 + 1;
  const auto count = static_cast<size_t>(axis.count);
  result.first.resize(count);
  result.counts.resize(count);
  result.weights.resize(count * static_cast<size_t>(result.taps));
  std::vector<double> exact(static_cast<size_t>(result.taps));
  for (size_t index = 0; index < count; index++) {
    const double centre = (axis.first + static_cast<int>(index) + 0.5) * scale;
    const int start = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int end = std::min(axis.input, static_cast<int>(centre + reach + 0.5));
    double sum = 0;
    for (int tap = 0; tap < end - start; tap++) {
      exact[static_cast<size_t>(tap)] = weightOf(kernel, (tap + start - centre + 0.5) * (1 / stretch));
      sum += exact[static_cast<size_t>(tap)];
    }
    int32_t* weights = result.weights.data() + index * static_cast<size_t>(result.taps);
    for (int tap = 0; tap < end - start; tap++) {
      const double fixed = exact[static_cast<size_t>(tap)] / (sum == 0 ? 1 : sum) * (1 << precision);
      weights[tap] = static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    result.first[index] = axis.origin + start;
    result.counts[index] = end - start;
  }
  return result;
}

struct Range {
  int begin;
  int end;
};

Range rangeOf(const Coefficients& coefficients) { return {coefficients.first.front(), coefficients.first.back() + coefficients.counts.back()}; }

void pillowResize(const Pixels& source, Kernel kernel, const Resizing& resizing, uint8_t* target) {
  const Axis rows = rowsOf(resizing);
  const Axis columns = columnsOf(resizing);
  const auto& kernels = chooseKernels();
  const bool isVertical = rows.output != rows.input;
  const bool isHorizontal = columns.output != columns.input;
  Coefficients vertical;
  Range band{rows.origin + rows.first, rows.origin + rows.first + rows.count};
  if (isVertical) {
    vertical = coefficientsOf(rows, kernel);
    band = rangeOf(vertical);
  }
  const auto width = static_cast<size_t>(columns.count);
  const size_t rowBytes = width * 3;
  std::vector<uint8_t> narrowed(rowBytes * static_cast<size_t>(band.end - band.begin));
  if (isHorizontal) {
    const Coefficients horizontal = coefficientsOf(columns, kernel);
    uint8_t* result = narrowed.data();
    for (int y = band.begin; y < band.end; y++) {
      for (size_t x = 0; x < width; x++, result += 3) {
        const uint8_t* pixel = source.at(y, horizontal.first[x]);
        const int32_t* weights = horizontal.weights.data() + x * static_cast<size_t>(horizontal.taps);
        int32_t red = half;
        int32_t green = half;
        int32_t blue = half;
        for (int tap = 0; tap < horizontal.counts[x]; tap++, pixel += 3) {
          red += pixel[0] * weights[tap];
          green += pixel[1] * weights[tap];
          blue += pixel[2] * weights[tap];
        }
        const int32_t sums[3] = {red, green, blue};
        for (int channel = 0; channel < 3; channel++) result[channel] = static_cast<uint8_t>(std::min(255, std::max(0, sums[channel] >> precision)));
      }
    }
  } else {
    for (int y = band.begin; y < band.end; y++)
      std::memcpy(narrowed.data() + static_cast<size_t>(y - band.begin) * rowBytes, source.at(y, columns.origin + columns.first), rowBytes);
  }
  if (!isVertical) {
    std::memcpy(target, narrowed.data(), narrowed.size());
    return;
  }
  std::vector<int32_t> sums(rowBytes);
  for (size_t y = 0; y < static_cast<size_t>(rows.count); y++, target += rowBytes) {
    std::fill(sums.begin(), sums.end(), half);
    for (int tap = 0; tap < vertical.counts[y]; tap++) {
      const uint8_t* row = narrowed.data() + static_cast<size_t>(vertical.first[y] + tap - band.begin) * rowBytes;
      kernels.addWeighted(row, static_cast<int64_t>(rowBytes), vertical.weights[y * static_cast<size_t>(vertical.taps) + static_cast<size_t>(tap)], sums.data());
    }
    kernels.toBytes(sums.data(), static_cast<int64_t>(rowBytes), target);
  }
}

std::vector<int> nearestPositions(const Axis& axis) {
  std::vector<int> positions(static_cast<size_t>(axis.count));
  const double step = static_cast<double>(axis.input) / axis.output;
  double position = step * 0.5;
  for (int index = 0; index < axis.first + axis.count; index++) {
    if (index >= axis.first) positions[static_cast<size_t>(index - axis.first)] = axis.origin + std::min(static_cast<int>(position), axis.input - 1);
    position += step;
  }
  return positions;
}

void pillowNearest(const Pixels& source, const Resizing& resizing, uint8_t* target) {
  const auto columns = nearestPositions(columnsOf(resizing));
  for (const int y : nearestPositions(rowsOf(resizing))) {
    for (const int x : columns) {
      std::memcpy(target, source.at(y, x), 3);
      target += 3;
    }
  }
}

struct Neighbours {
  std::vector<int> lower;
  std::vector<int> upper;
  std::vector<float> upperWeight;
};

Neighbours neighboursOf(const Axis& axis, bool corners) {
  const auto scale = static_cast<float>(corners && axis.output > 1 ? (axis.input - 1.0) / (axis.output - 1) : static_cast<double>(axis.input) / axis.output);
  Neighbours result;
  for (int index = 0; index < axis.count; index++) {
    const auto position = static_cast<float>(static_cast<double>(axis.first + index) * static_cast<double>(scale));
    const int lower = static_cast<int>(std::floor(position));
    result.lower.push_back(axis.origin + std::min(lower, axis.input - 1));
    result.upper.push_back(axis.origin + std::min(lower + 1, axis.input - 1));
    result.upperWeight.push_back(position - std::floor(position));
  }
  return result;
}

float mixed(double a, double b, float weight) { return static_cast<float>(a + static_cast<double>(static_cast<float>((b - a) * static_cast<double>(weight)))); }

void tensorflowResize(const Pixels& source, bool corners, const Resizing& resizing, uint8_t* target) {
  const auto rows = neighboursOf(rowsOf(resizing), corners);
  const auto columns = neighboursOf(columnsOf(resizing), corners);
  for (size_t y = 0; y < rows.lower.size(); y++) {
    for (size_t x = 0; x < columns.lower.size(); x++, target += 3) {
      const uint8_t* corner[4] = {source.at(rows.lower[y], columns.lower[x]), source.at(rows.lower[y], columns.upper[x]),
                                  source.at(rows.upper[y], columns.lower[x]), source.at(rows.upper[y], columns.upper[x])};
      for (int channel = 0; channel < 3; channel++) {
        const float top = mixed(corner[0][channel], corner[1][channel], columns.upperWeight[x]);
        const float bottom = mixed(corner[2][channel], corner[3][channel], columns.upperWeight[x]);
        target[channel] = static_cast<uint8_t>(std::floor(static_cast<double>(mixed(top, bottom, rows.upperWeight[y])) + 0.5));
      }
    }
  }
}

Range readAlong(Kernel kernel, const Axis& axis) {
  if (isPillow(kernel)) return axis.output == axis.input ? Range{axis.origin + axis.first, axis.origin + axis.first + axis.count} : rangeOf(coefficientsOf(axis, kernel));
  if (kernel == Kernel::pillowNearest) {
    const auto positions = nearestPositions(axis);
    return {positions.front(), positions.back() + 1};
  }
  const auto neighbours = neighboursOf(axis, kernel == Kernel::tfBilinearCorners);
  return {neighbours.lower.front(), neighbours.upper.back() + 1};
}

}  // namespace

Part readsOf(Kernel kernel, const Resizing& resizing) {
  const Range rows = readAlong(kernel, rowsOf(resizing));
  const Range columns = readAlong(kernel, columnsOf(resizing));
  return {rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin};
}

void resize(const Pixels& source, Kernel kernel, const Resizing& resizing, uint8_t* target) {
  if (isPillow(kernel)) {
    pillowResize(source, kernel, resizing, target);
  } else if (kernel == Kernel::pillowNearest) {
    pillowNearest(source, resizing, target);
  } else {
    tensorflowResize(source, kernel == Kernel::tfBilinearCorners, resizing, target);
  }
}

}  // namespace inception::images
