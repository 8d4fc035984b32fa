// A program as plain C++ data: read by convert.cc, resolved by run-program.cc. No Node-API, no ATen.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace inception {

enum class ArgumentKind { none, boolean, number, numbers, booleans, slot, slots, dtype, memoryFormat, device, generator };

struct Argument {
  ArgumentKind kind = ArgumentKind::none;
  double number = 0;  // also boolean, slot
  std::vector<double> numbers;  // also booleans, slots
  std::string text;  // dtype, memoryFormat
};

enum class StepKind { call, load, store, input, output, free };

struct Step {
  StepKind kind = StepKind::call;
  std::string name;  // a call's operator with its overload; otherwise the tensor, input or output
  std::string layer;
  std::vector<Argument> arguments;
  std::vector<std::pair<std::string, Argument>> named;
  std::vector<int> slots;  // assigned (-1: unused), read by a store or an output, or freed
};

struct ProgramInput {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
};

struct Program {
  std::string name;
  std::vector<ProgramInput> inputs;
  std::vector<Step> steps;
  int slots = 0;
};

struct TensorSpec {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  double fill = 0;
};

struct ViewSpec {
  std::string name;
  std::string of;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  int64_t offset = 0;
};

struct StoreSpec {
  std::vector<TensorSpec> tensors;
  std::vector<ViewSpec> views;
};

}  // namespace inception
