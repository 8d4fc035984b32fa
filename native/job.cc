#include "job.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>
#include <utility>

namespace inception {

namespace {

struct Job {
  Napi::Promise::Deferred deferred;
  std::vector<Napi::ObjectReference> keptAlive;
  std::shared_ptr<Engine> engine;
  Finish finish;
  std::string error;
};

void settle(Napi::Env env, Job* pointer) {
  const std::unique_ptr<Job> job(pointer);
  Engine& engine = *job->engine;
  if (--engine.pending == 0) engine.toMain.Unref(env);
  if (!job->error.empty()) {
    job->deferred.Reject(Napi::Error::New(env, job->error).Value());
    return;
  }
  try {
    job->deferred.Resolve(job->finish(env));
  } catch (const std::exception& error) {
    job->deferred.Reject(Napi::Error::New(env, error.what()).Value());
  }
}

}  // namespace

Finish nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

Napi::Value submit(Napi::Env env, const std::shared_ptr<Engine>& engine, Work work, std::vector<Napi::ObjectReference> keptAlive) {
  auto* job = new Job{Napi::Promise::Deferred::New(env), std::move(keptAlive), engine, {}, {}};
  const auto promise = job->deferred.Promise();
  // Keep Node's event loop alive only while jobs are pending.
  if (engine->pending++ == 0) engine->toMain.Ref(env);
  auto toMain = engine->toMain;
  engine->thread->enqueue([job, work = std::move(work), toMain]() mutable {
    try {
      job->finish = work();
    } catch (const c10::Error& error) {
      job->error = error.what_without_backtrace();
    } catch (const std::bad_alloc&) {
      job->error = "out of memory";
    } catch (const std::exception& error) {
      job->error = error.what();
    } catch (...) {
      job->error = "an unknown error in libtorch";
    }
    work = nullptr;  // release its captures before JavaScript continues
    toMain.BlockingCall(job, [](Napi::Env env, Napi::Function, Job* finished) { settle(env, finished); });
  });
  return promise;
}

void runAfterJobs(const std::shared_ptr<Engine>& engine, std::function<void()> task) {
  if (engine->pending == 0) {
    task();
  } else {
    engine->thread->enqueue(std::move(task));
  }
}

Napi::Value closeEngine(Napi::Env env, const std::shared_ptr<Engine>& engine) {
  auto work = [engine]() -> Finish {
    return [engine](Napi::Env env) {
      engine->thread.reset();
      engine->toMain.Release();
      return env.Undefined();
    };
  };
  return submit(env, engine, work);
}

}  // namespace inception
