#include "run-program.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <sstream>
#include <stdexcept>

#include "dtypes.h"
#include "engine-thread.h"
#include "group.h"

namespace inception {

namespace {

std::string locationOf(size_t number, const Step& step) {
  std::string text = "step " + std::to_string(number) + " (" + step.name + ")";
  return step.layer.empty() ? text : text + ", layer " + step.layer;
}

bool isOutOfMemory(const std::string& message) {
  return message.find("can't allocate memory") != std::string::npos || message.find("out of memory") != std::string::npos ||
         message.find("not enough memory") != std::string::npos;
}

std::string firstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

c10::List<int64_t> integers(const std::vector<double>& values) {
  c10::List<int64_t> list;
  for (const double value : values) list.push_back(static_cast<int64_t>(value));
  return list;
}

c10::IValue toScalar(double value) {
  const bool whole = std::floor(value) == value && std::abs(value) < 9e15;
  return whole ? c10::IValue(static_cast<int64_t>(value)) : c10::IValue(value);
}

bool isInteger(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::IntType || type->kind() == c10::TypeKind::SymIntType;
}

}  // namespace

LoadedProgram::LoadedProgram(Program program, std::shared_ptr<Store> store)
    : program_(std::move(program)), store_(std::move(store)), slots_(program_.slots), stored_(program_.steps.size()) {
  calls_.reserve(program_.steps.size());
  for (size_t number = 0; number < program_.steps.size(); number++) {
    const Step& step = program_.steps[number];
    try {
      if (step.kind == StepKind::load && store_->has(step.name)) stored_[number] = store_->find(step.name);
      calls_.push_back(step.kind == StepKind::call ? std::make_unique<Call>(resolve(step)) : nullptr);
    } catch (const c10::Error& error) {
      throw std::invalid_argument(locationOf(number, step) + ": " + firstLine(error.what_without_backtrace()));
    } catch (const std::exception& error) {
      throw std::invalid_argument(locationOf(number, step) + ": " + error.what());
    }
  }
}

c10::IValue LoadedProgram::convert(const Argument& argument, const c10::TypePtr& declared) const {
  c10::TypePtr type = declared;
  if (const auto optional = type->cast<c10::OptionalType>()) {
    if (argument.kind == ArgumentKind::none) return c10::IValue();
    type = optional->getElementType();
  }
  const auto list = type->cast<c10::ListType>();
  switch (argument.kind) {
    case ArgumentKind::boolean:
      if (type->kind() == c10::TypeKind::BoolType) return c10::IValue(argument.number != 0);
      break;
    case ArgumentKind::number:
      if (isInteger(type) && std::floor(argument.number) == argument.number) {
        return c10::IValue(static_cast<int64_t>(argument.number));
      }
      if (type->kind() == c10::TypeKind::FloatType) return c10::IValue(argument.number);
      if (type->kind() == c10::TypeKind::NumberType) return toScalar(argument.number);
      break;
    case ArgumentKind::numbers:
      if (list && isInteger(list->getElementType())) return integers(argument.numbers);
      if (list && list->getElementType()->kind() == c10::TypeKind::FloatType) {
        return c10::IValue(c10::List<double>(at::ArrayRef<double>(argument.numbers)));
      }
      break;
    case ArgumentKind::booleans:
      if (list && list->getElementType()->kind() == c10::TypeKind::BoolType) {
        c10::List<bool> values;
        for (const double value : argument.numbers) values.push_back(value != 0);
        return values;
      }
      break;
    case ArgumentKind::dtype:
      // Schemas declare ScalarType and MemoryFormat as integers.
      if (isInteger(type)) return c10::IValue(static_cast<int64_t>(scalarType(argument.text)));
      break;
    case ArgumentKind::memoryFormat:
      if (isInteger(type)) {
        const auto format = argument.text == "channelsLast" ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
        return c10::IValue(static_cast<int64_t>(format));
      }
      break;
    case ArgumentKind::device:
      if (type->kind() == c10::TypeKind::DeviceObjType) return c10::IValue(store_->device());
      break;
    case ArgumentKind::generator:
      if (type->kind() == c10::TypeKind::GeneratorType) return c10::IValue(store_->generator());
      break;
    case ArgumentKind::slot:
      if (type->kind() == c10::TypeKind::TensorType) return c10::IValue(at::Tensor());
      break;
    case ArgumentKind::slots:
      if (list && list->getElementType()->kind() == c10::TypeKind::TensorType) return c10::IValue(at::Tensor());
      break;
    case ArgumentKind::none:
      break;
  }
  throw std::invalid_argument("expected " + declared->str());
}

LoadedProgram::Call LoadedProgram::resolve(const Step& step) const {
  const size_t dot = step.name.find('.');
  const std::string name = step.name.substr(0, dot);
  const std::string overload = dot == std::string::npos ? "" : step.name.substr(dot + 1);
  const auto operatorHandle = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!operatorHandle) throw std::invalid_argument("this libtorch has no such operator");
  Call call{*operatorHandle, {}, {}, {}};
  const auto& schema = call.handle.schema();
  const auto& declared = schema.arguments();
  if (step.arguments.size() > declared.size()) {
    throw std::invalid_argument("expected at most " + std::to_string(declared.size()) + " arguments, received " +
                                std::to_string(step.arguments.size()));
  }
  size_t namedUsed = 0;
  for (size_t index = 0; index < declared.size(); index++) {
    const auto& parameter = declared[index];
    const Argument* argument = index < step.arguments.size() ? &step.arguments[index] : nullptr;
    for (const auto& [key, value] : step.named) {
      if (key != parameter.name()) continue;
      if (argument) throw std::invalid_argument("argument '" + key + "' is passed twice");
      argument = &value;
      namedUsed++;
    }
    if (!argument) {
      if (!parameter.default_value()) throw std::invalid_argument("argument '" + parameter.name() + "' is missing");
      call.arguments.push_back(*parameter.default_value());
      continue;
    }
    try {
      call.arguments.push_back(convert(*argument, parameter.type()));
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("argument '" + parameter.name() + "': " + error.what());
    }
    if (argument->kind == ArgumentKind::slot) {
      call.slots.emplace_back(index, std::vector<int>{static_cast<int>(argument->number)});
      call.isList.push_back(false);
    } else if (argument->kind == ArgumentKind::slots) {
      call.slots.emplace_back(index, std::vector<int>(argument->numbers.begin(), argument->numbers.end()));
      call.isList.push_back(true);
    }
  }
  if (namedUsed != step.named.size()) throw std::invalid_argument("a named argument is unknown");
  if (step.slots.size() > schema.returns().size()) {
    throw std::invalid_argument("expected at most " + std::to_string(schema.returns().size()) + " results, received " +
                                std::to_string(step.slots.size()));
  }
  return call;
}

