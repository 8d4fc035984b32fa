// Registers the functions that src/data/native/ calls. No libtorch: whoever only decodes images loads nothing else.
#include <napi.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernels.h"
#include "pool.h"
#include "prepare-image.h"
#include "read-part.h"
#include "single-crop.h"

namespace inception::images {

namespace {

struct Environment;
void settleFinished(Napi::Env env, Napi::Function, Environment* environment, void*);
using Wake = Napi::TypedThreadSafeFunction<Environment, void, settleFinished>;

struct Job : std::enable_shared_from_this<Job> {
  explicit Job(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)), batch(std::make_shared<Batch>()) {}

  Napi::Promise::Deferred deferred;
  // JavaScript memory that the threads read and write.
  std::vector<Napi::ObjectReference> keptAlive;
  std::vector<Source> sources;
  std::vector<DistortionRecord> records;
  std::shared_ptr<Batch> batch;
  // Of a job that makes its own memory: where it is, and the value that the promise gets.
  std::vector<uint8_t> pixels;
  Size size{0, 0};
  std::function<Napi::Value(Napi::Env)> result;
};

// What belongs to one JavaScript environment: the main thread's, or a worker's.
struct Environment {
  explicit Environment(Napi::Env env) : wake(Wake::New(env, "inception images", 0, 1, this)) { wake.Unref(env); }

