"""A peer of `inception bench`: the same network in PyTorch or ONNX Runtime, with the same weights, one step for each line.

Usage: pytorch.py JOB.json pytorch|torch-compile|onnxruntime|openvino     (src/bench/ starts it)
       pytorch.py JOB.json export                                writes job['onnx'] with PyTorch's own exporter
       pytorch.py - probe                                        says what this Python has

The network is built from the graph of the job with plain torch.nn: every node becomes the module that a PyTorch user
would write for it. Answers are lines of JSON on standard output.
"""
import json
import sys
import time


def answer(**values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def read_weights(path):
    import numpy

    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = numpy.memmap(path, dtype=numpy.uint8, mode="r", offset=8 + length)
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, data[begin:end].view(numpy.float32).reshape(entry["shape"]).copy()


def build(job):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Network(nn.Module):
        def __init__(self, nodes, logits):
            super().__init__()
            self.nodes, self.logits = nodes, logits
            self.layers = nn.ModuleDict({str(node["id"]): layer for node in nodes if (layer := self.layer(node))})
            readers = {}
            for node in nodes:
                for source in node["inputs"]:
                    readers[source] = node["id"]
            self.dead = {node["id"]: [i for i, last in readers.items() if last == node["id"]] for node in nodes}
            count = {}
            for node in nodes:
                for source in node["inputs"]:
                    count[source] = count.get(source, 0) + 1
            self.single = {i for i, n in count.items() if n == 1}

        @staticmethod
        def layer(node):
            op, a = node["op"], node["attributes"]
            if op == "conv":
                return nn.Conv2d(a["in"], a["out"], tuple(a["window"]), a["stride"], tuple(a["padding"]), groups=a["groups"], bias=a["bias"])
            if op == "batchNorm":
                return nn.BatchNorm2d(a["channels"], eps=a["epsilon"], momentum=a["momentum"])
            if op == "linear":
                return nn.Linear(a["in"], a["out"], bias=a["bias"])
            if op == "maxPool":
                return nn.MaxPool2d(tuple(a["window"]), a["stride"], tuple(a["padding"]))
            if op == "avgPool":
                return nn.AvgPool2d(tuple(a["window"]), a["stride"], tuple(a["padding"]), count_include_pad=a["countPadding"])
            return None

        def forward(self, images):
            values = {}
            for node in self.nodes:
                op, a, i = node["op"], node["attributes"], node["id"]
                inputs = [values[source] for source in node["inputs"]]
                for source in self.dead[i]:
                    del values[source]
                if op == "input":
                    value = images
                elif op == "relu":
                    # In place where nobody else reads it, as the usual model files do.
                    value = F.relu(inputs[0], inplace=node["inputs"][0] in self.single)
                elif op == "concat":
                    value = torch.cat(inputs, 1)
                elif op == "pad":
                    (top, left), (bottom, right) = a["before"], a["after"]
                    # JSON has no infinity.
                    fill = float("-inf") if a["value"] is None else a["value"]
                    value = F.pad(inputs[0], [left, right, top, bottom], value=fill)
                elif op == "scaledAdd":
                    value = inputs[0] + inputs[1] * a["scale"]
                elif op == "globalAvgPool":
                    value = inputs[0].mean((2, 3))
                elif op == "dropout":
                    value = inputs[0]  # ours is off too: the losses are compared
                else:
                    value = self.layers[str(i)](inputs[0])
                del inputs
                values[i] = value
            return values[self.logits]

    network = Network(job["nodes"], job["logits"])
    parts = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias",
             "movingMean": "running_mean", "movingVariance": "running_var"}
    target = {}
    for node in job["nodes"]:
        for part, name in node["parameters"].items():
            target[name] = getattr(network.layers[str(node["id"])], parts[part])
    with torch.no_grad():
        for name, values in read_weights(job["weights"]):
            if name in target:
                target.pop(name).copy_(torch.from_numpy(values))
    if target:
        raise SystemExit("no values for " + ", ".join(sorted(target)))
    return network


