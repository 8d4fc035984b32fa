// Resolves a program's operators once and runs its steps.
#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda-graph.h"
#include "program.h"
#include "store.h"

namespace inception {

// Outputs in the program's order, contiguous on the CPU; microseconds per step if profiled.
struct RunResult {
  std::vector<std::pair<std::string, at::Tensor>> outputs;
  std::vector<double> stepMicroseconds;
};

class LoadedProgram {
 public:
  // Throws std::invalid_argument naming the step, its operator and what the operator expects.
  LoadedProgram(Program program, std::shared_ptr<Store> store);

  // `inputs` in the order of the program's inputs, on the CPU. Throws std::runtime_error naming step, layer and shapes.
  RunResult run(std::vector<at::Tensor> inputs, bool profile);

  const Program& program() const { return program_; }

 private:
  struct Call {
    c10::OperatorHandle handle;
    torch::jit::Stack arguments;  // constants; slots are filled in for each run
    std::vector<std::pair<size_t, std::vector<int>>> slots;  // argument position -> slots
    std::vector<bool> isList;
  };

  Call resolve(const Step& step) const;
  c10::IValue convert(const Argument& argument, const c10::TypePtr& type) const;
  void runCall(Call& call, const Step& step);
  // Runs every step in order. `number` is the current step, for errors.
  void runSteps(std::vector<at::Tensor> inputs, bool profile, RunResult& result, size_t& number);
  RunResult runGraph(const std::vector<at::Tensor>& inputs, size_t& number);

  Program program_;
  std::shared_ptr<Store> store_;
  std::vector<std::unique_ptr<Call>> calls_;  // one per step; null where the step is not a call
  std::vector<at::Tensor> slots_;
  std::vector<at::Tensor> stored_;  // one per step; defined where the step loads a tensor of the store's spec

  // On CUDA: the graph and the device tensors that it reads and writes.
  int warmUps_ = 0;
  std::unique_ptr<CudaGraph> graph_;
  std::vector<at::Tensor> graphInputs_;
  std::vector<std::pair<std::string, at::Tensor>> graphOutputs_;
};

}  // namespace inception
