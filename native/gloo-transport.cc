#include "gloo-transport.h"

#ifdef INCEPTION_GLOO
#include <ATen/ops/from_blob.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace inception {

namespace {

// A peer that is slow is not lost: who watches the processes says so and aborts.
constexpr std::chrono::hours exchangeTimeout{24};
// Of single connections, when both sides are about to connect. It bounds how long an aborted `connect` may last.
constexpr std::chrono::seconds connectTimeout{20};

std::string firstLineOf(const char* text) {
  const std::string all(text);
  return all.substr(0, all.find('\n'));
}

}  // namespace

GlooTransport::GlooTransport(const c10::intrusive_ptr<c10d::Store>& store, const std::string& prefix, const GroupSpec& spec) {
  using Gloo = c10d::ProcessGroupGloo;
  auto options = Gloo::Options::create(connectTimeout);
  options->devices.push_back(spec.networkInterface.empty() ? Gloo::createDeviceForHostname(spec.address)
                                                           : Gloo::createDeviceForInterface(spec.networkInterface));
  // For Gloo's own collectives, of which none is used: messages are moved by the device's thread.
  options->threads = 1;
  gloo_ = c10::make_intrusive<Gloo>(c10::make_intrusive<c10d::PrefixStore>(prefix, store), spec.rank, spec.size, options);
}

void GlooTransport::exchange(const std::vector<Message>& receives, const std::vector<Message>& sends, int tag) {
  struct Posted {
    Work work;
    int peer;
  };
  std::vector<Posted> posted;
  std::unique_ptr<LostPeer> lost;
  // The error of a connection is thrown by each of its works, and all of them have to end before the memory may be used again.
  const auto attempt = [&](int peer, auto run) {
    try {
      run();
    } catch (const std::exception& error) {
      if (!lost) lost = std::make_unique<LostPeer>(peer, firstLineOf(error.what()));
      abort();
    }
  };
  const auto post = [&](const Message& message, bool receives) {
    if (message.bytes == 0) return;
    attempt(message.peer, [&] {
      std::vector<at::Tensor> tensors{at::from_blob(message.data, {message.bytes}, at::TensorOptions().dtype(at::kByte))};
      const std::lock_guard<std::mutex> guard(mutex_);
      if (aborted_) return;
      auto work = receives ? gloo_->recv(tensors, message.peer, tag) : gloo_->send(tensors, message.peer, tag);
      works_.push_back(work);
      posted.push_back({std::move(work), message.peer});
    });
  };
  for (const auto& message : receives) post(message, true);
  for (const auto& message : sends) post(message, false);
  for (const auto& [work, peer] : posted) {
    attempt(peer, [&work = work] { work->wait(exchangeTimeout); });
  }
  posted.clear();
  bool aborted = false;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    works_.clear();
    aborted = aborted_;
  }
  if (lost) throw *lost;
  if (aborted) throw std::runtime_error("aborted");
}

void GlooTransport::abort() {
  const std::lock_guard<std::mutex> guard(mutex_);
  aborted_ = true;
  // A work remembers it, if it is not waited for yet.
  for (const auto& work : works_) work->abort();
}

}  // namespace inception
#endif