void LoadedProgram::runCall(Call& call, const Step& step) {
  torch::jit::Stack stack = call.arguments;
  for (size_t index = 0; index < call.slots.size(); index++) {
    const auto& [position, slots] = call.slots[index];
    if (call.isList[index]) {
      c10::List<at::Tensor> list;
      for (const int slot : slots) list.push_back(slots_[slot]);
      stack[position] = std::move(list);
    } else {
      stack[position] = slots_[slots[0]];
    }
  }
  call.handle.callBoxed(stack);
  for (size_t index = 0; index < step.slots.size(); index++) {
    if (step.slots[index] >= 0) slots_[step.slots[index]] = std::move(stack[index]).toTensor();
  }
}

void LoadedProgram::runSteps(std::vector<at::Tensor> inputs, bool profile, RunResult& result, size_t& number) {
  if (profile) result.stepMicroseconds.resize(program_.steps.size());
  for (number = 0; number < program_.steps.size(); number++) {
    EngineThread::throwIfStopped();
    const Step& step = program_.steps[number];
    const auto begin = profile ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
    switch (step.kind) {
      case StepKind::call:
        runCall(*calls_[number], step);
        break;
      case StepKind::load:
        slots_[step.slots[0]] = stored_[number].defined() ? stored_[number] : store_->findComputed(step.name);
        break;
      case StepKind::store:
        store_->storeComputed(step.name, slots_[step.slots[0]]);
        break;
      case StepKind::input:
        for (size_t index = 0; index < program_.inputs.size(); index++) {
          if (program_.inputs[index].name == step.name) slots_[step.slots[0]] = std::move(inputs[index]);
        }
        break;
      case StepKind::output:
        // While capturing a graph, this is the tensor that every replay writes.
        result.outputs.emplace_back(step.name, slots_[step.slots[0]]);
        break;
      case StepKind::free:
        for (const int slot : step.slots) slots_[slot].reset();
        break;
    }
    if (profile) {
      const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - begin;
      result.stepMicroseconds[number] = elapsed.count();
    }
  }
}