  Wake wake;
  // Used by its JavaScript thread only.
  std::set<std::shared_ptr<Job>> open;
  std::mutex mutex;
  std::condition_variable isFinished;
  std::deque<std::shared_ptr<Job>> finished;  // guarded by `mutex`
  size_t finishedCount = 0;                   // guarded by `mutex`; in all
  size_t startedCount = 0;
};

// Of a network's input; nothing larger is an image.
constexpr int maxOutputSide = 65'535;

Environment& environmentOf(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void settleFinished(Napi::Env env, Napi::Function, Environment* environment, void*) {
  // Without an environment: wake-ups that were left when it ended.
  if (static_cast<napi_env>(env) == nullptr) return;
  std::shared_ptr<Job> job;
  {
    const std::lock_guard<std::mutex> guard(environment->mutex);
    if (environment->finished.empty()) return;
    job = std::move(environment->finished.front());
    environment->finished.pop_front();
  }
  environment->open.erase(job);
  if (environment->open.empty()) environment->wake.Unref(env);
  try {
    job->deferred.Resolve(job->result ? job->result(env) : env.Undefined());
  } catch (...) {
    // A worker that is being terminated.
  }
}

// At the end of the environment, whose memory the threads must not use any more.
void stopAtExit(void* data) {
  auto& environment = *static_cast<Environment*>(data);
  for (const auto& job : environment.open) job->batch->cancel();
  std::unique_lock<std::mutex> lock(environment.mutex);
  environment.isFinished.wait(lock, [&] { return environment.finishedCount == environment.startedCount; });
  environment.finished.clear();
  environment.open.clear();
}

void require(Napi::Env env, bool holds, const char* what) {
  if (!holds) throw Napi::TypeError::New(env, what);
}

template <typename T>
T property(const Napi::Object& object, const char* name) {
  return object.Get(name).As<T>();
}

int intProperty(const Napi::Object& object, const char* name) { return property<Napi::Value>(object, name).ToNumber().Int32Value(); }

Source toSource(const Napi::Value& value, std::vector<Napi::ObjectReference>& keptAlive) {
  Source source;
  if (value.IsString()) {
    source.file = value.As<Napi::String>().Utf8Value();
    return source;
  }
  const auto object = value.As<Napi::Object>();
  const auto data = property<Napi::Value>(object, "bytes");
  if (!data.IsTypedArray()) {
    source.file = property<Napi::Value>(object, "file").ToString().Utf8Value();
    const auto offset = property<Napi::Value>(object, "offset");
    const auto length = property<Napi::Value>(object, "length");
    if (offset.IsNumber()) source.offset = offset.ToNumber().Int64Value();
    if (length.IsNumber()) source.length = length.ToNumber().Int64Value();
    return source;
  }
  const auto bytes = data.As<Napi::Uint8Array>();
  source.bytes = bytes.Data();
  source.byteCount = bytes.ByteLength();
  keptAlive.push_back(Napi::Persistent(bytes.As<Napi::Object>()));
  if (property<Napi::Value>(object, "height").IsNumber()) {
    source.pixels = {intProperty(object, "height"), intProperty(object, "width")};
    source.channels = intProperty(object, "channels");
    const bool isImage = source.pixels.height > 0 && source.pixels.width > 0 && (source.channels == 1 || source.channels == 3) &&
                         static_cast<int64_t>(source.pixels.height) * source.pixels.width * source.channels <= static_cast<int64_t>(source.byteCount);
    require(object.Env(), isImage, "pixels: expected [height, width, 1 or 3]");
  }
  return source;
}

Napi::Value start(Napi::Env env, const std::shared_ptr<Job>& job, size_t count, std::function<void(size_t, Scratch&)> work) {
  auto& environment = environmentOf(env);
  auto& batch = *job->batch;
  batch.count = count;
  batch.prepare = std::move(work);
  batch.onDone = [job = job.get(), environment = &environment] {
    const std::lock_guard<std::mutex> guard(environment->mutex);
    environment->finished.push_back(job->shared_from_this());
    environment->finishedCount++;
    environment->wake.NonBlockingCall();
    // Under the lock: the environment may be gone right after it.
    environment->isFinished.notify_all();
  };
  if (environment.open.empty()) environment.wake.Ref(env);
  environment.open.insert(job);
  environment.startedCount++;
  prepareOnPool(job->batch);
  return job->deferred.Promise();
}

// prepare(sources, {records, slots, taken, target, height, width, closed}): resolves when every image is in its slot of `target`,
// [n, height, width, 3], or `taken` is 0 for it. Once `closed[0]` is not 0, no further image is begun.
Napi::Value prepare(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto sources = info[0].As<Napi::Array>();
  const auto options = info[1].As<Napi::Object>();
  const auto records = property<Napi::Float64Array>(options, "records");
  const auto slots = property<Napi::Int32Array>(options, "slots");
  auto taken = property<Napi::Uint8Array>(options, "taken");
  auto target = property<Napi::Uint8Array>(options, "target");
  const auto closed = property<Napi::Uint8Array>(options, "closed");
  const Size size{intProperty(options, "height"), intProperty(options, "width")};
  const size_t count = sources.Length();
  const size_t values = sizeof(DistortionRecord) / sizeof(double);
  require(env, size.height > 0 && size.width > 0 && size.height <= maxOutputSide && size.width <= maxOutputSide, "the size is out of range");
  require(env, records.ElementLength() == count * values && slots.ElementLength() == count && taken.ElementLength() == count && closed.ElementLength() == 1, "arrays of other lengths");
  const size_t imageBytes = static_cast<size_t>(size.height) * static_cast<size_t>(size.width) * 3;
  for (size_t index = 0; index < count; index++) {
    const auto slot = slots[index];
    require(env, slot >= 0 && (static_cast<size_t>(slot) + 1) * imageBytes <= target.ByteLength(), "a slot lies behind the target");
  }
  auto job = std::make_shared<Job>(env);
  if (count == 0) {
    job->deferred.Resolve(env.Undefined());
    return job->deferred.Promise();
  }
  job->sources.reserve(count);
  for (uint32_t index = 0; index < count; index++) job->sources.push_back(toSource(sources.Get(index), job->keptAlive));
  job->records.resize(count);
  std::copy_n(records.Data(), count * values, reinterpret_cast<double*>(job->records.data()));
  for (const auto& array : {target, taken, property<Napi::Uint8Array>(options, "closed")}) job->keptAlive.push_back(Napi::Persistent(array.As<Napi::Object>()));
  std::vector<uint8_t*> targets(count);
  for (size_t index = 0; index < count; index++) targets[index] = target.Data() + static_cast<size_t>(slots[index]) * imageBytes;
  return start(env, job, count, [job = job.get(), targets = std::move(targets), taken = taken.Data(), closed = static_cast<const volatile uint8_t*>(closed.Data()), size](size_t index, Scratch& scratch) {
    taken[index] = *closed == 0 && prepareImage(job->sources[index], job->records[index], size, scratch, targets[index]) ? 1 : 0;
  });
}

// decode(source): the image as {height, width, channels, data}, or undefined for one that is left to others.
Napi::Value decode(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto job = std::make_shared<Job>(env);
  job->sources.push_back(toSource(info[0], job->keptAlive));
  job->result = [job = job.get()](Napi::Env env) -> Napi::Value {
    if (job->size.height == 0) return env.Undefined();
    auto* memory = new std::vector<uint8_t>(std::move(job->pixels));
    const size_t bytes = static_cast<size_t>(job->size.height) * static_cast<size_t>(job->size.width) * 3;
    const auto buffer = Napi::ArrayBuffer::New(env, memory->data(), bytes, [memory](Napi::Env, void*) { delete memory; });
    auto image = Napi::Object::New(env);
    image.Set("height", job->size.height);
    image.Set("width", job->size.width);
    image.Set("channels", 3);
    image.Set("data", Napi::Uint8Array::New(env, bytes, buffer, 0));
    return image;
  };
  return start(env, job, 1, [job = job.get()](size_t, Scratch& scratch) {
    Size size{0, 0};
    Pixels pixels{};
    const auto choose = [&](Size image) {
      size = image;
      return Part{0, 0, image.height, image.width};
    };
    try {
      if (!readPart(job->sources[0], scratch, choose, pixels)) return;
      job->pixels = std::move(scratch.pixels);
      job->size = size;
    } catch (const std::exception&) {
      // No memory.
    }
  });
}

// takeSingleCrop(source, {size, channels, protocol, crop, kernel, mirrored, target}): whether the crop is in `target`; protocol and kernel are
// places in the lists of src/images/.
Napi::Value takeSingleCropOf(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto options = info[1].As<Napi::Object>();
  auto target = property<Napi::Uint8Array>(options, "target");
  const int protocol = intProperty(options, "protocol");
  const int kernel = intProperty(options, "kernel");
  const SingleCrop crop{{intProperty(options, "height"), intProperty(options, "width")},
                        intProperty(options, "channels"),
                        static_cast<Protocol>(protocol),
                        property<Napi::Value>(options, "crop").ToNumber().DoubleValue(),
                        static_cast<Kernel>(kernel),
                        property<Napi::Value>(options, "mirrored").ToBoolean().Value()};
  require(env, crop.size.height > 0 && crop.size.width > 0 && crop.size.height <= maxOutputSide && crop.size.width <= maxOutputSide, "the size is out of range");
  require(env, (crop.channels == 1 || crop.channels == 3) && crop.crop > 0 && crop.crop <= 1, "expected 1 or 3 channels and a crop above 0 and at most 1");
  require(env, protocol >= 0 && protocol <= 1 && kernel >= 0 && kernel < kernelCount, "an unknown protocol or kernel");
  const size_t bytes = static_cast<size_t>(crop.size.height) * static_cast<size_t>(crop.size.width) * static_cast<size_t>(crop.channels);
  require(env, target.ByteLength() >= bytes * (crop.isMirrored ? 2 : 1), "the target is too small");
  auto job = std::make_shared<Job>(env);
  job->sources.push_back(toSource(info[0], job->keptAlive));
  job->keptAlive.push_back(Napi::Persistent(target.As<Napi::Object>()));
  job->result = [job = job.get()](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, job->size.height > 0); };
  return start(env, job, 1, [job = job.get(), crop, target = target.Data()](size_t, Scratch& scratch) {
    if (takeSingleCrop(job->sources[0], crop, scratch, target)) job->size = crop.size;
  });
}

Napi::Value facts(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  auto names = Napi::Array::New(env);
  for (const auto& name : kernelNames()) names.Set(names.Length(), name);
  auto result = Napi::Object::New(env);
  result.Set("instructionSets", names);
  result.Set("threads", poolThreads());
  result.Set("recordValues", static_cast<double>(sizeof(DistortionRecord) / sizeof(double)));
  return result;
}

Napi::Value useInstructionSet(const Napi::CallbackInfo& info) {
  useKernels(info[0].ToString().Utf8Value());
  return info.Env().Undefined();
}

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return function(info);
  } catch (const Napi::Error&) {
    throw;
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
  auto* environment = new Environment(env);
  env.SetInstanceData(environment);
  // Hooks run in reverse order: this one before that of `wake`, which the threads call.
  napi_add_env_cleanup_hook(env, stopAtExit, environment);
  add<prepare>(env, exports, "prepare");
  add<decode>(env, exports, "decode");
  add<takeSingleCropOf>(env, exports, "takeSingleCrop");
  add<facts>(env, exports, "facts");
  add<useInstructionSet>(env, exports, "useInstructionSet");
  return exports;
}

NODE_API_MODULE(inception_images, initialise)

}  // namespace inception::images