def read_images(job):
    import numpy

    return numpy.fromfile(job["images"], dtype=numpy.float32).reshape(job["batch"], *job["input"])


def read_tensor(job):
    """The input of an .onnx file, in its own form."""
    import numpy

    tensor = job["tensor"]
    return numpy.fromfile(job["images"], dtype=tensor["type"]).reshape(tensor["shape"])


class PyTorch:
    def __init__(self, job, compiled):
        import torch

        self.torch, self.job, self.compiled = torch, job, compiled
        torch.set_num_threads(job["threads"])
        self.half = job["precision"] == "bfloat16"
        self.device = job["device"]
        if self.device == "cuda":
            if not torch.cuda.is_available():
                raise SystemExit(f"PyTorch {torch.__version__} finds no CUDA device; expected a build for CUDA and a driver for it")
            # What everybody who trains on one size of image sets.
            torch.backends.cudnn.benchmark = True
        self.images = torch.from_numpy(read_images(job)).permute(0, 3, 1, 2)
        ways = [("autocast, channels-last", True, False), ("bfloat16 module, channels-last", True, True)] if self.half else [
            ("channels-last", True, False), ("contiguous", False, False)]
        if job["work"] == "train" and self.half:
            ways = ways[:1]
        if compiled:
            ways = ways[:1]
        best = None
        for way, last, whole in ways:
            self.prepare(last, whole)
            self.first = self.step()
            times = []
            for _ in range(2 if len(ways) > 1 else 0):
                begin = time.perf_counter()
                self.step()
                times.append(time.perf_counter() - begin)
            if best is None or min(times) < best[0]:
                best = (min(times, default=0), way, last, whole)
        self.way = best[1]
        if len(ways) > 1:
            self.prepare(*best[2:])
            self.first = self.step()

    def prepare(self, last, whole):
        torch, job = self.torch, self.job
        layout = torch.channels_last if last else torch.contiguous_format
        self.model = build(job).to(device=self.device, memory_format=layout)
        self.whole = whole
        self.given = self.images.contiguous(memory_format=layout)
        if whole:
            self.model, self.given = self.model.to(torch.bfloat16), self.given.to(torch.bfloat16)
        if self.device == "cuda":
            # Every side gets its images from the host's memory, in every step.
            self.given = self.given.pin_memory()
        self.model.train(job["work"] == "train")
        for node, layer in self.model.layers.items():
            if int(node) < job["frozenNodes"]:
                layer.eval().requires_grad_(False)
        self.run = torch.compile(self.model) if self.compiled else self.model
        if job["work"] == "train":
            self.labels = torch.tensor(job["labels"], device=self.device)
            settings = job["optimizer"]
            options = dict(lr=settings["learningRate"], alpha=settings["decay"], eps=settings["epsilon"],
                           momentum=settings["momentum"], weight_decay=settings["weightDecay"])
            trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
            try:
                self.optimizer = torch.optim.RMSprop(trained, foreach=True, **options)
            except TypeError:
                self.optimizer = torch.optim.RMSprop(trained, **options)

    def next_images(self):
        return self.given.to(self.device, non_blocking=True)

    def step(self):
        torch = self.torch
        cast = torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.half and not self.whole)
        if self.job["work"] == "infer":
            with torch.inference_mode(), cast:
                return self.run(self.next_images()).float().cpu().numpy()
        self.optimizer.zero_grad(set_to_none=True)
        with cast:
            logits = self.run(self.next_images())
        loss = torch.nn.functional.cross_entropy(logits.float(), self.labels, label_smoothing=self.job["labelSmoothing"])
        loss.backward()
        self.optimizer.step()
        # On CUDA the copy waits for all that was asked for before it, the optimiser's step too.
        return loss.detach().cpu().numpy()

    def about(self):
        mode = "torch.compile" if self.compiled else "eager"
        where = f" on {self.torch.cuda.get_device_name()}" if self.device == "cuda" else ""
        return f"PyTorch {self.torch.__version__} {mode}{where}, {self.way}, plain torch.nn"

    def peak_bytes(self):
        return self.torch.cuda.max_memory_allocated() if self.device == "cuda" else peak_bytes()

    def forget_peak(self):
        if self.device == "cuda":
            self.torch.cuda.reset_peak_memory_stats()
        else:
            forget_peak()


