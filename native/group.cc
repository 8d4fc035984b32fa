#include "group.h"

#include <stdexcept>

#include "group-backends.h"

namespace inception {

namespace {

thread_local Group* groupHere = nullptr;

}  // namespace

Group* Group::current() { return groupHere; }

void Group::setCurrent(Group* group) { groupHere = group; }

bool hasGloo() {
#ifdef INCEPTION_GLOO
  return true;
#else
  return false;
#endif
}

bool hasNccl() {
#ifdef INCEPTION_NCCL
  return true;
#else
  return false;
#endif
}

std::shared_ptr<Group> Group::create(const GroupSpec& spec, at::Device device) {
#ifdef INCEPTION_GLOO
  if (device.is_cpu()) return makeGlooGroup(spec);
#endif
#ifdef INCEPTION_NCCL
  if (device.is_cuda()) return makeNcclGroup(spec, device);
#endif
  throw std::runtime_error(std::string("this addon was built without ") + (device.is_cpu() ? "Gloo" : "NCCL"));
}

#if !defined(INCEPTION_GLOO) && !defined(INCEPTION_NCCL)
std::unique_ptr<StoreServer> serveStore() { throw std::runtime_error("this addon was built without Gloo and NCCL"); }
#endif

}  // namespace inception
