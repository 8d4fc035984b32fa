// What this machine has: for the engine's facts and the choices that depend on them.
#pragma once

namespace inception {

// Whether the processor multiplies bfloat16 numbers (AVX512_BF16, AMX, or Arm's), or they are emulated.
bool hasFastBfloat16();

// The cores that this process may use.
int availableCores();

}  // namespace inception