class OnnxRuntime:
    def __init__(self, job):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        # Its threads may spin during a run, but not into the other sides' turns.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.version = onnxruntime.__version__
        self.session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
        self.name, self.images, self.source = onnx_input(job)
        self.first = self.step()

    def step(self):
        return self.session.run(None, {self.name: self.images})[0]

    def peak_bytes(self):
        return peak_bytes()

    def forget_peak(self):
        forget_peak()

    def about(self):
        return f"ONNX Runtime {self.version}, {self.source}"


class OpenVino:
    """Compiled for batches of this size, which it is faster with than with any."""

    def __init__(self, job):
        import openvino

        core = openvino.Core()
        model = core.read_model(job["onnx"])
        name, images, self.source = onnx_input(job)
        model.reshape({name: images.shape})
        precision = {"float32": "f32", "bfloat16": "bf16"}[job["precision"]]
        # A file in int8 says itself which layers are, and leaves the rest to OpenVINO.
        hints = {} if job.get("tensor") else {"INFERENCE_PRECISION_HINT": precision}
        options = {"INFERENCE_NUM_THREADS": job["threads"], "PERFORMANCE_HINT": "LATENCY", **hints}
        self.compiled = core.compile_model(model, "CPU", options)
        self.version = openvino.__version__.split("-")[0]
        self.precision = self.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.request = self.compiled.create_infer_request()
        self.images = images
        self.first = self.step()

    def step(self):
        return self.request.infer([self.images], share_inputs=True)[self.compiled.output(0)]

    def peak_bytes(self):
        return peak_bytes()

    def forget_peak(self):
        forget_peak()

    def about(self):
        return f"OpenVINO {self.version}, {self.precision}, {self.source}"


def onnx_input(job):
    """Name and values of the file's input, and where the file is from."""
    given = job.get("tensor")
    if given:
        return given["name"], read_tensor(job), "the same file"
    return "images", read_images(job).transpose(0, 3, 1, 2).copy(), "PyTorch's export"


def export(job):
    import torch

    model = build(job).eval()
    images = torch.zeros(job["batch"], job["input"][2], *job["input"][:2])
    named = dict(input_names=["images"], output_names=["logits"], opset_version=13)
    try:
        torch.onnx.export(model, (images,), job["onnx"], dynamo=False, **named)
    except TypeError:
        torch.onnx.export(model, (images,), job["onnx"], **named)


def probe():
    found = {}
    for name in ("torch", "onnxruntime", "openvino"):
        try:
            found[name] = __import__(name).__version__
        except Exception:  # noqa: a broken installation is as good as none
            pass
    torch = sys.modules["torch"] if "torch" in found else None
    answer(**found, compile=hasattr(torch, "compile"), cuda=torch is not None and torch.cuda.is_available())


def peak_bytes():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return None


def forget_peak():
    try:
        open("/proc/self/clear_refs", "w").write("5")
    except OSError:
        pass


def main():
    import os

    path, kind = sys.argv[1:]
    if kind == "probe":
        return probe()
    job = json.load(open(path))
    if kind == "export":
        export(job)
        return answer(written=job["onnx"])
    # A library that prints must not come between the answers.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = lines
    of_files = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
    peer = of_files[kind](job) if kind in of_files else PyTorch(job, kind == "torch-compile")
    answer(about=peer.about(), output=[float(value) for value in peer.first.reshape(-1)])
    peer.forget_peak()
    for line in sys.stdin:
        command, count = (line.split() + ["1"])[:2]
        if command == "memory":
            answer(peakBytes=peer.peak_bytes())
            continue
        wall, processor = [], []
        for _ in range(int(count)):
            begin, used = time.perf_counter(), time.process_time()
            peer.step()
            wall.append((time.perf_counter() - begin) * 1000)
            processor.append((time.process_time() - used) * 1000)
        answer(wall=wall, processor=processor)


if __name__ == "__main__":
    main()