// The first runs are warm-ups, in which libraries choose their algorithms; then the steps are captured and replayed.
RunResult LoadedProgram::runGraph(const std::vector<at::Tensor>& inputs, size_t& number) {
  const auto device = store_->device();
  if (graphInputs_.empty()) {
    for (const auto& input : inputs) graphInputs_.push_back(input.to(device));
  } else {
    for (size_t index = 0; index < inputs.size(); index++) graphInputs_[index].copy_(inputs[index]);
  }
  RunResult result;
  if (warmUps_ < 2) {
    CudaGraph::warmUp(device, [&] { runSteps(graphInputs_, false, result, number); });
    warmUps_++;
    return result;
  }
  if (!graph_) {
    RunResult captured;
    graph_ = CudaGraph::capture(device, store_->generator(), [&] { runSteps(graphInputs_, false, captured, number); });
    graphOutputs_ = std::move(captured.outputs);
    for (auto& slot : slots_) slot.reset();
  }
  graph_->replay();
  result.outputs = graphOutputs_;
  return result;
}

RunResult LoadedProgram::run(std::vector<at::Tensor> inputs, bool profile) {
  // Gradients are steps of the program: autograd's tape and version counters are not needed.
  at::NoGradGuard noGrad;
  at::AutoDispatchBelowADInplaceOrView belowAutograd;
  size_t number = 0;
  try {
    RunResult result;
    if (!profile && CudaGraph::isAvailable(store_->device())) {
      result = runGraph(inputs, number);
    } else {
      // From here on the program's slots own them, and free them after their last use.
      for (auto& input : inputs) input = input.to(store_->device());
      runSteps(std::move(inputs), profile, result, number);
    }
    for (auto& [name, tensor] : result.outputs) tensor = tensor.to(at::kCPU).clone(at::MemoryFormat::Contiguous);
    // On CUDA only streams wait for other processes: where the group was aborted in between, the results are not whole.
    if (auto* group = store_->device().is_cuda() ? Group::current() : nullptr) group->check();
    return result;
  } catch (const Stopped&) {
    throw;
  } catch (const std::exception& error) {
    // Past the last step, the failure was in copying the outputs.
    number = std::min(number, program_.steps.size() - 1);
    const Step& step = program_.steps[number];
    std::ostringstream text;
    const auto* torchError = dynamic_cast<const c10::Error*>(&error);
    const std::string reason = firstLine(torchError ? torchError->what_without_backtrace() : error.what());
    const bool outOfMemory = dynamic_cast<const std::bad_alloc*>(&error) || isOutOfMemory(reason);
    text << program_.name << ": " << locationOf(number, step) << ": ";
    if (outOfMemory) text << "out of memory; use a smaller batch or input size, or free memory (";
    text << reason << (outOfMemory ? ")" : "");
    if (step.kind == StepKind::call) {
      text << "; arguments";
      for (const auto& entry : calls_[number]->slots) {
        for (const int slot : entry.second) text << ' ' << describe(slots_[slot]) << ',';
      }
    }
    for (auto& slot : slots_) slot.reset();
    std::string message = text.str();
    if (message.back() == ',') message.pop_back();
    throw std::runtime_error(message);
  }
}

}  // namespace inception
