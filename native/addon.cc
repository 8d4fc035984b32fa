// Registers the functions that src/engine/torch.ts calls. Every job runs on the engine's thread and settles a promise; no
// exception reaches JavaScript unhandled.
#include <napi.h>

#include <ATen/Context.h>
#include <ATen/ops/tensor.h>
#include <torch/version.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "arena-allocator.h"
#include "checksum.h"
#include "convert.h"
#include "group.h"
#include "hardware.h"
#include "job.h"
#include "operators/onednn/convolution.h"
#include "operators/kernels.h"
#include "run-program.h"
#include "store.h"

namespace inception {

namespace {

template <typename T>
using Handle = Napi::External<std::shared_ptr<T>>;

template <typename T>
Napi::Value makeHandle(Napi::Env env, std::shared_ptr<T> value) {
  return Handle<T>::New(env, new std::shared_ptr<T>(std::move(value)), [](Napi::Env, std::shared_ptr<T>* pointer) { delete pointer; });
}

template <typename T>
std::shared_ptr<T>& unwrap(const Napi::Value& value) {
  return *value.As<Handle<T>>().Data();
}

// createEngine(device, threads): 0 threads means one per core.
Napi::Value createEngine(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  static std::once_flag once;
  std::call_once(once, installArenaAllocator);
  const at::Device device(info[0].ToString().Utf8Value());
  const int threads = info[1].ToNumber().Int32Value();
  // A program's shapes never change, so cuDNN benchmarks its algorithms once, in the warm-up runs.
  if (device.is_cuda()) at::globalContext().setBenchmarkCuDNN(true);
  return makeHandle(env, std::make_shared<Engine>(env, device, threads > 0 ? threads : availableCores()));
}

Napi::Value facts(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto result = Napi::Object::New(env);
  result.Set("libtorch", TORCH_VERSION);
  result.Set("cuda", at::hasCUDA());
  result.Set("fastBfloat16", hasFastBfloat16());
  result.Set("cores", availableCores());
  result.Set("oneDnn", linksOneDnn());
  result.Set("gloo", hasGloo());
  result.Set("nccl", hasNccl());
  auto names = Napi::Array::New(env);
  for (const auto& name : kernels::kernelNames()) names.Set(names.Length(), name);
  result.Set("instructionSets", names);
  return result;
}

Napi::Value useInstructionSet(const Napi::CallbackInfo& info) {
  kernels::useKernels(info[0].ToString().Utf8Value());
  return info.Env().Undefined();
}

Napi::Value createStore(const Napi::CallbackInfo& info) {
  auto engine = unwrap<Engine>(info[0]);
  auto spec = std::make_shared<StoreSpec>(toStoreSpec(info[1].As<Napi::Object>()));
  return submit(info.Env(), engine, [engine, spec]() -> Finish {
    auto store = std::make_shared<Store>(*spec, engine->device);
    return [store](Napi::Env env) { return makeHandle(env, store); };
  });
}

Napi::Value loadProgram(const Napi::CallbackInfo& info) {
  auto engine = unwrap<Engine>(info[0]);
  auto store = unwrap<Store>(info[1]);
  auto program = std::make_shared<Program>(toProgram(info[2].As<Napi::Object>()));
  return submit(info.Env(), engine, [program, store]() -> Finish {
    auto loaded = std::make_shared<LoadedProgram>(std::move(*program), store);
    return [loaded](Napi::Env env) { return makeHandle(env, loaded); };
  });
}

// runProgram(engine, program, arrays in the order of the program's inputs, profile)
Napi::Value runProgram(const Napi::CallbackInfo& info) {
  auto program = unwrap<LoadedProgram>(info[1]);
  const auto arrays = info[2].As<Napi::Array>();
  const bool profile = info[3].ToBoolean().Value();
  std::vector<at::Tensor> inputs;
  std::vector<Napi::ObjectReference> keptAlive;
  for (uint32_t index = 0; index < arrays.Length(); index++) {
    const auto array = arrays.Get(index).As<Napi::TypedArray>();
    const auto& input = program->program().inputs[index];
    inputs.push_back(toTensor(array, input.dtype, input.shape));
    keptAlive.push_back(Napi::Persistent(array.As<Napi::Object>()));
  }
  auto work = [program, inputs, profile]() mutable -> Finish {
    auto result = std::make_shared<RunResult>(program->run(std::move(inputs), profile));
    return [result](Napi::Env env) {
      auto outputs = Napi::Object::New(env);
      for (const auto& [name, tensor] : result->outputs) outputs.Set(name, toHostTensor(env, tensor));
      auto response = Napi::Object::New(env);
      response.Set("outputs", outputs);
      auto microseconds = Napi::Float64Array::New(env, result->stepMicroseconds.size());
      std::copy(result->stepMicroseconds.begin(), result->stepMicroseconds.end(), microseconds.Data());
      response.Set("stepMicroseconds", microseconds);
      return response;
    };
  };
  return submit(info.Env(), unwrap<Engine>(info[0]), work, std::move(keptAlive));
}

// writeStore(engine, store, name, array, dtype)
Napi::Value writeStore(const Napi::CallbackInfo& info) {
  auto store = unwrap<Store>(info[1]);
  const auto name = info[2].ToString().Utf8Value();
  const auto array = info[3].As<Napi::TypedArray>();
  const auto values = toTensor(array, info[4].ToString().Utf8Value(), {static_cast<int64_t>(array.ElementLength())});
  std::vector<Napi::ObjectReference> keptAlive;
  keptAlive.push_back(Napi::Persistent(array.As<Napi::Object>()));
  auto work = [store, name, values]() -> Finish {
    store->write(name, values);
    return nothing();
  };
  return submit(info.Env(), unwrap<Engine>(info[0]), work, std::move(keptAlive));
}

Napi::Value readStore(const Napi::CallbackInfo& info) {
  auto store = unwrap<Store>(info[1]);
  const auto name = info[2].ToString().Utf8Value();
  return submit(info.Env(), unwrap<Engine>(info[0]), [store, name]() -> Finish {
    auto values = store->read(name);
    return [values](Napi::Env env) { return toHostTensor(env, values); };
  });
}

Napi::Value seedStore(const Napi::CallbackInfo& info) {
  auto store = unwrap<Store>(info[1]);
  const auto seed = static_cast<uint64_t>(info[2].ToNumber().DoubleValue());
  return submit(info.Env(), unwrap<Engine>(info[0]), [store, seed]() -> Finish {
    store->generator().set_current_seed(seed);
    return nothing();
  });
}

Napi::Value readRandomState(const Napi::CallbackInfo& info) {
  auto store = unwrap<Store>(info[1]);
  return submit(info.Env(), unwrap<Engine>(info[0]), [store]() -> Finish {
    auto state = store->generator().get_state().clone();
    return [state](Napi::Env env) { return toHostTensor(env, state); };
  });
}

Napi::Value writeRandomState(const Napi::CallbackInfo& info) {
  auto store = unwrap<Store>(info[1]);
  const auto array = info[2].As<Napi::TypedArray>();
  auto state = toTensor(array, "uint8", {static_cast<int64_t>(array.ElementLength())}).clone();
  return submit(info.Env(), unwrap<Engine>(info[0]), [store, state]() -> Finish {
    auto generator = store->generator();
    generator.set_state(state);
    return nothing();
  });
}

Napi::Value checksumOf(const Napi::CallbackInfo& info) {
  auto store = unwrap<Store>(info[1]);
  const auto name = info[2].ToString().Utf8Value();
  return submit(info.Env(), unwrap<Engine>(info[0]), [store, name]() -> Finish {
    const auto values = store->find(name).to(at::kCPU).contiguous();
    const auto sum = checksum(values.data_ptr(), values.nbytes());
    return [sum](Napi::Env env) { return Napi::String::New(env, sum); };
  });
}

// Resolves with the store's port; it is served until the engine leaves its group or is closed.
Napi::Value serveStoreForGroup(const Napi::CallbackInfo& info) {
  auto engine = unwrap<Engine>(info[0]);
  return submit(info.Env(), engine, [engine]() -> Finish {
    auto server = std::make_shared<std::unique_ptr<StoreServer>>(serveStore());
    return [engine, server](Napi::Env env) {
      engine->served = std::move(*server);
      return Napi::Number::New(env, engine->served->port());
    };
  });
}

// createGroup(engine, spec): not connected yet, so that it can be aborted while it is.
Napi::Value createGroup(const Napi::CallbackInfo& info) {
  auto engine = unwrap<Engine>(info[0]);
  if (engine->group) throw std::runtime_error("this engine has joined a group already; leave it first");
  engine->group = Group::create(toGroupSpec(info[1].As<Napi::Object>()), engine->device);
  return makeHandle(info.Env(), engine->group);
}

Napi::Value joinGroup(const Napi::CallbackInfo& info) {
  auto group = unwrap<Group>(info[1]);
  return submit(info.Env(), unwrap<Engine>(info[0]), [group]() -> Finish {
    group->connect();
    Group::setCurrent(group.get());
    return nothing();
  });
}

Napi::Value broadcast(const Napi::CallbackInfo& info) {
  auto group = unwrap<Group>(info[1]);
  auto store = unwrap<Store>(info[2]);
  const auto name = info[3].ToString().Utf8Value();
  return submit(info.Env(), unwrap<Engine>(info[0]), [group, store, name]() -> Finish {
    const auto& tensor = store->find(name);
    const auto values = tensor.contiguous();
    group->broadcast(values);
    if (!values.is_same(tensor)) tensor.copy_(values);
    return nothing();
  });
}

Napi::Value traffic(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto result = Napi::Array::New(env);
  for (const auto& [bucket, cost] : unwrap<Group>(info[0])->traffic()) {
    auto entry = Napi::Object::New(env);
    entry.Set("bucket", static_cast<double>(bucket));
    entry.Set("bytes", static_cast<double>(cost.bytes));
    entry.Set("busyMs", cost.busyMs);
    entry.Set("exposedMs", cost.exposedMs);
    result.Set(result.Length(), entry);
  }
  return result;
}

// abortGroup(group, reason), also from a job's point of view at any moment: it does not queue.
Napi::Value abortGroup(const Napi::CallbackInfo& info) {
  unwrap<Group>(info[0])->abort(info[1].ToString().Utf8Value());
  return info.Env().Undefined();
}

Napi::Value leaveGroup(const Napi::CallbackInfo& info) {
  auto engine = unwrap<Engine>(info[0]);
  auto group = unwrap<Group>(info[1]);
  return submit(info.Env(), engine, [engine, group]() -> Finish {
    Group::setCurrent(nullptr);
    group->close();
    return [engine, group](Napi::Env env) {
      if (engine->group == group) engine->group.reset();
      engine->served.reset();
      return env.Undefined();
    };
  });
}

Napi::Value storeBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(unwrap<Store>(info[0])->bytes()));
}

