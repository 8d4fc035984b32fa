#include "resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace inception::images {

namespace {

constexpr int unit = 1 << 14;

struct Axis {
  int outputLength;
  int length;
  bool flip;
  int from;
  int count;
};

Taps makeTaps(double start, double extent, const Axis& axis) {
  const auto count = static_cast<size_t>(axis.count);
  Taps taps{std::vector<int32_t>(count), std::vector<int32_t>(count), std::vector<int16_t>(count), std::vector<int16_t>(count)};
  const double scale = extent / axis.outputLength;
  const bool inside = start >= 0 && start + extent <= axis.length;
  int begin = axis.length;
  int end = 0;
  for (int index = 0; index < axis.count; index++) {
    double centre = start + (axis.from + index + 0.5) * scale - 0.5;
    if (inside) centre = std::min(std::max(centre, 0.0), static_cast<double>(axis.length - 1));
    const double low = std::floor(centre);
    const int weight = static_cast<int>(std::floor((centre - low) * unit + 0.5));
    const auto position = static_cast<size_t>(axis.flip ? axis.count - 1 - index : index);
    const auto use = [&](std::vector<int32_t>& at, std::vector<int16_t>& weights, double input, int by) {
      if (!(input >= 0 && input < axis.length) || by == 0) {
        at[position] = -1;
        return;
      }
      at[position] = static_cast<int32_t>(input);
      weights[position] = static_cast<int16_t>(by);
      begin = std::min(begin, at[position]);
      end = std::max(end, at[position] + 1);
    };
    use(taps.first, taps.firstWeight, low, unit - weight);
    use(taps.second, taps.secondWeight, low + 1, weight);
  }
  // Nothing is seen of the image.
  if (begin >= end) {
    begin = 0;
    end = 1;
  }
  for (auto* at : {&taps.first, &taps.second}) {
    for (auto& input : *at) {
      if (input < 0) input = begin;
    }
  }
  taps.begin = begin;
  taps.end = end;
  return taps;
}

}  // namespace

BilinearPlan planBilinear(Size image, const Box& box, Size whole, Part part, bool flip) {
  return {makeTaps(box.top, box.height, {whole.height, image.height, false, part.top, part.height}),
          makeTaps(box.left, box.width, {whole.width, image.width, flip, part.left, part.width})};
}

void resample(const Pixels& source, const BilinearPlan& plan, ResampleScratch& scratch, uint8_t* target) {
  const auto& kernels = chooseKernels();
  const auto& [rows, columns] = plan;
  const int width = static_cast<int>(columns.first.size());
  const int values = (columns.end - columns.begin) * 3;
  // Kernels read and write a few values more than there are.
  scratch.blended.resize(static_cast<size_t>(values) + 64);
  scratch.row.resize(static_cast<size_t>(width) * 3 + 64);
  scratch.offsets.resize(static_cast<size_t>(width));
  scratch.weights.resize(static_cast<size_t>(width));
  for (size_t x = 0; x < static_cast<size_t>(width); x++) {
    // A pair of neighbours: where one has no weight, the other may be either of them.
    uint16_t left = static_cast<uint16_t>(columns.firstWeight[x]);
    uint16_t right = static_cast<uint16_t>(columns.secondWeight[x]);
    int first = columns.first[x];
    if (left == 0) {
      first = columns.second[x];
      std::swap(left, right);
    }
    scratch.offsets[x] = (first - columns.begin) * 3;
    scratch.weights[x] = static_cast<int32_t>(left | static_cast<uint32_t>(right) << 16);
  }
  for (size_t y = 0; y < rows.first.size(); y++) {
    const uint8_t* upper = source.at(rows.first[y], columns.begin);
    const uint8_t* lower = source.at(rows.second[y], columns.begin);
    kernels.blendRows(upper, lower, values, rows.firstWeight[y], rows.secondWeight[y], scratch.blended.data());
    kernels.blendColumns(scratch.blended.data(), scratch.offsets.data(), scratch.weights.data(), width, scratch.row.data());
    std::memcpy(target, scratch.row.data(), static_cast<size_t>(width) * 3);
    target += static_cast<ptrdiff_t>(width) * 3;
  }
}

}  // namespace inception::images
