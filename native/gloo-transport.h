// Messages between the processes of a group over one set of connections, by c10d's Gloo.
#pragma once
#ifdef INCEPTION_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "group.h"

namespace inception {

struct Message {
  int peer;
  void* data;
  int64_t bytes;
};

// A peer's connection has failed; `what` is Gloo's reason.
struct LostPeer : std::runtime_error {
  LostPeer(int peer, const std::string& reason) : std::runtime_error(reason), peer(peer) {}
  int peer;
};

class GlooTransport {
 public:
  // Connects to all peers, which do the same with a store of the same prefix.
  GlooTransport(const c10::intrusive_ptr<c10d::Store>& store, const std::string& prefix, const GroupSpec& spec);

  // Receives and sends all messages at once and returns when all have arrived or left. Messages of one tag between two processes
  // arrive in the order in which they were sent; those of no bytes do not travel. Throws LostPeer, or std::runtime_error if
  // aborted; either way Gloo uses none of the memory any more.
  void exchange(const std::vector<Message>& receives, const std::vector<Message>& sends, int tag);

  // Ends the exchange in progress on another thread, and all later ones.
  void abort();

 private:
  using Work = c10::intrusive_ptr<c10d::Work>;

  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
  std::mutex mutex_;
  bool aborted_ = false;     // guarded by `mutex_`, as is:
  std::vector<Work> works_;  // of the exchange in progress
};

}  // namespace inception
#endif
