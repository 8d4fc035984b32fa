// Sums for each channel over the rows of a channels-last tensor.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels.h"

namespace inception {

using kernels::Rows;

// Few channels make short inner loops. Rows that lie one after the other are taken several at a time, as one row of
// repeated channels.
inline int64_t rowsAtOnce(int64_t channels) { return std::max<int64_t>(1, 64 / channels); }

inline std::vector<float> repeated(const float* values, int64_t channels, int64_t times) {
  std::vector<float> result(channels * times);
  for (int64_t at = 0; at < channels * times; at++) result[at] = values[at % channels];
  return result;
}

// Calls `run(first row, rows)` for as many rows as go into wide ones, then for the rest: the kernel sees the difference.
template <typename Run>
void inWideRows(int64_t count, int64_t channels, int64_t times, Run run) {
  const int64_t wide = count / times;
  if (wide > 0) run(0, Rows{wide, channels * times});
  if (wide * times < count) run(wide * times, Rows{count - wide * times, channels});
}

// float32 sums lose digits over many rows: they run over so many, and are added up in float64.
constexpr int64_t rowsInFloat = 256;

// Two sums for each channel over all rows, by `add(first row, rows, sums, other sums)`, `times` rows at once.
template <typename Add>
std::pair<std::vector<double>, std::vector<double>> sumRows(int64_t rows, int64_t channels, int64_t times, Add add) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows));
  std::vector<double> first(parts * channels), second(parts * channels);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    const int64_t width = channels * times;
    std::vector<float> sums(2 * width);
    for (int64_t part = begin; part < end; part++) {
      const int64_t last = rows * (part + 1) / parts;
      for (int64_t row = rows * part / parts; row < last; row += rowsInFloat * times) {
        std::fill(sums.begin(), sums.end(), 0.f);
        inWideRows(std::min(rowsInFloat * times, last - row), channels, times, [&](int64_t offset, Rows wide) {
          add(row + offset, wide, sums.data(), sums.data() + width);
        });
        for (int64_t at = 0; at < width; at++) {
          first[part * channels + at % channels] += sums[at];
          second[part * channels + at % channels] += sums[width + at];
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
