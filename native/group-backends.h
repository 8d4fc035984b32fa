// The kinds of group that this addon was built with.
#pragma once
#include <memory>

#include "group.h"

namespace inception {

std::shared_ptr<Group> makeGlooGroup(const GroupSpec& spec);
std::shared_ptr<Group> makeNcclGroup(const GroupSpec& spec, at::Device device);

}  // namespace inception
