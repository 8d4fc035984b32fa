#include "prepare-image.h"

#include <exception>

#include "read-part.h"

namespace inception::images {

bool prepareImage(const Source& source, const DistortionRecord& record, Size size, Scratch& scratch, uint8_t* target) noexcept {
  try {
    BilinearPlan plan;
    Pixels pixels{};
    const auto choose = [&](Size image) {
      plan = planBilinear(image, cropOf(image, record), size, {0, 0, size.height, size.width}, record.flip != 0);
      return plan.reads();
    };
    if (!readPart(source, scratch, choose, pixels)) return false;
    resample(pixels, plan, scratch.resample, target);
    changePixels(target, size, record);
    return true;
  } catch (const std::exception&) {
    // No memory.
    return false;
  }
}

}  // namespace inception::images
