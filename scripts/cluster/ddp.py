"""One rank of PyTorch's side of ddp.mjs: DistributedDataParallel over Gloo, of the network that src/bench/peers/pytorch.py builds.

Usage: ddp.py JOB.json eager|compile     with RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT in the environment; ddp.mjs starts it

Answers are lines of JSON on standard output. Requests are lines on standard input, the same on all ranks:
  run N       steps                                             -> {"wall": [milliseconds of each], "processor": mean of all threads}
  alone N     the same steps without communication (no_sync)    -> the same
  reduce N    communication alone: the buckets, all at once     -> the same
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/bench/peers"))
import pytorch as peer  # noqa: E402

# What DistributedDataParallel takes by default.
first_bucket, bucket = 1 << 20, 25 << 20


class Rank:
    def __init__(self, job, compiled):
        import numpy
        import torch
        import torch.distributed as group

        self.torch, self.group, self.job, self.compiled = torch, group, job, compiled
        torch.set_num_threads(job["threads"])
        self.half = job["precision"] == "bfloat16"
        group.init_process_group("gloo")
        self.rank, self.size = group.get_rank(), group.get_world_size()
        # Every rank has images of its own, by a rule that ours follows too.
        images = peer.read_images(job)
        images = numpy.roll(images.reshape(-1), 1001 * self.rank).reshape(images.shape)
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2)
        self.labels = torch.tensor(job["labels"])
        ways = {"channels-last": torch.channels_last, "contiguous": torch.contiguous_format}
        if self.half or compiled:
            ways.pop("contiguous")
        best = None
        for way, layout in ways.items():
            self.prepare(layout)
            self.steps(3)
            times = torch.tensor([min(self.steps(3)["wall"])])
            group.all_reduce(times)  # one choice for all
            if best is None or times.item() < best[0]:
                best = (times.item(), way, layout)
        self.way = best[1]
        self.prepare(best[2])

    def prepare(self, layout):
        torch, job = self.torch, self.job
        self.model = peer.build(job).to(memory_format=layout).train()
        self.given = self.images.contiguous(memory_format=layout)
        self.parallel = self.model
        if self.size > 1:
            # Statistics are each replica's own, as ours are: buffers need not travel in every step.
            self.parallel = torch.nn.parallel.DistributedDataParallel(
                self.model, broadcast_buffers=False, gradient_as_bucket_view=True)
        self.run = torch.compile(self.parallel) if self.compiled else self.parallel
        settings = job["optimizer"]
        self.optimizer = torch.optim.RMSprop(
            self.model.parameters(), lr=settings["learningRate"], alpha=settings["decay"], eps=settings["epsilon"],
            momentum=settings["momentum"], weight_decay=settings["weightDecay"], foreach=True)

    def step(self):
        torch = self.torch
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            logits = self.run(self.given)
        loss = torch.nn.functional.cross_entropy(
            logits.float(), self.labels, label_smoothing=self.job["labelSmoothing"])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def first(self):
        """What the ranks agree on after a step: the norm of the mean gradient; and this rank's loss."""
        loss = self.step()
        norms = [parameter.grad.float().norm() for parameter in self.model.parameters()]
        return dict(loss=loss, gradientNorm=self.torch.stack(norms).norm().item())

    def steps(self, count):
        return self.timed(self.step, count)

    def alone(self, count):
        with self.parallel.no_sync():
            return self.timed(self.step, count)

    def reduce(self, count):
        elements = sum(parameter.numel() for parameter in self.model.parameters())
        cuts = [min(elements, first_bucket // 4 + index * bucket // 4) for index in range(2 + elements * 4 // bucket)]
        sizes = [end - begin for begin, end in zip([0] + cuts, cuts) if end > begin]
        gradients = [self.torch.zeros(size) for size in sizes]

        def all_at_once():
            for work in [self.group.all_reduce(gradient, async_op=True) for gradient in gradients]:
                work.wait()

        return self.timed(all_at_once, count)

    @staticmethod
    def timed(work, count):
        wall, used = [], time.process_time()
        for _ in range(count):
            begin = time.perf_counter()
            work()
            wall.append((time.perf_counter() - begin) * 1000)
        return dict(wall=wall, processor=(time.process_time() - used) * 1000 / count)

    def about(self):
        mode = "torch.compile" if self.compiled else "eager"
        cast = ", autocast to bfloat16" if self.half else ""
        return f"PyTorch {self.torch.__version__} DistributedDataParallel, Gloo, {mode}, {self.way}{cast}"


def main():
    path, mode = sys.argv[1:]
    # A library that prints must not come between the answers.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**values):
        lines.write(json.dumps(values) + "\n")
        lines.flush()

    rank = Rank(json.load(open(path)), mode == "compile")
    answer(about=rank.about(), **rank.first())
    works = {"run": rank.steps, "alone": rank.alone, "reduce": rank.reduce}
    for line in sys.stdin:
        command, count = line.split()
        answer(**works[command](int(count)))
    rank.group.destroy_process_group()


main()
