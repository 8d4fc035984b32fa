// Inference's weights change seldom, and convolutions keep them in a layout of their own. Whoever changes them says so here.
#pragma once
#include <cstdint>

namespace inception {

// Grows with every change; what was packed under another number is packed anew.
uint64_t preparedGeneration();
void nextPreparedGeneration();

}  // namespace inception
