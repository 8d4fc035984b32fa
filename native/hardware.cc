#include "hardware.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <fstream>
#include <string>
#include <thread>

namespace inception {

bool hasFastBfloat16() {
  // Not __builtin_cpu_supports: GCC 12 knows avx512bf16 but not amx-bf16.
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) == 0 || line.rfind("Features", 0) == 0) {
      for (const char* flag : {" avx512_bf16", " amx_bf16", " bf16"}) {
        if (line.find(flag) != std::string::npos) return true;
      }
      return false;
    }
  }
  return false;
}

int availableCores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace inception
