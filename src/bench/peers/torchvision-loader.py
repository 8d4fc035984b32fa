"""A peer of `inception bench data`: the same crops and colours by torchvision, in DataLoader's workers.

Usage: torchvision-loader.py JOB.json     (src/bench/ starts it)
       torchvision-loader.py - probe      says what this Python has

Its fastest way on a CPU: its own JPEG decoder and transforms v2 on tensors of bytes, antialiased, one process for each thread of ours.
"""

import json
import sys
import time

# Its neighbours here have names of packages.
sys.path.pop(0)

UNTIMED = 6  # untimedBatches of images-job.ts


def answer(**values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def probe():
    try:
        import torch
        import torchvision
        import torchvision.transforms.v2
    except Exception:
        answer(torchvision=None)
    else:
        answer(torchvision=torchvision.__version__, torch=torch.__version__)


def seconds_of(pid):
    """Processor time of a process, of all its threads."""
    import os

    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main_ms():
    import os

    with open(f"/proc/self/task/{os.getpid()}/schedstat") as file:
        return int(file.read().split()[0]) / 1e6


def peak_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def main():
    if sys.argv[2:] == ["probe"]:
        return probe()
    import torch
    from torch.utils.data import DataLoader, Dataset, RandomSampler
    from torchvision import __version__ as version
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
    from torchvision.transforms import v2

    with open(sys.argv[1]) as file:
        job = json.load(file)
    colour = [v2.ColorJitter(brightness=32 / 255, contrast=0.5, saturation=0.5, hue=0.2)] if job["colour"] else []
    transform = v2.Compose(
        [v2.RandomResizedCrop(job["size"], scale=(0.08, 1), ratio=(3 / 4, 4 / 3), antialias=True), v2.RandomHorizontalFlip(), *colour]
    )

    class Images(Dataset):
        def __len__(self):
            return len(job["files"])

        def __getitem__(self, index):
            return transform(decode_jpeg(read_file(job["files"][index]), mode=ImageReadMode.RGB)), index % 2

    images = Images()
    loader = DataLoader(
        images,
        batch_size=job["batch"],
        sampler=RandomSampler(images, replacement=True, num_samples=10**9),
        num_workers=job["threads"],
        prefetch_factor=2,
    )
    batches = iter(loader)
    next(batches)
    workers = [worker.pid for worker in batches._workers]
    answer(about=f"{version}, torch {torch.__version__}, {len(workers)} processes")
    for line in sys.stdin:
        count = int(line.split()[1])
        used = {
            "processorMs": time.process_time() * 1000 + sum(seconds_of(pid) for pid in workers) * 1000,
            "mainMs": main_ms(),
            "peakBytes": sum(peak_bytes(pid) for pid in ["self", *workers]),
        }
        for _ in range(UNTIMED if count else 0):
            next(batches)
        begin = time.perf_counter()
        for _ in range(count):
            next(batches)
        answer(wallMs=(time.perf_counter() - begin) * 1000, **used)


if __name__ == "__main__":
    main()