Napi::Value lateMs(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), unwrap<Engine>(info[0])->lateMs); }

// release(engine, handle): frees a store or program once no queued job needs it. Programs keep their store alive.
template <typename T>
Napi::Value release(const Napi::CallbackInfo& info) {
  auto task = [value = std::exchange(unwrap<T>(info[1]), nullptr)]() mutable {
    value.reset();
    trimArena();
  };
  runAfterJobs(unwrap<Engine>(info[0]), std::move(task));
  return info.Env().Undefined();
}

Napi::Value close(const Napi::CallbackInfo& info) { return closeEngine(info.Env(), unwrap<Engine>(info[0])); }

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw Napi::Error::New(info.Env(), error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), error.what());
  }
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void add(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New(env, guarded<function>, name));
}

}  // namespace

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  prepareEngines(env);
  add<createEngine>(env, exports, "createEngine");
  add<facts>(env, exports, "facts");
  add<useInstructionSet>(env, exports, "useInstructionSet");
  add<createStore>(env, exports, "createStore");
  add<loadProgram>(env, exports, "loadProgram");
  add<runProgram>(env, exports, "runProgram");
  add<writeStore>(env, exports, "writeStore");
  add<readStore>(env, exports, "readStore");
  add<seedStore>(env, exports, "seedStore");
  add<readRandomState>(env, exports, "readRandomState");
  add<writeRandomState>(env, exports, "writeRandomState");
  add<checksumOf>(env, exports, "checksum");
  add<serveStoreForGroup>(env, exports, "serveStore");
  add<createGroup>(env, exports, "createGroup");
  add<joinGroup>(env, exports, "joinGroup");
  add<broadcast>(env, exports, "broadcast");
  add<traffic>(env, exports, "traffic");
  add<abortGroup>(env, exports, "abortGroup");
  add<leaveGroup>(env, exports, "leaveGroup");
  add<storeBytes>(env, exports, "storeBytes");
  add<lateMs>(env, exports, "lateMs");
  add<release<Store>>(env, exports, "releaseStore");
  add<release<LoadedProgram>>(env, exports, "releaseProgram");
  add<close>(env, exports, "closeEngine");
  return exports;
}

NODE_API_MODULE(inception_native, initialise)

}  // namespace inception
