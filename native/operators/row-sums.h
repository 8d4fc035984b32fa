// Per-channel sums over the rows of a channels-last tensor.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels.h"

namespace inception {

using kernels::Rows;

// Few channels make short inner loops, so adjacent rows are processed several at a time, as one row of repeated channels.
inline int64_t maxRepeats(int64_t channels) { return std::max<int64_t>(1, 64 / channels); }

inline std::vector<float> repeated(const float* values, int64_t channels, int64_t repeats) {
  std::vector<float> result(channels * repeats);
  for (int64_t index = 0; index < channels * repeats; index++) result[index] = values[index % channels];
  return result;
}

// Calls `run(first row, rows)` for the rows that fill whole wide rows, then for the rest at their plain width.
template <typename Run>
void inWideRows(int64_t count, int64_t channels, int64_t repeats, Run run) {
  const int64_t wide = count / repeats;
  if (wide > 0) run(0, Rows{wide, channels * repeats});
  if (wide * repeats < count) run(wide * repeats, Rows{count - wide * repeats, channels});
}

// float32 sums lose precision over many rows: each covers this many, and they are added up in float64.
constexpr int64_t rowsInFloat = 256;

// Two sums per channel over all rows, by `add(first row, rows, sums, second sums)`, `repeats` rows at once.
template <typename Add>
std::pair<std::vector<double>, std::vector<double>> sumRows(int64_t rows, int64_t channels, int64_t repeats, Add add) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows));
  std::vector<double> first(parts * channels), second(parts * channels);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    const int64_t width = channels * repeats;
    std::vector<float> sums(2 * width);
    for (int64_t part = begin; part < end; part++) {
      const int64_t last = rows * (part + 1) / parts;
      for (int64_t row = rows * part / parts; row < last; row += rowsInFloat * repeats) {
        std::fill(sums.begin(), sums.end(), 0.f);
        inWideRows(std::min(rowsInFloat * repeats, last - row), channels, repeats, [&](int64_t offset, Rows wide) {
          add(row + offset, wide, sums.data(), sums.data() + width);
        });
        for (int64_t index = 0; index < width; index++) {
          first[part * channels + index % channels] += sums[index];
          second[part * channels + index % channels] += sums[width + index];
        }
      }
    }
  });
  for (int64_t part = 1; part < parts; part++) {
    for (int64_t c = 0; c < channels; c++) {
      first[c] += first[part * channels + c];
      second[c] += second[part * channels + c];
    }
  }
  return {std::move(first), std::move(second)};
}

}  // namespace inception
