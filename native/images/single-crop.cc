#include "single-crop.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>

#include "read-part.h"

namespace inception::images {

namespace {

// Half to even.
int centred(int whole, int part) { return static_cast<int>(std::nearbyint((whole - part) / 2.0)); }

// The smallest size with the image's aspect ratio that covers another.
Size coveringSize(Size image, Size cover) {
  const int64_t height = image.height;
  const int64_t width = image.width;
  if (height * cover.width <= width * cover.height) return {cover.height, static_cast<int>(std::max<int64_t>(cover.width, cover.height * width / height))};
  return {static_cast<int>(std::max<int64_t>(cover.height, cover.width * height / width)), cover.width};
}

// What is computed, once the image's size is known: by `bilinear` for Kernel::bilinear, else by `resizing`.
struct Plan {
  BilinearPlan bilinear;
  Resizing resizing{};
};

Plan planCrop(Size image, const SingleCrop& crop) {
  Plan plan;
  const Size size = crop.size;
  if (crop.protocol == Protocol::timm) {
    const Size cover{static_cast<int>(std::floor(size.height / crop.crop)), static_cast<int>(std::floor(size.width / crop.crop))};
    const Size whole = coveringSize(image, cover);
    const Part part{centred(whole.height, size.height), centred(whole.width, size.width), size.height, size.width};
    const Box all{0, 0, static_cast<double>(image.height), static_cast<double>(image.width)};
    if (crop.kernel == Kernel::bilinear) plan.bilinear = planBilinear(image, all, whole, part, false);
    plan.resizing = {{0, 0, image.height, image.width}, whole, part};
    return plan;
  }
  const Part all{0, 0, size.height, size.width};
  if (crop.kernel == Kernel::bilinear) {
    const double height = image.height * crop.crop;
    const double width = image.width * crop.crop;
    plan.bilinear = planBilinear(image, {(image.height - height) / 2, (image.width - width) / 2, height, width}, size, all, false);
    return plan;
  }
  const int top = static_cast<int>(std::floor((image.height - image.height * crop.crop) / 2));
  const int left = static_cast<int>(std::floor((image.width - image.width * crop.crop) / 2));
  plan.resizing = {{top, left, image.height - 2 * top, image.width - 2 * left}, size, all};
  return plan;
}

// Copies [height, width, 3], mirrored or in grey if asked for.
void write(const uint8_t* pixels, const SingleCrop& crop, bool flip, uint8_t* target) {
  for (int y = 0; y < crop.size.height; y++) {
    const uint8_t* row = pixels + static_cast<ptrdiff_t>(y) * crop.size.width * 3;
    for (int x = 0; x < crop.size.width; x++) {
      const uint8_t* pixel = row + static_cast<ptrdiff_t>(flip ? crop.size.width - 1 - x : x) * 3;
      if (crop.channels == 3) {
        std::memcpy(target, pixel, 3);
        target += 3;
      } else {
        // ITU-R 601 luma in Pillow's integer arithmetic.
        *target++ = static_cast<uint8_t>((pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16);
      }
    }
  }
}

}  // namespace

bool takeSingleCrop(const Source& source, const SingleCrop& crop, Scratch& scratch, uint8_t* target) noexcept {
  try {
    Plan plan;
    Pixels pixels{};
    const bool isBilinear = crop.kernel == Kernel::bilinear;
    const auto choose = [&](Size image) {
      plan = planCrop(image, crop);
      return isBilinear ? plan.bilinear.reads() : readsOf(crop.kernel, plan.resizing);
    };
    if (!readPart(source, scratch, choose, pixels)) return false;
    std::vector<uint8_t> result(static_cast<size_t>(crop.size.height) * static_cast<size_t>(crop.size.width) * 3);
    if (isBilinear) {
      resample(pixels, plan.bilinear, scratch.resample, result.data());
    } else {
      resize(pixels, crop.kernel, plan.resizing, result.data());
    }
    write(result.data(), crop, false, target);
    const size_t bytes = result.size() / 3 * static_cast<size_t>(crop.channels);
    if (crop.isMirrored) write(result.data(), crop, true, target + bytes);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace inception::images
