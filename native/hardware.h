// Hardware detection, for the engine's facts.
#pragma once

namespace inception {

// Whether the processor has bfloat16 arithmetic (AVX512_BF16, AMX, or Arm's) instead of emulating it.
bool hasFastBfloat16();

// Number of cores that this process may use.
int availableCores();

}  // namespace inception
