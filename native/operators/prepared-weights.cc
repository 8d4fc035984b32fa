#include "prepared-weights.h"

#include <atomic>

namespace inception {

namespace {
std::atomic<uint64_t> generation{1};
}

uint64_t preparedGeneration() { return generation.load(); }

void nextPreparedGeneration() { generation.fetch_add(1); }

}  // namespace inception
