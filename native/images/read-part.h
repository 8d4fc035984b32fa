// The pixels of a part of an image, wherever they come from.
#pragma once
#include <functional>

#include "image.h"
#include "pool.h"
#include "source.h"

namespace inception::images {

// Reads at least the part that is chosen once the image's size is known, into `scratch.pixels`. False for an image that is left to others:
// whatever it is that could not be done here, they have the words for it.
bool readPart(const Source& source, Scratch& scratch, const std::function<Part(Size)>& choose, Pixels& pixels);

}  // namespace inception::images
